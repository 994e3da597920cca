"""Waiting for what is to come: one way for tests, benchmarks and examples.

A condition that comes costs no patience, so there is plenty of it: a machine may stand still for seconds, and others
may have its processors for longer. What has to be short is the wait for something that is *not* to come, which is paid
for each time. It is counted in moments, not in seconds: while the machine stands still, no moment passes (`heard`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 60.0  # seconds
MOMENT = 0.01  # seconds
SILENCE = 25  # moments; where nothing is lost and nobody waits, an answer takes well under one


def eventually(check: Callable[[], T], seconds: float = PATIENCE, pause: float = 0.05) -> T:
    """The first true answer of `check`; AssertionError when none comes in time. The last look is after that time."""
    deadline = time.monotonic() + seconds
    while True:
        late = time.monotonic() > deadline
        found = check()
        if found:
            return found
        if late:
            raise AssertionError(f"not within {seconds:.0f} s; the last answer was {found!r}")
        time.sleep(pause)


async def until(check: Callable[[], T], seconds: float = PATIENCE, pause: float = 0.02) -> T:
    """The same in a loop, for what gives no sign when it happens."""
    deadline = time.monotonic() + seconds
    while True:
        late = time.monotonic() > deadline
        found = check()
        if found:
            return found
        if late:
            raise AssertionError(f"not within {seconds:.0f} s; the last answer was {found!r}")
        await asyncio.sleep(pause)


async def heard(answer: Awaitable[T]) -> T:
    """What comes; TimeoutError after so many moments of silence. For packets, which are dropped without a word."""
    waiting = asyncio.ensure_future(answer)
    try:
        for _ in range(SILENCE):
            await asyncio.wait([waiting], timeout=MOMENT)
            if waiting.done():
                return waiting.result()
        raise TimeoutError
    finally:
        waiting.cancel()
        await asyncio.wait([waiting])
