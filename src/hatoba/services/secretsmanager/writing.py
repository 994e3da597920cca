"""A new version of a secret, by whichever operation: with its value encrypted, its labels moved, old ones cleared away.

A version's id is the client's token, which makes it idempotent: the same value again is nothing new, another one is
refused.
"""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.aws.shapes import secretsmanager as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.secretsmanager import envelope, model
from hatoba.services.secretsmanager.envelope import Value
from hatoba.services.secretsmanager.model import StoredSecret, Version
from hatoba.services.secretsmanager.plan import stages
from hatoba.store import Conflict, Tx

MOST = 100  # versions, but for those of the last day
DAY = 86400.0


async def same(call: Call, secret: StoredSecret, token: str, value: Value) -> Version | None:
    """The version that has the token already, with the same value. Raises ResourceExistsException for another value."""
    version = model.find_version(call.store, secret, token)
    if version is None or not version.has_value:
        return None
    if await envelope.decrypted(envelope.asking(call, secret), secret, version) != value:
        raise in_use(secret, token)
    return version


def in_use(secret: StoredSecret, token: str) -> t.ResourceExistsException:
    return t.ResourceExistsException(
        f"You can't use ClientRequestToken {token} because that value is already in use for a version of secret "
        f"{secret.arn}."
    )


def put_version(tx: Tx, secret: StoredSecret, version: Version, labels: Iterable[str]) -> Version:
    """Writes a new version, or the value of one that a rotation has announced."""
    there = model.find_version(tx, secret, version.name)
    if there is not None and there.has_value:
        raise Conflict(f"the same request for {secret.id} was carried out meanwhile")
    now = stages.attach(model.stages_of(tx, secret), version.name, labels)
    _clear_away(tx, secret, version.created)
    model.set_stages(tx, secret, {name: labels for name, labels in now.items() if name != version.name})
    before = there.version if there is not None else 0
    return tx.put(model.versions, replace(version, version=before, stages=now[version.name]))


def _clear_away(tx: Tx, secret: StoredSecret, now: float) -> None:
    """The oldest versions that have no label, beyond a hundred; none of the last day. Raises LimitExceededException."""
    rows = model.versions_of(tx, secret)
    if len(rows) < MOST:
        return
    old = sorted((row for row in rows if not row.stages and row.created < now - DAY), key=lambda row: row.created)
    gone = old[: len(rows) - MOST + 1]
    if not gone:
        raise t.LimitExceededException(
            f"The secret has {len(rows)} versions: no more than {MOST} are kept, and those of the last 24 hours are "
            "not removed. Update the secret less often."
        )
    for row in gone:
        tx.forget(model.versions, row.key)


def changed(tx: Tx, secret: StoredSecret, now: float) -> StoredSecret:
    return tx.put(model.secrets, replace(secret, changed=now))


async def encrypted_again(call: Call, secret: StoredSecret) -> list[Version]:
    """The versions that have labels, under the secret's present key."""
    aws = envelope.asking(call, secret)
    return [
        replace(
            await envelope.encrypted(
                aws, secret, version.name, await envelope.decrypted(aws, secret, version), now=version.created
            ),
            version=version.version,
            stages=version.stages,
            accessed=version.accessed,
        )
        for version in model.versions_of(call.store, secret)
        if version.stages and version.has_value
    ]
