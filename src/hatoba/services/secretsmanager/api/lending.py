"""Replicas in other accounts: associated, given up. The controller keeps them in step (`lending`)."""

from __future__ import annotations

from hatoba.aws.shapes import organizations as to
from hatoba.aws.shapes import secretsmanager as t
from hatoba.core import arn as arns
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.secretsmanager import lending, model
from hatoba.services.secretsmanager.api.room import changeable, secretsmanager, still
from hatoba.services.secretsmanager.envelope import DEFAULT_KEY
from hatoba.services.secretsmanager.model import Lent, Origin, StoredSecret

NOT_WITH = ("SecretString", "SecretBinary", "Description", "AddReplicaRegions", "Type")


def origin_of(req: t.CreateSecretRequest, call: Call) -> Origin | None:
    """Of a new secret that is to be a replica. Raises InvalidParameterException."""
    text = req.get("CrossAccountPrimaryARN")
    if text is None:
        return None
    unfit = [name for name in NOT_WITH if name in req]
    if unfit:
        raise t.InvalidParameterException(f"You can't specify {unfit[0]} for a cross-account replica secret.")
    parsed = arns.parse(text)
    if parsed is None or parsed.service != "secretsmanager" or not parsed.resource.startswith("secret:"):
        raise t.InvalidParameterException("CrossAccountPrimaryARN must be the ARN of a secret.")
    if (parsed.partition, parsed.region) != (call.scope.partition, call.scope.region):
        raise t.InvalidParameterException("The primary secret must be in the same Region and partition.")
    if parsed.account == call.scope.account:
        raise t.InvalidParameterException("The primary secret must be in another account.")
    key = req.get("KmsKeyId") or DEFAULT_KEY
    if key == DEFAULT_KEY or key.endswith(f":{DEFAULT_KEY}"):
        raise t.InvalidParameterException("A cross-account replica secret must have a customer managed KMS key.")
    return Origin(arn=text)


@secretsmanager.operation
async def associate_cross_account_replica(
    req: t.AssociateCrossAccountReplicaRequest, call: Call
) -> t.AssociateCrossAccountReplicaResponse:
    """Written at once; where that fails, neither secret changes."""
    secret = _own(call, changeable(call.store, call, req["SecretId"]))
    replica = _replica(call, secret, req["CrossAccountReplicaARN"])
    if secret.lent is not None and secret.lent.status != "Detached" and secret.lent.arn != replica.arn:
        raise t.LimitExceededException(f"The secret has a cross-account replica already: {secret.lent.arn}.")
    role = _role(call, req.get("ReplicationRoleARN"))
    if req.get("ReplicaRestriction", "SameOrg") == "SameOrg":
        await _check_organization(call, secret, replica)
    via = (*call.via, lending.SERVICE)
    lent = Lent(arn=replica.arn, role=role, by=call.principal, via=via)
    before, who = secret.version, await lending.who_writes(call.platform, secret, lent)
    versions = await lending.made(call.platform, secret, replica, who)
    with call.tx() as tx:
        secret = still(tx, call, secret)
        there = tx.get(model.secrets, replica.key)
        if there is None or lending.find_replica(tx, secret, replica.arn) is None:
            raise _no_replica(secret)
        lending.write(tx, secret, there, versions, call.now)
        if secret.version == before:  # else the controller writes what came meanwhile
            lent = replace(lent, by=None, via=(), status="InSync")
        secret = tx.put(model.secrets, replace(secret, lent=lent))
    return {"ARN": secret.arn, "CrossAccountReplicaARN": replica.arn, "ReplicationStatus": lent.status}


def _own(call: Call, secret: StoredSecret) -> StoredSecret:
    if secret.key.account != call.scope.account:
        raise t.InvalidRequestException("You must call this operation from the account that owns the primary secret.")
    return secret


def _replica(call: Call, secret: StoredSecret, arn: str) -> StoredSecret:
    parsed = arns.parse(arn)
    if parsed is None or parsed.service != "secretsmanager" or parsed.account == secret.key.account:
        raise t.InvalidParameterException("CrossAccountReplicaARN must be the ARN of a secret in another account.")
    replica = lending.find_replica(call.store, secret, arn)
    if replica is None or replica.deletion is not None or replica.key.region != secret.key.region:
        raise _no_replica(secret)
    return replica


def _no_replica(secret: StoredSecret) -> t.InvalidRequestException:
    return t.InvalidRequestException(
        f"The replica secret must have been created with CrossAccountPrimaryARN {secret.arn}, in the same Region."
    )


def _role(call: Call, role: str | None) -> str | None:
    parsed = arns.parse(role) if role is not None else None
    if role is not None and (
        parsed is None
        or parsed.service != "iam"
        or parsed.account != call.scope.account
        or "role/" not in parsed.resource
    ):
        raise t.InvalidParameterException("ReplicationRoleARN must be the ARN of a role in the primary's account.")
    return role


async def _check_organization(call: Call, secret: StoredSecret, replica: StoredSecret) -> None:
    ours, theirs = await _organization(call, secret.scope), await _organization(call, replica.scope)
    if ours is None or ours != theirs:
        raise t.InvalidRequestException(
            "The replica account is not in the same organization: ReplicaRestriction SameOrg, the default, demands it."
        )


async def _organization(call: Call, scope: Scope) -> str | None:
    try:
        found = await call.platform.door(scope, lending.SERVICE).organizations.describe_organization()
    except to.AWSOrganizationsNotInUseException:
        return None
    id_: str = found["Organization"]["Id"]
    return id_


@secretsmanager.operation
async def disassociate_cross_account_replica(
    req: t.DisassociateCrossAccountReplicaRequest, call: Call
) -> t.DisassociateCrossAccountReplicaResponse:
    """The replica stays where it is, as it is."""
    with call.tx() as tx:
        secret = _own(call, changeable(tx, call, req["SecretId"]))
        if secret.lent is None or secret.lent.arn != req["CrossAccountReplicaARN"]:
            raise t.InvalidRequestException("The secret has no such cross-account replica.")
        replica = lending.find_replica(tx, secret, secret.lent.arn)
        if replica is not None and replica.origin is not None:
            tx.put(model.secrets, replace(replica, origin=Origin(arn=secret.arn, status="Detached")))
        secret = tx.put(model.secrets, replace(secret, lent=None))
    return {"ARN": secret.arn, "CrossAccountReplicaARN": req["CrossAccountReplicaARN"]}
