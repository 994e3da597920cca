"""A disk of a given size for one group of containers: ext4 in a sparse file, mounted through a loop device.

Real and hard: what does not fit is refused with ENOSPC, and `df` inside tells the truth. Measured (0.1 ms the file, 0.8
the device, 0.8 the mount; 1.4 to take all away): decision 0013. An empty file system is made once for each size; its
few blocks that are not zero are written into each new file. There is no journal: after a power cut no container is left
that could use it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import msgspec

from hatoba.runtime.containerd import syscalls
from hatoba.runtime.failures import Failure, failure

_BLOCK = 4096
_MAKE = (
    "mkfs.ext4", "-q", "-F", "-b", str(_BLOCK), "-m", "0", "-i", "32768",
    "-O", "^has_journal,^resize_inode,sparse_super2", "-E", "lazy_itable_init=1,nodiscard,num_backup_sb=0",
)  # fmt: skip
# What is deleted is given back to the host; what a sparse file has is zero already; nothing has to survive a power cut.
_OPTIONS = "discard,noinit_itable,nobarrier"


class Blank(msgspec.Struct, frozen=True, kw_only=True):
    """An empty file system: its size, and the blocks of it that are not zero."""

    size: int
    blocks: tuple[tuple[int, bytes], ...]


def missing() -> str:
    """Why this machine cannot have such disks; "" when it can."""
    if shutil.which(_MAKE[0]) is None:
        return f"{_MAKE[0]} is not installed"
    if not os.access("/dev/loop-control", os.R_OK | os.W_OK):
        return "there are no loop devices (/dev/loop-control)"
    if "\text4\n" not in Path("/proc/filesystems").read_text():
        return "the kernel has no ext4"
    return ""


async def blank(size: int, draft: Path) -> Blank:
    """Made in the file `draft`, which is gone afterwards."""
    made = await asyncio.create_subprocess_exec(
        *_MAKE,
        str(draft),
        f"{size >> 10}k",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await made.communicate()
    if made.returncode != 0:
        raise failure(Failure.INTERNAL, f"mkfs.ext4: {said.decode(errors='replace').strip()}")
    return Blank(size=size, blocks=await asyncio.to_thread(_take_blocks, draft))


def _take_blocks(draft: Path) -> tuple[tuple[int, bytes], ...]:
    found: list[tuple[int, bytes]] = []
    with open(draft, "rb") as file:
        draft.unlink()
        at, end = 0, os.fstat(file.fileno()).st_size
        while at < end:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:  # nothing but a hole is left
                break
            at -= at % _BLOCK
            block = os.pread(file.fileno(), _BLOCK, at)
            if any(block):
                found.append((at, block))
            at += _BLOCK
    return tuple(found)


def is_mounted(folder: Path) -> bool:
    try:
        return os.stat(folder).st_dev != os.stat(folder.parent).st_dev
    except FileNotFoundError:
        return False


def attach(image: Path, folder: Path, new: Blank) -> None:
    """Mounts a new, empty disk at the folder, unless one is there. Called in the mount namespace that shall see it."""
    if is_mounted(folder):
        return
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    image.unlink(missing_ok=True)  # of a namespace that has ended: nobody may write to that one any more
    file = os.open(image, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(file, new.size)
        for at, block in new.blocks:
            os.pwrite(file, block, at)
        path, device = syscalls.loop(file)
        try:
            syscalls.mount(path, folder, "ext4", _OPTIONS)
        finally:
            os.close(device)
    except OSError:
        image.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)


def detach(image: Path, folder: Path) -> None:
    """In the same namespace. The loop device frees itself."""
    if is_mounted(folder):
        syscalls.unmount(folder)
    image.unlink(missing_ok=True)
