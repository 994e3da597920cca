"""The reading side of a spool: bytes from an offset on, and when they came. The agent's."""

from __future__ import annotations

import os
from bisect import bisect_right

from hatoba.node.logs.spool import DATA, INDEX, RECORD, name, offsets


class SpoolReader:
    """Reads forward. Reads are of pages that were just written, so they do not wait for the disk."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._begun: int | None = None  # the open segment's first offset
        self._data = self._index = -1
        self._indexed = 0  # bytes of the index that were read
        self._starts: list[int] = []
        self._times: list[int] = []
        self.gaps: list[int] = []  # offsets before which bytes were dropped, not yet read past

    def read(self, offset: int, most: int) -> bytes:
        """Up to `most` bytes; fewer at a segment's end, none when there are no more."""
        while True:
            if self._begun is None and not self._open(offset):
                return b""
            assert self._begun is not None
            data = os.pread(self._data, most, offset - self._begun)
            if data:
                self._read_index()
                return data
            following = [other for other in offsets(self._folder) if other > self._begun]
            if not following or following[0] > offset:
                return b""
            self.close()

    def _open(self, offset: int) -> bool:
        known = offsets(self._folder)
        place = bisect_right(known, offset) - 1
        if place < 0:
            return False
        path = os.path.join(self._folder, name(known[place], ""))
        self._data = os.open(path + DATA, os.O_RDONLY | os.O_CLOEXEC)
        self._index = os.open(path + INDEX, os.O_RDONLY | os.O_CLOEXEC)
        self._begun, self._indexed = known[place], 0
        return True

    def _read_index(self) -> None:
        size = os.fstat(self._index).st_size // RECORD.size * RECORD.size
        records = os.pread(self._index, size - self._indexed, self._indexed)
        self._indexed = size
        for offset, time, dropped in RECORD.iter_unpack(records):
            self._starts.append(offset)
            self._times.append(time)
            if dropped:
                self.gaps.append(offset)

    def dates(self, start: int, end: int) -> list[tuple[int, int]]:
        """When the bytes from `start` to `end` came: (the offset up to which it holds, ms), in order. Forgets what
        lies before `start`."""
        first = max(0, bisect_right(self._starts, start) - 1)
        del self._starts[:first], self._times[:first]
        last = bisect_right(self._starts, end)
        bounds = [*self._starts[1:last], end]
        return list(zip(bounds, self._times[: max(1, last)], strict=False))

    def close(self) -> None:
        if self._begun is not None:
            os.close(self._data)
            os.close(self._index)
            self._begun = None
