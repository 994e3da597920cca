"""A pid file that cannot lie: its process holds it locked, and the kernel lets go of it however the process ends."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

_FLOCK = struct.Struct("hhqqi")  # <fcntl.h>: type, whence, start, length (0: all), pid


class Taken(Exception):
    """Another process holds it."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"held by pid {pid}")
        self.pid = pid


def hold(path: Path) -> int:
    """Writes our pid; the descriptor to keep open, and to `let_go`. Raises `Taken`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except BlockingIOError:
        pid = _pid(descriptor)
        os.close(descriptor)
        raise Taken(pid) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def let_go(path: Path, descriptor: int) -> None:
    path.unlink(missing_ok=True)
    os.close(descriptor)


def holder(path: Path) -> int | None:
    """The pid of the process that holds it. Asking does not stand in anybody's way."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        asked = _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        (kind, *_) = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked)[: _FLOCK.size])
        return None if kind == fcntl.F_UNLCK else _pid(descriptor) or None
    finally:
        os.close(descriptor)


def _pid(descriptor: int) -> int:
    """0 while it is just being written."""
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else 0
