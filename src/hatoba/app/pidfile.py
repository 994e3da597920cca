"""A pid file that cannot lie: its process holds it locked, and the kernel lets go of it however the process ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

_PATIENCE = 1.0  # seconds: somebody may just be looking


class Taken(Exception):
    """Another process holds it."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"held by pid {pid}")
        self.pid = pid


def hold(path: Path) -> int:
    """Writes our pid; the descriptor to keep open, and to `let_go`. Raises `Taken`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            pid = _pid(descriptor)
            os.close(descriptor)
            raise Taken(pid) from None
        break
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def let_go(path: Path, descriptor: int) -> None:
    path.unlink(missing_ok=True)
    os.close(descriptor)


def holder(path: Path) -> int | None:
    """The pid of the process that holds it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid(descriptor) or None
    finally:
        os.close(descriptor)
    return None


def _pid(descriptor: int) -> int:
    """0 when it is just being written."""
    with contextlib.suppress(ValueError):
        return int(os.pread(descriptor, 32, 0))
    return 0
