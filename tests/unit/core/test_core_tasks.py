"""Background tasks end with their owner, whatever they are doing."""

from __future__ import annotations

import asyncio
import contextlib

from hatoba.core.tasks import TaskGroup, end, whole
from hatoba.core.virtual import run


async def stubborn() -> None:
    """Loses its first cancellation."""
    for _ in range(2):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)


def test_a_task_that_loses_its_first_cancellation_ends_all_the_same() -> None:
    async def main() -> None:
        group = TaskGroup("test")
        task = group.start(stubborn(), "stubborn")
        await asyncio.sleep(0)
        await group.close()
        assert task.done()
        assert len(group) == 0

    run(main())


def test_so_does_one_that_is_ended_alone() -> None:
    async def main() -> None:
        task = asyncio.ensure_future(stubborn())
        await asyncio.sleep(0)
        await end(task)
        assert task.done()

    run(main())


def test_what_starts_while_closing_is_ended_too() -> None:
    async def main() -> None:
        group = TaskGroup("test")

        async def heir() -> None:
            await asyncio.sleep(3600)

        async def parent() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                group.start(heir(), "heir")

        group.start(parent(), "parent")
        await asyncio.sleep(0)
        await group.close()
        assert len(group) == 0
        assert len(asyncio.all_tasks()) == 1

    run(main())


def test_a_failure_is_counted_and_logged() -> None:
    async def main() -> None:
        group = TaskGroup("test")

        async def fails() -> None:
            raise ValueError

        group.start(fails(), "fails")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (group.failures, len(group)) == (1, 0)
        await group.close()

    run(main())


def test_what_is_to_be_whole_comes_to_its_end_before_who_gives_up_is_gone() -> None:
    async def main() -> None:
        half, rest, told = asyncio.Event(), asyncio.Event(), list[str]()

        async def work() -> str:
            half.set()
            await rest.wait()
            told.append("done")
            return "done"

        waiting = asyncio.ensure_future(whole(work()))
        await half.wait()
        waiting.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        rest.set()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        assert waiting.cancelled()
        assert told == ["done"]
        assert await whole(work()) == "done"

    run(main())


def test_whoever_gives_up_is_not_told_what_went_wrong_after_that() -> None:
    async def main() -> None:
        async def work() -> None:
            await asyncio.sleep(1)
            raise ValueError

        waiting = asyncio.ensure_future(whole(work()))
        await asyncio.sleep(0)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        assert waiting.cancelled()

    run(main())
