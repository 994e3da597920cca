"""The spool of one FIFO: a folder of segments, each with an index of when its bytes came.

    out/0000000000000000.log    bytes, named by the offset of the first one
    out/0000000000000000.idx    records (offset, time in ms, bytes dropped directly before it)
    out/stored                  the offset up to which the control plane has everything

Offsets count all bytes that were ever spooled. Bytes move by `splice`, in one step as seen from outside: a spooler that
is killed at any moment has moved them or has not. An index record is written before the bytes that it dates.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct

SEGMENT_BYTES = 4 << 20
RECORD = struct.Struct("<QQQ")
OFFSET = struct.Struct("<Q")
STORED = "stored"
FREE_BYTES = 1 << 20  # of the segment that is being written: freed in steps of this

_FS_IOC_UNRESVSP64 = 0x4030582B  # <linux/falloc.h>: frees a range of a file; Python has no fallocate()
_SPACE = struct.Struct("hhqqiI4i")
DATA, INDEX = ".log", ".idx"


def name(offset: int, kind: str) -> str:
    return f"{offset:016x}{kind}"


def offsets(folder: str) -> list[int]:
    """Where the folder's segments begin, in order."""
    return sorted(int(found[: -len(DATA)], 16) for found in os.listdir(folder) if found.endswith(DATA))


def noted(path: str) -> int:
    """The offset that a file holds; 0 when it is not there, or was only just created."""
    try:
        with open(path, "rb") as file:
            content = file.read(OFFSET.size)
    except FileNotFoundError:
        return 0
    return int(OFFSET.unpack(content)[0]) if len(content) == OFFSET.size else 0


def stored_offset(folder: str) -> int:
    """Up to where the control plane has everything: what is not on disk any more in any case."""
    known = offsets(folder) if os.path.isdir(folder) else []
    return max(noted(os.path.join(folder, STORED)), known[0] if known else 0)


def end_offset(folder: str) -> int:
    """Past the last byte on disk."""
    known = offsets(folder) if os.path.isdir(folder) else []
    if not known:
        return stored_offset(folder)
    return known[-1] + os.stat(os.path.join(folder, name(known[-1], DATA))).st_size


class Spool:
    """The writing side. `start` and `end` are the offsets of the first and past the last byte on disk."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        os.makedirs(folder, exist_ok=True)
        self._segments = offsets(folder)
        self.stored = stored_offset(folder)
        self._data = self._index = -1
        self._freed = 0  # up to where the file system was told to free
        self._indexed = 0  # bytes of this segment's index
        self._dated = -1  # the last time written to this segment's index
        if self._segments:
            self._open(self._segments[-1])
            self.end = self._segments[-1] + os.fstat(self._data).st_size
        else:
            self.end = self.stored
            self._begin()
        self._marker = os.open(os.path.join(folder, STORED), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @property
    def start(self) -> int:
        return self._segments[0]

    @property
    def held(self) -> int:
        """Bytes that the control plane does not have yet."""
        return self.end - self.stored

    def _open(self, offset: int) -> None:
        path = os.path.join(self._folder, name(offset, ""))
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        index = os.open(path + INDEX, flags, 0o600)
        try:
            data = os.open(path + DATA, flags, 0o600)
        except OSError:
            os.close(index)
            raise
        self._close_segment()
        self._index, self._data, self._dated = index, data, -1
        self._indexed = os.fstat(index).st_size // RECORD.size * RECORD.size

    def _begin(self) -> None:
        self._open(self.end)
        self._segments.append(self.end)

    def take(self, pipe: int, most: int, now: int) -> int:
        """Moves up to `most` bytes out of a pipe, and dates them. Returns how many; 0 at the pipe's end. Raises
        `BlockingIOError` when the pipe is empty, `OSError` when the disk is full."""
        begun = self._segments[-1]
        if self.end - begun >= SEGMENT_BYTES:
            self._begin()
            begun = self.end
        if now != self._dated:
            self.mark(now)
        room = SEGMENT_BYTES - (self.end - begun)
        moved = os.splice(pipe, self._data, min(most, room), offset_dst=self.end - begun)
        self.end += moved
        return moved

    def mark(self, now: int, dropped: int = 0) -> None:
        """Dates the bytes that follow, and tells how many were dropped before them."""
        record = RECORD.pack(self.end, now, dropped)
        if os.pwrite(self._index, record, self._indexed) != len(record):
            # The disk is nearly full. The next attempt writes over what is there of this one.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._indexed += len(record)
        self._dated = now

    def store(self, offset: int) -> None:
        """The control plane has everything up to an offset: segments that lie wholly before it go."""
        if offset <= self.stored:
            return
        self.stored = min(offset, self.end)
        try:  # noqa: SIM105  (contextlib would be one more import)
            os.pwrite(self._marker, OFFSET.pack(self.stored), 0)
        except OSError:
            pass  # a full disk: what is sent again is recognised, and removing segments makes room
        while len(self._segments) > 1 and self._segments[1] <= self.stored:
            self._unlink(self._segments.pop(0))
        if self.stored - max(self._freed, self._segments[-1]) >= FREE_BYTES:
            self.free()

    def free(self) -> None:
        """Gives back what is stored of the segment that is being written, where the file system can. Otherwise a quiet
        container holds a segment's room, and on a full disk a line's beginning holds the room that its rest needs."""
        self._freed = self.stored
        begun = self._segments[-1]
        if self.stored > begun:
            try:  # noqa: SIM105
                fcntl.ioctl(self._data, _FS_IOC_UNRESVSP64, _SPACE.pack(0, 0, 0, self.stored - begun, *[0] * 6))
            except OSError:
                pass

    def _unlink(self, offset: int) -> None:
        for kind in (DATA, INDEX):
            path = os.path.join(self._folder, name(offset, kind))
            if os.path.exists(path):
                os.unlink(path)

    def _close_segment(self) -> None:
        for descriptor in (self._data, self._index):
            if descriptor >= 0:
                os.close(descriptor)

    def close(self) -> None:
        self._close_segment()
        os.close(self._marker)

    def remove(self) -> None:
        """Closes the spool and deletes its folder."""
        self.close()
        for found in os.listdir(self._folder):
            os.unlink(os.path.join(self._folder, found))
        os.rmdir(self._folder)
