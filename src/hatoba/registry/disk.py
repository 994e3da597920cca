"""Work on the disk, beside the loop: a few threads, and what an error of the disk means.

A caller that is cancelled still waits for its work's end, so that nothing writes to a file after its lock is free.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from hatoba.core.errors import PortError
from hatoba.registry.problems import Problem

P = ParamSpec("P")
T = TypeVar("T")


class Disk:
    """`threads` is generous: several may wait in an fsync, and small reads should not queue behind them."""

    def __init__(self, threads: int = 16) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="registry-disk")

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
            raise translated(error) from error

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.wait(self.start(work, *args, **kwargs))

    def close(self) -> None:
        self._pool.shutdown()


def translated(error: OSError) -> Problem | PortError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem("NO_SPACE")
    return PortError(errno.errorcode.get(error.errno or 0, "EIO"), str(error))


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Makes a folder (and those above it) durably; nothing when it is there."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)
