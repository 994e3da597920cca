"""Events to everyone who listens, from the moment they began to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from hatoba.runtime.base import Event


class Feed:
    """A listener that does not read keeps its events; there is one per exit, so that is its own business."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[Event | None]] = set()

    def publish(self, event: Event) -> None:
        for queue in self._listeners:
            queue.put_nowait(event)

    def listen(self) -> AsyncIterator[Event]:
        """Registered at the call, not at the first step: what happens in between is not missed."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._listeners.add(queue)
        return self._read(queue)

    async def _read(self, queue: asyncio.Queue[Event | None]) -> AsyncIterator[Event]:
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._listeners.discard(queue)

    def close(self) -> None:
        for queue in self._listeners:
            queue.put_nowait(None)
