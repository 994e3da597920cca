"""Replicas in other regions: wanted, given up, made a secret of their own. The controller keeps them in step."""

from __future__ import annotations

from collections.abc import Sequence

from hatoba.aws.shapes import secretsmanager as t
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.secretsmanager import lending, model, views
from hatoba.services.secretsmanager.api.room import changeable, living, secretsmanager
from hatoba.services.secretsmanager.model import Replica, StoredSecret
from hatoba.store import Tx


def wanted(region: str, regions: Sequence[t.ReplicaRegionType], *, force: bool) -> tuple[Replica, ...]:
    """Raises InvalidParameterException for the primary's own region, and for one that is given twice."""
    found: dict[str, Replica] = {}
    for each in regions:
        name = each.get("Region")
        if name is None:
            raise t.InvalidParameterException("A replica must have a Region.")
        if name == region:
            raise t.InvalidParameterException("Replica region should not be the primary region.")
        if name in found:
            raise t.InvalidParameterException(f"The region {name} is given twice.")
        found[name] = Replica(region=name, kms_key=each.get("KmsKeyId") or None, force=force)
    return tuple(found.values())


@secretsmanager.operation
async def replicate_secret_to_regions(
    req: t.ReplicateSecretToRegionsRequest, call: Call
) -> t.ReplicateSecretToRegionsResponse:
    new = wanted(call.scope.region, req["AddReplicaRegions"], force=req.get("ForceOverwriteReplicaSecret", False))
    with call.tx() as tx:
        secret = changeable(tx, call, req["SecretId"])
        # One that failed may be asked for again; one that is there stays as it is.
        there = {replica.region: replica for replica in secret.replicas if replica.status != "Failed"}
        replicas = {replica.region: replica for replica in (*secret.replicas, *new)} | there
        secret = tx.put(model.secrets, replace(secret, replicas=tuple(replicas.values())))
    return {"ARN": secret.arn, "ReplicationStatus": views.replication(secret)}


@secretsmanager.operation
async def remove_regions_from_replication(
    req: t.RemoveRegionsFromReplicationRequest, call: Call
) -> t.RemoveRegionsFromReplicationResponse:
    gone = set(req["RemoveReplicaRegions"])
    with call.tx() as tx:
        secret = changeable(tx, call, req["SecretId"])
        unknown = gone - {replica.region for replica in secret.replicas}
        if unknown:
            raise t.InvalidParameterException(f"The secret has no replica in {', '.join(sorted(unknown))}.")
        for region in gone:
            copy = _copy(tx, secret, region)
            if copy is not None:
                model.delete_secret(tx, copy)
        left = tuple(replica for replica in secret.replicas if replica.region not in gone)
        secret = tx.put(model.secrets, replace(secret, replicas=left))
    return {"ARN": secret.arn, "ReplicationStatus": views.replication(secret)}


@secretsmanager.operation
async def stop_replication_to_replica(
    req: t.StopReplicationToReplicaRequest, call: Call
) -> t.StopReplicationToReplicaResponse:
    with call.tx() as tx:
        copy = living(tx, call, req["SecretId"])
        if copy.origin is not None:
            return {"ARN": _stand_alone(tx, copy).arn}
        if copy.primary is None:
            raise t.InvalidRequestException("Operation not permitted: the secret is not a replica.")
        there = Scope(copy.key.partition, copy.key.account, copy.primary)
        primary = tx.find(model.secrets, there, copy.id)
        if primary is not None:
            left = tuple(replica for replica in primary.replicas if replica.region != copy.key.region)
            tx.put(model.secrets, replace(primary, replicas=left))
        copy = tx.put(model.secrets, replace(copy, primary=None))
    return {"ARN": copy.arn}


def _stand_alone(tx: Tx, copy: StoredSecret) -> StoredSecret:
    """A replica of another account's secret is one of its own; that account is told, and may not write it any more."""
    primary = lending.find_primary(tx, copy)
    if primary is not None and primary.lent is not None:
        lent = replace(primary.lent, status="Detached", message=None, by=None, via=())
        tx.put(model.secrets, replace(primary, lent=lent))
    return tx.put(model.secrets, replace(copy, origin=None, policy=lending.policy_without(copy.policy)))


def _copy(tx: Tx, secret: StoredSecret, region: str) -> StoredSecret | None:
    """The secret's replica there, if the one of its name is that."""
    found = tx.find(model.secrets, Scope(secret.key.partition, secret.key.account, region), secret.id)
    return found if found is not None and found.primary == secret.key.region else None
