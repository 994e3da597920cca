"""Work on the disk, beside the loop: a few threads, and what an error of the disk means.

A caller that is cancelled still waits for its work's end: nothing writes to a file that has been given up, or after its
lock is free.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Disk:
    """`threads` is generous: several may wait in an fsync, and small reads should not queue behind them.

    `translated`: what an error of the operating system is to those who asked.
    """

    def __init__(self, name: str, translated: Callable[[OSError], Exception], threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._translated = translated

    def start(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Begins work that `wait` collects: for pipelines. Every future that was started must be waited for."""
        return asyncio.get_running_loop().run_in_executor(self._pool, lambda: work(*args, **kwargs))

    async def wait(self, future: asyncio.Future[T]) -> T:
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            while not future.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait({future})
            if not future.cancelled():
                future.exception()  # seen, so that it is not reported as forgotten
            raise
        except OSError as error:
            raise self._translated(error) from error

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.wait(self.start(work, *args, **kwargs))

    def close(self) -> None:
        self._pool.shutdown()
