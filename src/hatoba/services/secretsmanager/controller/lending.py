"""Writes a secret's replica in another account, once after each change, with the permissions that go with it.

What was refused is told to both accounts and not tried again until the secret changes, or its owner associates the
replica anew: nobody's permissions are used for longer than for what they did.
"""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.core.errors import AwsError
from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.gateway.call import Platform
from hatoba.reconcile import Wake
from hatoba.services.secretsmanager import lending, model
from hatoba.services.secretsmanager.model import StoredSecret
from hatoba.store import Change


def _waiting(change: Change[StoredSecret]) -> list[Key]:
    lent = change.after.lent if change.after is not None else None
    return [change.key] if lent is not None and lent.status == "InProgress" else []


class Lender:
    """One key for each secret whose replica is to be written."""

    name = "secretsmanager.lender"
    wakes = (Wake(model.secrets, _waiting),)

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._store = platform.store

    def keys(self) -> Iterable[Key]:
        return [secret.key for secret in self._store.index(model.secrets, "waits", "lent")]

    async def reconcile(self, key: Key) -> float | None:
        secret = self._store.get(model.secrets, key)
        if secret is None or secret.lent is None or secret.lent.status != "InProgress":
            return None
        replica = lending.find_replica(self._store, secret, secret.lent.arn)
        if replica is None:
            self._note(secret, None, "The replica is not there any more.")
            return None
        try:
            who = await lending.who_writes(self._platform, secret, secret.lent)
            versions = await lending.made(self._platform, secret, replica, who)
        except AwsError as error:
            if error.status >= 500:
                raise
            self._note(secret, replica, error.message[:4096])
            return None
        with self._store.tx() as tx:
            now, there = tx.get(model.secrets, key), tx.get(model.secrets, replica.key)
            # Who changed it meanwhile has woken us again.
            if now == secret and there == replica:
                lending.write(tx, now, there, versions, self._platform.clock.now())
                tx.put(model.secrets, replace(now, lent=replace(secret.lent, status="InSync", by=None, via=())))
        return None if now == secret else self._platform.clock.now()

    def _note(self, secret: StoredSecret, replica: StoredSecret | None, message: str) -> None:
        """What kept it from being written, if that is still wanted."""
        assert secret.lent is not None
        with self._store.tx() as tx:
            if tx.get(model.secrets, secret.key) != secret:
                return
            lent = replace(secret.lent, status="Failed", message=message, by=None, via=())
            tx.put(model.secrets, replace(secret, lent=lent))
            there = tx.get(model.secrets, replica.key) if replica is not None else None
            if there is not None and there.origin is not None and there.origin.arn == secret.arn:
                tx.put(model.secrets, replace(there, origin=replace(there.origin, status="Failed", message=message)))
