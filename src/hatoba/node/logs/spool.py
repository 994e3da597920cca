"""The spool of one FIFO: a folder of segments, each with an index of when its bytes came.

    out/0000000000000000.log    bytes, named by the offset of the first one
    out/0000000000000000.idx    records (offset, time in ms, bytes dropped directly before it)
    out/stored                  the offset up to which the control plane has everything

Offsets count all bytes that were ever spooled. Bytes move by `splice`, in one step as seen from outside: a spooler that
is killed at any moment has moved them or has not. An index record is written before the bytes that it dates.
"""

from __future__ import annotations

import os
import struct

SEGMENT_BYTES = 4 << 20
RECORD = struct.Struct("<QQQ")
OFFSET = struct.Struct("<Q")
STORED = "stored"
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
    return noted(os.path.join(folder, STORED))


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
        self._close_segment()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._index = os.open(path + INDEX, flags | os.O_APPEND, 0o600)
        self._data = os.open(path + DATA, flags, 0o600)
        self._dated = -1

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
        os.write(self._index, RECORD.pack(self.end, now, dropped))
        self._dated = now

    def store(self, offset: int) -> None:
        """The control plane has everything up to an offset: segments that lie wholly before it go."""
        if offset <= self.stored:
            return
        self.stored = min(offset, self.end)
        os.pwrite(self._marker, OFFSET.pack(self.stored), 0)
        while len(self._segments) > 1 and self._segments[1] <= self.stored:
            self._unlink(self._segments.pop(0))

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
