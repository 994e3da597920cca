"""The feed: committed changes, in commit order, once they are durable.

Subscribers are woken synchronously and must not block: they put keys into queues. What they are handed is a hint that
carries the key; whoever acts on it reads the store afresh.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Generic, NamedTuple, TypeVar

from hatoba.core.keys import Key
from hatoba.core.records import Record
from hatoba.store.tables import Table

log = logging.getLogger(__name__)
R = TypeVar("R", bound=Record)


class Change(NamedTuple, Generic[R]):
    """One record's change in one transaction: `before` is None for a new record, `after` for a forgotten one."""

    table: Table[R]
    key: Key
    before: R | None
    after: R | None
    seq: int


Subscriber = Callable[[Change[Any]], None]


class Feed:
    def __init__(self) -> None:
        self._subscribers: defaultdict[str, list[Subscriber]] = defaultdict(list)
        self.failures = 0

    def subscribe(self, table: Table[R], subscriber: Callable[[Change[R]], None]) -> Callable[[], None]:
        """Calls `subscriber` for every durable change of `table`; returns a function that ends it."""
        subscribers = self._subscribers[table.name]
        subscribers.append(subscriber)
        return lambda: subscribers.remove(subscriber)

    def publish(self, changes: Iterable[Change[Any]]) -> None:
        for change in changes:
            for subscriber in tuple(self._subscribers.get(change.table.name, ())):
                try:
                    subscriber(change)
                except Exception:  # one that fails must not keep the others, and every answer, waiting
                    self.failures += 1
                    log.exception("a subscriber failed on a change of %s %s", change.table.name, change.key.id)
