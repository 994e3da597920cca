"""Work in threads of its own: bounded, in order, its results and failures those of the one who asked."""

from __future__ import annotations

import asyncio
import threading

import pytest

from hatoba.core.threads import Threads


async def test_results_and_failures_come_back() -> None:
    threads = Threads("test", 1)
    assert await threads.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 7, 0)


async def test_no_more_at_once_than_said_and_the_others_do_not_wait_for_them() -> None:
    few, others = Threads("few", 2), Threads("others", 1)
    gate, lock, running, most = threading.Event(), threading.Lock(), [0], [0]

    def work() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        gate.wait(10)
        with lock:
            running[0] -= 1

    waiting = [asyncio.create_task(few.run(work)) for _ in range(6)]
    assert await others.run(abs, -1) == 1
    gate.set()
    await asyncio.gather(*waiting)
    assert most == [2]
