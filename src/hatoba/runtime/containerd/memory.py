"""The run directory is in memory: what stands there in clear (environments in bundles, secrets) reaches no disk.

Where `/run` is a folder of a disk, as in many containers, a file system in memory of our own is mounted before
containerd starts, and taken away with it. It is not swapped out where the kernel can be told so (since 6.4).
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from hatoba.runtime.containerd import syscalls

_TMPFS, _RAMFS = 0x01021994, 0x858458F6  # linux/magic.h
_OPTIONS = ("mode=711,noswap", "mode=711")

_libc = ctypes.CDLL(None, use_errno=True)


def in_memory(path: Path) -> bool:
    """Whether what is written there stays in memory."""
    answer = (ctypes.c_long * 32)()  # struct statfs, which is no longer than that; its first member is the type
    if _libc.statfs(os.fsencode(path), ctypes.byref(answer)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
    return answer[0] & 0xFFFFFFFF in (_TMPFS, _RAMFS)


def ensure(folder: Path) -> bool:
    """Whether something had to be mounted. Only for a folder that nobody uses yet. Raises `OSError`."""
    if in_memory(folder):
        return False
    for options in _OPTIONS:
        try:
            syscalls.mount("hatoba", folder, "tmpfs", options)
        except OSError as error:
            if error.errno != errno.EINVAL or options == _OPTIONS[-1]:
                raise
        else:
            return True
    return False


def release(folder: Path) -> None:
    """Takes away what `ensure` has mounted."""
    if os.path.ismount(folder):
        syscalls.unmount(folder)
