"""Forgets where the logs of a load balancer went, a day after its end: by then the last of them has arrived."""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.core.keys import Key
from hatoba.gateway.call import Platform
from hatoba.reconcile import Wake
from hatoba.services.elbv2.model.log_way import KEPT, log_ways


class LogWayController:
    name = "elbv2.log_ways"

    def __init__(self, platform: Platform) -> None:
        self._store = platform.store
        self._clock = platform.clock
        self.wakes: tuple[Wake, ...] = (Wake(log_ways, lambda change: (change.key,)),)

    def keys(self) -> Iterable[Key]:
        return [way.key for way in self._store.all(log_ways)]

    async def reconcile(self, key: Key) -> float | None:
        way = self._store.get(log_ways, key)
        if way is None or way.ended is None:
            return None
        over = way.ended + KEPT
        if self._clock.now() < over:
            return over
        with self._store.tx() as tx:
            tx.forget(log_ways, key)
        return None
