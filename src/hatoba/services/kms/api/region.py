"""Multi-region keys: the same key, under the same id, in several regions. One is the primary, the others follow it."""

from __future__ import annotations

from hatoba.aws.shapes import kms as t
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import set_tags
from hatoba.services.kms import model, views
from hatoba.services.kms.access import lockout
from hatoba.services.kms.api.room import kms, own_key
from hatoba.services.kms.api.tag import checked as checked_tags
from hatoba.services.kms.model import KmsKey
from hatoba.services.kms.plan import policies, states
from hatoba.services.kms.plan.naming import key_arn
from hatoba.store import Tx


def _primary(call: Call, key_id: str) -> KmsKey:
    key = own_key(call, key_id)
    states.check_usable(key.arn, key.state)
    if key.primary is None:
        raise states.unsupported(key.arn, "is not a multi-Region key.")
    if key.primary != key.key.region:
        raise states.unsupported(key.arn, "is a replica key, not the primary key.")
    return key


@kms.operation
async def replicate_key(req: t.ReplicateKeyRequest, call: Call) -> t.ReplicateKeyResponse:
    key, region = _primary(call, req["KeyId"]), req["ReplicaRegion"]
    policy, tags = req.get("Policy") or policies.default(call.scope), checked_tags({}, req.get("Tags", []))
    policies.check(policy)
    if region == key.key.region or region in key.replicas:
        raise t.AlreadyExistsException(f"The key {key.id} exists already in the region {region}.")
    scope = Scope(call.scope.partition, call.scope.account, region)
    lockout.check(call, req, key_arn(scope, key.id))
    imported = key.origin == "EXTERNAL"
    replica = replace(
        key,
        key=model.keys.key(scope, key.id),
        version=0,
        created=call.now,
        description=req.get("Description", ""),
        policy=policy,
        state="PendingImport" if imported else "Enabled",
        material=() if imported else key.material,
        rotation=None,
    )
    with call.tx() as tx:
        replica = tx.put(model.keys, replica)
        set_tags(tx, scope, replica.arn, tags)
        regions = tuple(sorted((*key.replicas, region)))
        _tell(tx, replica, primary=key.key.region, replicas=regions)
    shown = call.store.get(model.keys, replica.key)
    assert shown is not None
    return {
        "ReplicaKeyMetadata": views.metadata(shown),
        "ReplicaPolicy": policy,
        "ReplicaTags": [{"TagKey": name, "TagValue": value} for name, value in tags.items()],
    }


@kms.operation
async def update_primary_region(req: t.UpdatePrimaryRegionRequest, call: Call) -> None:
    key, region = _primary(call, req["KeyId"]), req["PrimaryRegion"]
    if region not in key.replicas:
        raise t.NotFoundException(f"The key {key.id} has no replica in the region {region}.")
    with call.tx() as tx:
        # The schedule of its rotation moves along: it is the primary's.
        tx.put(model.keys, replace(key, rotation=None))
        there = tx.find(model.keys, Scope(call.scope.partition, call.scope.account, region), key.id)
        assert there is not None, region  # `replicas` and the records are written together
        states.check_usable(there.arn, there.state)
        tx.put(model.keys, replace(there, rotation=key.rotation))
        others = (each for each in (*key.replicas, key.key.region) if each != region)
        _tell(tx, there, primary=region, replicas=tuple(sorted(others)))


def _tell(tx: Tx, key: KmsKey, *, primary: str, replicas: tuple[str, ...]) -> None:
    """All of the family know who its members are."""
    for each in model.family(tx, key):
        tx.put(model.keys, replace(each, primary=primary, replicas=replicas))
