"""containerd's mount namespace, entered by threads of ours: to see and make what only its containers shall see.

A thread goes back after each piece of work. Otherwise it would hold the namespace, with all mounts and loop devices
in it, after containerd and its containers have ended. There are a few: unmounting waits for the kernel, and a task that
starts should not wait with it.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hatoba.core.errors import PortError
from hatoba.runtime.containerd import syscalls
from hatoba.runtime.failures import Failure, failure

T = TypeVar("T")
_THREADS = 4


class MountSpace:
    """`pid` is containerd's, set by whoever starts it."""

    def __init__(self) -> None:
        self.pid = 0
        self._threads = ThreadPoolExecutor(
            _THREADS, thread_name_prefix="mounts", initializer=syscalls.leave_shared_root
        )

    @property
    def path(self) -> str:
        return f"/proc/{self.pid}/ns/mnt"

    @property
    def identity(self) -> int:
        """Tells one namespace from another."""
        try:
            return os.stat(self.path).st_ino
        except OSError as error:
            raise _away() from error

    async def run(self, act: Callable[[], T]) -> T:
        """Blocking work, short."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._inside, act)

    def _inside(self, act: Callable[[], T]) -> T:
        try:
            inside = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise _away() from error
        home = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        try:
            syscalls.enter(inside)
            try:
                return act()
            finally:
                syscalls.enter(home)
        except OSError as error:
            raise translate(error) from error
        finally:
            os.close(inside)
            os.close(home)

    def close(self) -> None:
        self._threads.shutdown(wait=False)


def translate(error: OSError) -> PortError:
    code = Failure.DISK_FULL if error.errno == errno.ENOSPC else Failure.INTERNAL
    return failure(code, f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror))


def _away() -> PortError:
    return failure(Failure.UNAVAILABLE, "containerd is away")
