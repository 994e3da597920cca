"""Deletion, with seven to thirty days to repent; or at once."""

from __future__ import annotations

from hatoba.aws.shapes import secretsmanager as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.secretsmanager import model
from hatoba.services.secretsmanager.api.room import find, secretsmanager
from hatoba.services.secretsmanager.model import StoredSecret
from hatoba.services.secretsmanager.plan.names import SUFFIX, named, secret_arn

DAY = 86400.0
LEAST, MOST = 7, 30  # days


@secretsmanager.operation
async def delete_secret(req: t.DeleteSecretRequest, call: Call) -> t.DeleteSecretResponse:
    force, days = req.get("ForceDeleteWithoutRecovery", False), req.get("RecoveryWindowInDays")
    if force and days is not None:
        raise t.InvalidParameterException(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
        )
    if days is not None and not LEAST <= days <= MOST:
        raise t.InvalidParameterException(
            f"The RecoveryWindowInDays value must be between {LEAST} and {MOST} days (inclusive)."
        )
    with call.tx() as tx:
        try:
            secret = find(tx, call, req["SecretId"])
        except t.ResourceNotFoundException:
            if not force:
                raise
            return _never_there(call, req["SecretId"])
        _check(secret, force=force)
        if force:
            model.delete_secret(tx, secret)
            return {"ARN": secret.arn, "Name": secret.id, "DeletionDate": call.now}
        when = call.now + (MOST if days is None else days) * DAY
        tx.put(model.secrets, replace(secret, deletion=when))
    return {"ARN": secret.arn, "Name": secret.id, "DeletionDate": when}


def _check(secret: StoredSecret, *, force: bool) -> None:
    if secret.origin is not None:
        raise t.InvalidRequestException(
            f"You can't delete cross-account replica secret {secret.id}: stop its replication first."
        )
    if secret.lent is not None and secret.lent.status != "Detached":
        raise t.InvalidRequestException(
            f"You can't delete secret {secret.id} that still has the cross-account replica {secret.lent.arn}: "
            "disassociate it first."
        )
    if secret.primary is not None:
        raise t.InvalidRequestException(
            "Operation not permitted on a replica secret. Call must be made in primary secret's region."
        )
    if secret.replicas:
        regions = ", ".join(replica.region for replica in secret.replicas)
        raise t.InvalidRequestException(
            f"You can't delete secret {secret.id} that still has replica regions [{regions}]"
        )
    if secret.deletion is not None and not force:
        raise t.InvalidRequestException(
            "You can't perform this operation on the secret because it was already scheduled for deletion."
        )


def _never_there(call: Call, text: str) -> t.DeleteSecretResponse:
    """Who wants a secret gone at once is told that it is, also when it never was."""
    name = named(call.scope, text).names[-1][0]
    return {"ARN": secret_arn(call.scope, name, call.ids.hex(SUFFIX)), "Name": name[:256], "DeletionDate": call.now}


@secretsmanager.operation
async def restore_secret(req: t.RestoreSecretRequest, call: Call) -> t.RestoreSecretResponse:
    with call.tx() as tx:
        secret = find(tx, call, req["SecretId"])
        if secret.deletion is not None:
            tx.put(model.secrets, replace(secret, deletion=None))
    return {"ARN": secret.arn, "Name": secret.id}
