"""What time does to keys: those that were to be deleted are, material that expires goes, others get new material.

One key for each key that waits for something; the deadlines are in the records.
"""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.core.clock import Clock
from hatoba.core.ids import Ids
from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.reconcile import Wake
from hatoba.services.kms import model, rotating
from hatoba.services.kms.model import DAY, KmsKey
from hatoba.store import Store, Tx


class Keeper:
    """Carries out what is due for a key, and says when to look again."""

    name = "kms.keeper"
    wakes = (Wake(model.keys, lambda change: [change.key] if change.after and model.due(change.after) else []),)

    def __init__(self, store: Store, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    def keys(self) -> Iterable[Key]:
        return [key.key for key in self._store.index(model.keys, "waits", True)]

    async def reconcile(self, key: Key) -> float | None:
        found, now = self._store.get(model.keys, key), self._clock.now()
        if found is None:
            return None
        when = model.due(found)
        if when is None or when > now:
            return when
        with self._store.tx() as tx:
            self._carry_out(tx, found, now)
        after = self._store.get(model.keys, key)
        return model.due(after) if after is not None else None

    def _carry_out(self, tx: Tx, key: KmsKey, now: float) -> None:
        if key.deletion is not None:
            _delete(tx, key, now)
        elif key.expires is not None and key.expires <= now:
            model.take_material(tx, key, lambda each: each.valid_to is not None and each.valid_to <= now)
        else:
            rotating.rotate(tx, key, self._ids, kind="AUTOMATIC", now=now)


def _delete(tx: Tx, key: KmsKey, now: float) -> None:
    """A replica that goes is the last thing that its primary may have waited for."""
    model.delete_key(tx, key)
    if key.primary is None:
        return
    for each in model.family(tx, key):
        left = tuple(region for region in each.replicas if region != key.key.region)
        each = replace(each, replicas=left)
        if each.state == "PendingReplicaDeletion" and not left and each.primary == each.key.region:
            window = each.window or 0
            each = replace(each, state="PendingDeletion", deletion=now + window * DAY)
        tx.put(model.keys, each)
