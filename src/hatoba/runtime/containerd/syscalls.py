"""Mount namespaces, mounts and loop devices: the system calls that Python 3.11 does not have. Raise `OSError`."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from pathlib import Path

_CLONE_FS, _CLONE_NEWNS = 0x200, 0x20000
_MNT_DETACH = 2
_LOOP_CONFIGURE, _LOOP_FREE = 0x4C0A, 0x4C82
_AUTOCLEAR, _DIRECT_IO = 4, 16
_LOOP_INFO = "5Q4I64s64s32s2Q"  # linux/loop.h: struct loop_info64
_TRIES = 64  # another may take the free device that we were told of

_libc = ctypes.CDLL(None, use_errno=True)


def _call(what: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def leave_shared_root() -> None:
    """The calling thread gets a root and a current directory of its own: only then may it change its mounts."""
    _call("unshare", _libc.unshare(_CLONE_FS))


def enter(namespace: int) -> None:
    """Moves the calling thread, and no other, into a mount namespace."""
    _call("enter a mount namespace", _libc.setns(namespace, _CLONE_NEWNS))


def mount(source: str, target: Path, filesystem: str, options: str) -> None:
    result = _libc.mount(source.encode(), os.fsencode(target), filesystem.encode(), 0, options.encode())
    _call(f"mount {target}", result)


def unmount(target: Path) -> None:
    """Out of sight at once; gone when the last one who uses it has ended."""
    _call(f"umount {target}", _libc.umount2(os.fsencode(target), _MNT_DETACH))


def loop(file: int) -> tuple[str, int]:
    """A file as a block device: its path, and a descriptor that holds it. It is free again once nothing uses it."""
    info = struct.pack(_LOOP_INFO, 0, 0, 0, 0, 0, 0, 0, 0, _AUTOCLEAR | _DIRECT_IO, b"", b"", b"", 0, 0)
    config = struct.pack("2I", file, 0) + info + bytes(64)
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(_TRIES):
            path = f"/dev/loop{fcntl.ioctl(control, _LOOP_FREE)}"
            try:
                device = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENXIO):  # somebody tidies up
                    raise
                continue
            try:
                fcntl.ioctl(device, _LOOP_CONFIGURE, config)
            except OSError as error:
                os.close(device)
                if error.errno != errno.EBUSY:
                    raise
            else:
                return path, device
    finally:
        os.close(control)
    raise OSError(errno.EBUSY, "no loop device is free")
