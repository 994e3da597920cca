"""An event loop whose time jumps to the next timer whenever nothing else is left to do.

Seconds of waiting cost nothing, and the same seed gives the same run: threads do not exist here (`to_thread` runs its
function at once), so nothing but the program decides what happens next. A program that waits for something that can
never come is told so, rather than hang.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlock(Exception):
    """Everybody waits, and there is no timer that could wake anybody."""


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        events = super().select(0)
        if events or timeout == 0:
            return events
        if timeout is None:
            raise Deadlock
        self.now += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        async def at_once() -> T:
            return func(*args)

        return self.create_task(at_once())


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs to the end on virtual time. Time starts at 0."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
