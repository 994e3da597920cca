"""Secrets whose time to be restored is over are gone for good."""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.core.clock import Clock
from hatoba.core.keys import Key
from hatoba.reconcile import Wake
from hatoba.services.secretsmanager import model
from hatoba.store import Store


class Deleter:
    """One key for each secret that is to be deleted."""

    name = "secretsmanager.deleter"
    wakes = (
        Wake(model.secrets, lambda change: [change.key] if change.after and change.after.deletion is not None else []),
    )

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def keys(self) -> Iterable[Key]:
        return [secret.key for secret in self._store.index(model.secrets, "waits", "deletion")]

    async def reconcile(self, key: Key) -> float | None:
        secret = self._store.get(model.secrets, key)
        if secret is None or secret.deletion is None:
            return None
        if secret.deletion > self._clock.now():
            return secret.deletion
        with self._store.tx() as tx:
            model.delete_secret(tx, secret)
        return None
