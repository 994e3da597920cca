"""The embedded journal: one SQLite file in WAL mode with `synchronous=FULL` (durable when `append` returns).

    rows(tab, key, data)     the live records: what a restart loads
    log(seq, epoch, entry)   the last transactions, for replicas that tail
    meta(name, value)        format, epoch, sequence, and each table's schema

Every append checks (epoch, sequence) and moves them in the same SQLite transaction as the rows.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from hatoba.core.errors import Refused, Stale
from hatoba.store.journal import Entry, Fenced, Row

FORMAT = 1
KEPT = 20_000  # entries of the log that a replica may lag behind before it has to load a snapshot

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rows (tab TEXT NOT NULL, key BLOB NOT NULL, data BLOB NOT NULL, PRIMARY KEY (tab, key))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, entry BLOB NOT NULL);
"""
_SCHEMA_PREFIX = "schema:"


class SqliteJournal:
    """Used by one thread at a time."""

    def __init__(self, path: Path, synchronous: Literal["FULL", "NORMAL"] = "FULL") -> None:
        """`NORMAL` survives the end of the process, not a power cut: for what a power cut makes void anyway."""
        self._path = path
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Entry).decode
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise Refused(f"Another Hatoba is using {path.parent}. Stop it first, or choose another --data.") from None
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            os.chmod(path, 0o600)
            self._db.executescript(
                f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; PRAGMA wal_autocheckpoint=4000;"
            )
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise Refused(f"The journal {path} cannot be opened: {error}.") from error

    def _meta(self) -> dict[str, int]:
        return dict(self._db.execute("SELECT name, value FROM meta"))

    def _set(self, **values: int) -> None:
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    def open(self, schemas: Mapping[str, int]) -> tuple[int, int, Mapping[str, int]]:
        meta = self._meta()
        if meta.get("format", FORMAT) > FORMAT:
            raise Refused(
                f"{self._path} was written by a newer Hatoba (journal format {meta['format']}, this version knows "
                f"{FORMAT}). Start it with the version that wrote it, or a later one."
            )
        written = {
            name.removeprefix(_SCHEMA_PREFIX): value for name, value in meta.items() if name.startswith(_SCHEMA_PREFIX)
        }
        epoch, seq = meta.get("epoch", 0) + 1, meta.get("seq", 0)
        self._db.execute("BEGIN IMMEDIATE")
        self._set(format=FORMAT, epoch=epoch, seq=seq)
        self._set(**{_SCHEMA_PREFIX + name: value for name, value in schemas.items() if name not in written})
        self._db.execute("COMMIT")
        return epoch, seq, written

    def rows(self) -> Iterator[Row]:
        return (Row(*row) for row in self._db.execute("SELECT tab, key, data FROM rows"))

    def migrated(self, rows: Iterator[Row], schemas: Mapping[str, int]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", rows)
        self._set(**{_SCHEMA_PREFIX + name: value for name, value in schemas.items()})
        self._db.execute("COMMIT")

    def append(self, epoch: int, after: int, entries: list[Entry]) -> None:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            known = self._meta()
            if (known["epoch"], known["seq"]) != (epoch, after):
                raise Fenced(f"the journal is at {known['epoch']}/{known['seq']}, this writer at {epoch}/{after}")
            last: dict[tuple[str, bytes], bytes | None] = {}
            for entry in entries:
                for table, key, data in entry.writes:
                    last[table, key] = data
            db.executemany(
                "INSERT OR REPLACE INTO rows VALUES (?, ?, ?)",
                [(tab, key, data) for (tab, key), data in last.items() if data is not None],
            )
            db.executemany(
                "DELETE FROM rows WHERE tab = ? AND key = ?", [where for where, data in last.items() if data is None]
            )
            db.executemany("INSERT INTO log VALUES (?, ?, ?)", [(e.seq, epoch, self._encode(e)) for e in entries])
            db.execute("DELETE FROM log WHERE seq <= ?", (entries[-1].seq - KEPT,))
            db.execute("UPDATE meta SET value = ? WHERE name = 'seq'", (entries[-1].seq,))
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    def tail(self, after: int) -> Iterator[Entry]:
        first, last = self._db.execute("SELECT min(seq), max(seq) FROM log").fetchone()
        if after < (self._meta().get("seq", 0) if first is None else first - 1):
            raise Stale(f"the log begins after {after}: load a snapshot")
        if last is None:
            return iter(())
        rows = self._db.execute("SELECT entry FROM log WHERE seq > ? ORDER BY seq", (after,))
        return (self._decode(entry) for (entry,) in rows)

    def close(self) -> None:
        self._db.close()
        os.close(self._lock)
