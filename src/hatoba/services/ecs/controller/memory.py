"""Forgets stopped tasks, once they have been remembered for as long as the operator says.

One key stands for all of them: however many are remembered, looking after them costs nothing until one is due.
"""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.core.keys import Key
from hatoba.gateway.call import Platform
from hatoba.gateway.tags import forget_tags
from hatoba.reconcile import Wake
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import Task, minute, tasks
from hatoba.store import Change

ALL = Key("", "", "", tasks.name, "stopped")
MOST = 500  # forgotten in one transaction


class MemoryController:
    name = "ecs.memory"

    def __init__(self, platform: Platform, settings: Settings) -> None:
        self._platform = platform
        self._store = platform.store
        self._kept = settings.stopped_tasks_kept
        self._from: int | None = None  # the first minute in which a remembered task may have stopped
        self.wakes: tuple[Wake, ...] = (Wake(tasks, self._first),)

    def keys(self) -> Iterable[Key]:
        return (ALL,)

    def _first(self, change: Change[Task]) -> Iterable[Key]:
        """Only the first one to stop is news: from then on there is a deadline."""
        stopped = change.after is not None and change.after.status == "STOPPED"
        return (ALL,) if stopped and self._from is None else ()

    async def reconcile(self, key: Key) -> float | None:
        due = minute(self._platform.clock.now() - self._kept)
        if self._from is None:
            ends = (task.stopped_at for task in self._store.all(tasks))
            self._from = min((minute(at) for at in ends if at is not None), default=None)
        if self._from is None:
            return None
        while self._from < due:
            if self._forget(self._from):
                return self._platform.clock.now()  # more of this minute
            self._from += 1
        return (self._from + 1) * 60.0 + self._kept

    def _forget(self, when: int) -> bool:
        """Forgets tasks that stopped in this minute; True when some are left."""
        found = self._store.index(tasks, "stopped", when)
        if found:
            with self._store.tx() as tx:
                for task in found[:MOST]:
                    tx.forget(tasks, task.key)
                    forget_tags(tx, task.scope, task.arn)
        return len(found) > MOST
