"""Network namespaces as files: the few system calls that Python 3.11 does not have.

A namespace lives as long as something holds it: a process, a device of it elsewhere, or a bind mount of it on a file.
The file is what a container runtime, nsenter and we after a restart find it by.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from hatoba.core.errors import PortError

_CLONE_NEWNET = 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND, _MS_SHARED = 2, 4, 8, 4096, 1 << 20
_MNT_DETACH = 2
_OWN = "/proc/thread-self/ns/net"

_libc = ctypes.CDLL(None, use_errno=True)


def _call(what: str, result: int) -> None:
    if result != 0:
        raise PortError("kernel", f"{what}: {os.strerror(ctypes.get_errno())}")


def open_namespace(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise PortError("kernel", f"open the namespace {path}: {error.strerror}") from error


def own_namespace() -> int:
    """The calling thread's."""
    return open_namespace(Path(_OWN))


def enter(namespace: int) -> None:
    """Moves the calling thread, and no other."""
    _call("enter a network namespace", _libc.setns(namespace, _CLONE_NEWNET))


def unshare() -> None:
    """Moves the calling thread into a new namespace."""
    _call("make a network namespace", _libc.unshare(_CLONE_NEWNET))


def pin(path: Path) -> None:
    """Binds the calling thread's namespace to the file, so that it outlives the thread."""
    path.touch(mode=0o600)
    _call(f"mount {path}", _libc.mount(_OWN.encode(), os.fsencode(path), None, _MS_BIND, None))


def is_pinned(path: Path) -> bool:
    try:
        return os.stat(path).st_dev == os.stat(_OWN).st_dev
    except FileNotFoundError:
        return False


def unpin(path: Path) -> None:
    """Removes the file, whatever of it is there. The namespace goes with its last process."""
    # More than one mount lies on it only after an interrupted start; the bound is for the loop's sake.
    for _ in range(16):
        if not is_pinned(path):
            break
        _call(f"unmount {path}", _libc.umount2(os.fsencode(path), _MNT_DETACH))
    path.unlink(missing_ok=True)


def make_shared(folder: Path) -> None:
    """Puts a tmpfs on the folder, shared: what is mounted in it appears in slave mount namespaces made later."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.path.ismount(folder):
        return
    name = os.fsencode(folder)
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    _call(f"mount {folder}", _libc.mount(b"hatoba", name, b"tmpfs", flags, b"mode=700"))
    _call(f"share {folder}", _libc.mount(None, name, None, _MS_SHARED, None))


def remove_shared(folder: Path) -> None:
    """With all that is in it."""
    for _ in range(16):
        if not os.path.ismount(folder):
            break
        _call(f"unmount {folder}", _libc.umount2(os.fsencode(folder), _MNT_DETACH))
    if folder.exists():
        folder.rmdir()
