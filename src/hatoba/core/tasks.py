"""Background tasks that are never lost: kept alive, named, their failures logged and counted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from typing import Any, TypeVar

log = logging.getLogger(__name__)

ASK_AGAIN = 5.0  # seconds

T = TypeVar("T")


async def end(task: asyncio.Task[Any]) -> None:
    """Cancels it, and returns once it has ended. Again after a while: what it waits in may lose a cancellation, as
    `asyncio.wait_for` does until Python 3.12 (so we have `asyncio.timeout`), and libraries have it."""
    await _end(lambda: () if task.done() else (task,))


async def _end(running: Callable[[], Collection[asyncio.Task[Any]]]) -> None:
    while tasks := tuple(running()):
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=ASK_AGAIN)


async def whole(work: Coroutine[Any, Any, T]) -> T:
    """To its end, whoever gives up waiting for it; they are gone once it is. For what must not be cut short half-way,
    because nobody could tell then how far it came. What it raises is told, unless nobody is there to be told."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("given up, and failed: %s", error)
        raise


class TaskGroup:
    """Owns the background tasks of one component; `close` cancels and awaits them all."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[asyncio.Task[Any]] = set()
        self.failures = 0

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=f"{self._name}:{name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures += 1
            log.error("%s failed", task.get_name(), exc_info=error)

    def __len__(self) -> int:
        return len(self._tasks)

    async def close(self) -> None:
        """Cancels and awaits them all, also those that start meanwhile."""
        await _end(lambda: self._tasks)
