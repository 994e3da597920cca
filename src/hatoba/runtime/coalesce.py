"""Work that several ask for at once is done once.

Each asker waits for the same task; when the last one has gone away the task is cancelled, so that nothing is fetched
for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Coalesce(Generic[T]):
    def __init__(self) -> None:
        self._running: dict[Hashable, tuple[asyncio.Task[T], list[None]]] = {}

    async def run(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result (or error) of `work`, started only if nobody is at it for this key already."""
        known = self._running.get(key)
        if known is None:
            task = asyncio.ensure_future(work())
            known = (task, [])
            self._running[key] = known
            task.add_done_callback(lambda _: self._running.pop(key, None))
        task, askers = known
        askers.append(None)
        try:
            return await asyncio.shield(task)
        finally:
            askers.pop()
            if not askers and not task.done():
                self._running.pop(key, None)  # a new asker starts anew
                task.cancel()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._running
