"""A secret's replica in another account: what may be done to it, and the doing.

The replica's account has made it for this one secret, with a policy that lets the primary's account write it. It is
written with the permissions of a role that was given for it, or of whoever changed the secret: they have to be allowed
to read the one (secret and key) and to accept replication for the other, at each time.

Source: Secrets Manager's API reference, "AssociateCrossAccountReplica", "CreateSecret".
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hatoba.core import arn as arns
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call, Door, Platform, Principal
from hatoba.gateway.needs import Need
from hatoba.services.secretsmanager import envelope, model
from hatoba.services.secretsmanager.model import Lent, Origin, StoredSecret, Version
from hatoba.services.secretsmanager.plan.names import named
from hatoba.store import Tx
from hatoba.store.store import View

ACCEPT = "secretsmanager:AcceptCrossAccountReplication"
SID = "AllowCrossAccountReplication"
SERVICE = "secretsmanager"
SESSION = "SecretsManagerReplication"
SHORTEST_SESSION = 900


class Who(NamedTuple):
    """With whose permissions a replica is written, and through which services."""

    principal: Principal
    via: tuple[str, ...]


def due(secret: StoredSecret, call: Call) -> StoredSecret:
    """The secret as it is written when it changes: its replica is to be written by whoever changes it."""
    lent = secret.lent
    if lent is None or lent.status == "Detached":
        return secret
    via = (*call.via, SERVICE)
    return replace(secret, lent=replace(lent, by=call.principal, via=via, status="InProgress", message=None))


def find_replica(view: View, primary: StoredSecret, arn: str) -> StoredSecret | None:
    """If it is (still) a replica of this secret."""
    replica = _by_arn(view, primary, arn)
    return replica if replica is not None and replica.origin is not None and replica.origin.arn == primary.arn else None


def _by_arn(view: View, secret: StoredSecret, arn: str) -> StoredSecret | None:
    try:
        wanted = named(secret.scope, arn)
    except AwsError:
        return None
    found = model.find_secret(view, wanted)
    return found if found is not None and found.arn == arn else None


def find_primary(view: View, replica: StoredSecret) -> StoredSecret | None:
    """If it (still) has this replica."""
    if replica.origin is None:
        return None
    primary = _by_arn(view, replica, replica.origin.arn)
    return primary if primary is not None and primary.lent is not None and primary.lent.arn == replica.arn else None


# --- the replica's policy


def policy(origin: Origin) -> str:
    """What a replica begins with."""
    primary = arns.parse(origin.arn)
    assert primary is not None
    statement = {
        "Sid": SID,
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{primary.partition}:iam::{primary.account}:root"},
        "Action": ACCEPT,
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def policy_without(text: str | None) -> str | None:
    """What is left of a replica's policy once it is none any more."""
    document: dict[str, Any] = json.loads(text) if text is not None else {}
    statements = document.get("Statement", [])
    given = statements if isinstance(statements, list) else [statements]
    left = [statement for statement in given if statement.get("Sid") != SID]
    return json.dumps({**document, "Statement": left}) if left else None


# --- the doing


async def who_writes(platform: Platform, primary: StoredSecret, lent: Lent) -> Who:
    """Raises what STS says where the role does not trust the service, or is not there."""
    if lent.role is None:
        assert lent.by is not None
        return Who(lent.by, lent.via)
    door = platform.door(primary.scope, SERVICE, source=primary.arn)
    found = await door.sts.assume_role(RoleArn=lent.role, RoleSessionName=SESSION, DurationSeconds=SHORTEST_SESSION)
    user = found["AssumedRoleUser"]
    principal = Principal(
        kind="role",
        account=primary.key.account,
        arn=user["Arn"],
        id=user["AssumedRoleId"],
        role=lent.role,
        access_key=found["Credentials"]["AccessKeyId"],
    )
    return Who(principal, (SERVICE,))


def check(platform: Platform, primary: StoredSecret, replica: StoredSecret, who: Who) -> None:
    """Raises AccessDeniedException."""
    call = Call(
        platform,
        scope=primary.scope,
        service=SERVICE,
        operation="AssociateCrossAccountReplica",
        principal=who.principal,
        request_id=platform.ids.uuid(),
        by=SERVICE,
        via=who.via,
    )
    call.demand(
        Need(action="secretsmanager:GetSecretValue", resource=primary.arn, policy=primary.policy),
        Need(action=ACCEPT, resource=replica.arn, policy=replica.policy),
    )


async def made(platform: Platform, primary: StoredSecret, replica: StoredSecret, who: Who) -> list[Version]:
    """The versions that the replica lacks. Raises what was refused."""
    check(platform, primary, replica, who)
    here, there = (_door(platform, one, who) for one in (primary, replica))
    lacking = [
        version
        for version in model.versions_of(platform.store, primary)
        if version.stages and version.has_value and not _has(platform.store, replica, version)
    ]
    return [await envelope.handed(here, there, primary, replica, version) for version in lacking]


def _door(platform: Platform, secret: StoredSecret, who: Who) -> Door:
    return platform.door(secret.scope, SERVICE, who.principal, via=who.via)


def _has(view: View, replica: StoredSecret, version: Version) -> bool:
    found = model.find_version(view, replica, version.name)
    return found is not None and found.has_value


def write(tx: Tx, primary: StoredSecret, replica: StoredSecret, versions: list[Version], now: float) -> None:
    """All of the replica in one transaction, by what the primary is now."""
    origin = Origin(arn=primary.arn, status="InSync")
    wanted = replace(replica, description=primary.description, origin=origin)
    stages = {name: labels for name, labels in model.stages_of(tx, primary).items() if labels}
    for version in versions:
        tx.write(model.versions, replace(version, stages=stages.get(version.name, ())))
    for version in model.versions_of(tx, replica):
        if version.name not in stages:
            tx.forget(model.versions, version.key)
    model.set_stages(tx, replica, stages)
    if versions or wanted != replica:
        tx.put(model.secrets, replace(wanted, changed=now))
