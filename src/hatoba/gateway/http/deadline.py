"""A deadline that is moved often and reached rarely: one timer, looked at again when it fires.

Setting it is an assignment while the timer that runs already fires earlier, which is why it can be moved with every
request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")


class Deadline(Generic[K]):
    """Calls `reached(kind)` unless it is moved or cleared before."""

    def __init__(self, loop: asyncio.AbstractEventLoop, reached: Callable[[K], None]) -> None:
        self._loop = loop
        self._reached = reached
        self._timer: asyncio.TimerHandle | None = None
        self._fires = 0.0
        self._at = 0.0
        self.kind: K | None = None

    def set(self, kind: K, seconds: float) -> None:
        self.kind = kind
        self._at = self._loop.time() + seconds
        if self._timer is None or self._fires > self._at:
            self._arm()

    def clear(self) -> None:
        """Nothing is due. The timer may still fire once, for nothing."""
        self.kind = None

    def close(self) -> None:
        self.kind = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fires = self._at
        self._timer = self._loop.call_at(self._at, self._fire)

    def _fire(self) -> None:
        self._timer = None
        kind = self.kind
        if kind is None:
            return
        if self._at > self._loop.time():
            self._arm()
            return
        self.kind = None
        self._reached(kind)
