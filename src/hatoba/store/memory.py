"""The journal's twin in memory, for the simulator and for tests: the same promises without a disk.

A `MemoryDisk` is what outlives a process. Each `MemoryJournal` is one process's hold on it; `lost` is that process
being killed: it can write no more, and the next one may open.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import ClassVar

from hatoba.core.errors import Refused, Stale
from hatoba.store.journal import KEPT, Entry, Fenced, Row, keep_last


class MemoryDisk:
    def __init__(self, kept: int = KEPT) -> None:
        self.rows: dict[tuple[str, bytes], bytes] = {}
        self.log: deque[Entry] = deque(maxlen=kept)
        self.schemas: dict[str, int] = {}
        self.epoch = 0
        self.seq = 0
        self.holder: MemoryJournal | None = None


class MemoryJournal:
    blocking: ClassVar[bool] = False

    def __init__(self, disk: MemoryDisk) -> None:
        if disk.holder is not None:
            raise Refused("Another Hatoba is using this disk. Stop it first.")
        self._disk = disk
        disk.holder = self

    def written(self) -> Mapping[str, int]:
        return dict(self._disk.schemas)

    def open(self, schemas: Mapping[str, int]) -> tuple[int, int]:
        self._disk.schemas = {**schemas, **self._disk.schemas}
        self._disk.epoch += 1
        return self._disk.epoch, self._disk.seq

    def rows(self) -> Iterator[Row]:
        return (Row(table, key, data) for (table, key), data in list(self._disk.rows.items()))

    def migrated(self, rows: Iterator[Row], schemas: Mapping[str, int]) -> None:
        new = {(row.table, row.key): row.data for row in rows}
        self._disk.rows.update(new)
        self._disk.schemas.update(schemas)

    def append(self, epoch: int, after: int, entries: list[Entry]) -> None:
        disk = self._disk
        if (disk.epoch, disk.seq) != (epoch, after) or disk.holder is not self:
            raise Fenced(f"the journal is at {disk.epoch}/{disk.seq}, this writer at {epoch}/{after}")
        for where, data in keep_last(entries).items():
            if data is None:
                disk.rows.pop(where, None)
            else:
                disk.rows[where] = data
        disk.log.extend(entries)
        disk.seq = entries[-1].seq

    def tail(self, after: int) -> Iterator[Entry]:
        log = list(self._disk.log)
        if after < (log[0].seq - 1 if log else self._disk.seq):
            raise Stale(f"the log begins after {after}: load a snapshot")
        return (entry for entry in log if entry.seq > after)

    def close(self) -> None:
        self.lost()

    def lost(self) -> None:
        """This process is no more."""
        if self._disk.holder is self:
            self._disk.holder = None
