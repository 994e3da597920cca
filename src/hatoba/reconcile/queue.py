"""A keyed serial queue: what is due, what runs, and what has to run once more. Pure; time is handed in.

A key is in at most one run at a time. Hints that arrive while it runs merge into one further run. A failed key waits
twice as long each time, up to a limit; a hint from outside does not shorten that wait, success resets it. A run that
lost against another writer is repeated at once, but one that always loses counts as failed. A key may rest after a run:
hints that come meanwhile merge into one run at the end of it.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_BACKOFF = 0.05  # seconds
LONGEST_BACKOFF = 30.0
CONFLICTS = 5  # in a row that are repeated at once


class KeyedQueue(Generic[K]):
    def __init__(self, first_backoff: float = FIRST_BACKOFF, longest_backoff: float = LONGEST_BACKOFF) -> None:
        self._first = first_backoff
        self._longest = longest_backoff
        self._ready: deque[K] = deque()
        self._queued: set[K] = set()  # in `_ready`
        self._running: set[K] = set()
        self._again: set[K] = set()  # hinted while running
        self._failures: dict[K, int] = {}
        self._conflicts: dict[K, int] = {}
        self._blocked: dict[K, float] = {}  # backing off, or at rest, until
        self._deadline: dict[K, float] = {}
        self._timers: list[tuple[float, int, K]] = []
        self._order = 0

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def idle(self) -> bool:
        """Nothing runs and nothing is ready (deadlines may lie ahead)."""
        return not self._ready and not self._running

    @property
    def failing(self) -> dict[K, int]:
        """Keys that back off, and how often they failed in a row."""
        return dict(self._failures)

    def hint(self, key: K) -> None:
        if key in self._running:
            self._again.add(key)
        elif key in self._blocked:
            self._at(key, self._blocked[key])
        elif key not in self._queued:
            self._queued.add(key)
            self._ready.append(key)

    def take(self) -> K | None:
        """The next key to run; it counts as running until `done` or `failed`."""
        if not self._ready:
            return None
        key = self._ready.popleft()
        self._queued.discard(key)
        self._running.add(key)
        self._deadline.pop(key, None)
        return key

    def done(self, key: K, again_at: float | None, rest_until: float | None = None) -> None:
        self._running.discard(key)
        self._failures.pop(key, None)
        self._conflicts.pop(key, None)
        if rest_until is not None:
            self._blocked[key] = rest_until
        if key in self._again:
            self._again.discard(key)
            self.hint(key)
        if again_at is not None:
            self._at(key, again_at)

    def conflicted(self, key: K, now: float) -> None:
        """Somebody wrote in between: decide again, from what is there now."""
        count = self._conflicts[key] = self._conflicts.get(key, 0) + 1
        if count > CONFLICTS:
            self.failed(key, now)
            return
        self._running.discard(key)
        self._again.discard(key)
        self.hint(key)

    def failed(self, key: K, now: float) -> float:
        """Backs off; the seconds until the next try."""
        self._running.discard(key)
        self._again.discard(key)
        count = self._failures.get(key, 0) + 1
        self._failures[key] = count
        delay = min(self._first * 2.0 ** min(count - 1, 60), self._longest)
        self._blocked[key] = now + delay
        self._at(key, now + delay)
        return delay

    def _at(self, key: K, when: float) -> None:
        known = self._deadline.get(key)
        if known is None or when < known:
            self._deadline[key] = when
            self._order += 1
            heapq.heappush(self._timers, (when, self._order, key))

    def next_deadline(self) -> float | None:
        while self._timers and self._deadline.get(self._timers[0][2]) != self._timers[0][0]:
            heapq.heappop(self._timers)  # overtaken by an earlier run
        return self._timers[0][0] if self._timers else None

    def advance(self, now: float) -> None:
        """Makes every key ready whose deadline has come."""
        while (when := self.next_deadline()) is not None and when <= now:
            _, _, key = heapq.heappop(self._timers)
            del self._deadline[key]
            if self._blocked.get(key, now) <= now:
                self._blocked.pop(key, None)
            self.hint(key)
