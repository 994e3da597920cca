"""Following: new events handed to whoever subscribed, as they become durable."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from hatoba.streams.port import Event, Located

QUEUED = 10_000  # events that a slow reader may lag behind


class Tail:
    """One subscription. What a reader is too slow for is counted in `missed`: it can be read from the streams."""

    def __init__(self, wants: Callable[[str], bool], closed: Callable[[Tail], None]) -> None:
        self.wants = wants
        self.missed = 0
        self._closed = closed
        self._queue: deque[Located] = deque()
        self._ready = asyncio.Event()
        self._ended = False

    def put(self, stream: str, events: list[Event]) -> None:
        room = QUEUED - len(self._queue)
        self.missed += max(0, len(events) - room)
        self._queue.extend(Located(stream, event) for event in events[: max(0, room)])
        self._ready.set()

    async def __aiter__(self) -> AsyncIterator[list[Located]]:
        while True:
            await self._ready.wait()
            self._ready.clear()
            if self._queue:
                taken = list(self._queue)
                self._queue.clear()
                yield taken
            if self._ended:
                return

    def close(self) -> None:
        """Ends the iteration, also one that waits."""
        self._ended = True
        self._ready.set()
        self._closed(self)


class Tails:
    """All subscriptions."""

    def __init__(self) -> None:
        self._tails: set[Tail] = set()

    def subscribe(self, wants: Callable[[str], bool]) -> Tail:
        tail = Tail(wants, self._tails.discard)
        self._tails.add(tail)
        return tail

    def publish(self, stream: str, events: list[Event]) -> None:
        for tail in self._tails:
            if tail.wants(stream):
                tail.put(stream, events)

    def close(self) -> None:
        for tail in list(self._tails):
            tail.close()
