"""What happens by itself: deleted events are cleared away, and those past their group's retention."""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.core.clock import Clock
from hatoba.core.keys import Key
from hatoba.reconcile import Wake
from hatoba.services.logs import model
from hatoba.services.logs.plan.intake import DAY
from hatoba.store import Store
from hatoba.streams.port import Streams

RETENTION_PERIOD = 3600.0  # seconds: AWS promises three days


class Reaper:
    """Clears away the events of deleted streams: one key for each. Doing it twice does no harm."""

    name = "logs.reaper"
    wakes = (Wake(model.doomed, lambda change: [change.key] if change.after is not None else []),)

    def __init__(self, store: Store, streams: Streams) -> None:
        self._store = store
        self._streams = streams

    def keys(self) -> Iterable[Key]:
        return [record.key for record in self._store.all(model.doomed)]

    async def reconcile(self, key: Key) -> float | None:
        if self._store.get(model.doomed, key) is None:
            return None
        await self._streams.delete(key.id)
        with self._store.tx() as tx:
            tx.forget(model.doomed, key)
        return None


class Retention:
    """Lets go of what is too old: one key for each group. Time alone decides what that is, so nothing is recorded; that
    a group was looked at lately is only remembered to spare the disk."""

    name = "logs.retention"
    wakes = (Wake(model.groups, lambda change: [change.key]),)

    def __init__(self, store: Store, streams: Streams, clock: Clock) -> None:
        self._store = store
        self._streams = streams
        self._clock = clock
        self._looked: dict[Key, tuple[int, float]] = {}  # with which retention, and when

    def keys(self) -> Iterable[Key]:
        return [group.key for group in self._store.all(model.groups) if group.retention is not None]

    async def reconcile(self, key: Key) -> float | None:
        group = self._store.get(model.groups, key)
        if group is None or group.retention is None:
            self._looked.pop(key, None)
            return None
        now = self._clock.now()
        retention, looked = self._looked.get(key, (None, 0.0))
        if retention == group.retention and now < looked + RETENTION_PERIOD:
            return looked + RETENTION_PERIOD
        before = int(now * 1000) - group.retention * DAY
        for stream in model.streams_of(self._store, group.scope, group.id):
            await self._streams.expire(stream.events, before)
        self._looked[key] = group.retention, now
        return now + RETENTION_PERIOD
