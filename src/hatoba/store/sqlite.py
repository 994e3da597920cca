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
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Literal

import msgspec

from hatoba.core.errors import Refused, Stale
from hatoba.core.files import make_folder
from hatoba.store.journal import KEPT, Entry, Fenced, Row, keep_last

FORMAT = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rows (tab TEXT NOT NULL, key BLOB NOT NULL, data BLOB NOT NULL, PRIMARY KEY (tab, key))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, entry BLOB NOT NULL);
"""
_SCHEMA_PREFIX = "schema:"
_ADVANCE = """
UPDATE meta SET value = ? WHERE name = 'seq' AND value = ? AND ? = (SELECT value FROM meta WHERE name = 'epoch')
"""
TRIM = 256  # transactions between two looks at what the log may forget


class SqliteJournal:
    """Used by one thread at a time."""

    blocking: ClassVar[bool] = True

    def __init__(self, path: Path, synchronous: Literal["FULL", "NORMAL"] = "FULL") -> None:
        """`NORMAL` survives the end of the process, not a power cut: for what a power cut makes void anyway.

        Raises `Refused` when another process has it, when it cannot be opened, or when it is of a newer format.
        """
        self._path = path
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Entry).decode
        self._lock = self._locked(path.with_suffix(".lock"))
        try:
            with self._refusing("opened"):
                self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
                os.chmod(path, 0o600)
                self._check_format()
                self._db.executescript(
                    f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; PRAGMA wal_autocheckpoint=4000;"
                )
                self._db.executescript(_SCHEMA)
        except Refused:
            os.close(self._lock)
            raise

    @staticmethod
    def _locked(path: Path) -> int:
        try:
            make_folder(path.parent)
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Refused(f"The data directory {path.parent} cannot be used: {error.strerror}.") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise Refused(f"Another Hatoba is using {path.parent}. Stop it first, or choose another --data.") from None
        return lock

    @contextmanager
    def _refusing(self, done: str) -> Iterator[None]:
        """What SQLite says while we start is for the operator: a full disk, a damaged file, a missing permission."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise Refused(f"The journal {self._path} cannot be {done}: {error}.") from error

    def _check_format(self) -> None:
        if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            return
        known = self._meta().get("format", FORMAT)
        if known > FORMAT:
            raise Refused(
                f"{self._path} was written by a newer Hatoba (journal format {known}, this version knows {FORMAT}). "
                "Start it with the version that wrote it, or a later one."
            )

    def _meta(self) -> dict[str, int]:
        return dict(self._db.execute("SELECT name, value FROM meta"))

    def _set(self, **values: int) -> None:
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # a full disk may have ended it already
                db.execute("ROLLBACK")
            raise

    def written(self) -> Mapping[str, int]:
        with self._refusing("read"):
            meta = self._meta()
        prefix = _SCHEMA_PREFIX
        return {name.removeprefix(prefix): value for name, value in meta.items() if name.startswith(prefix)}

    def open(self, schemas: Mapping[str, int]) -> tuple[int, int]:
        with self._refusing("written"), self._transaction():
            meta = self._meta()
            epoch, seq = meta.get("epoch", 0) + 1, meta.get("seq", 0)
            new = {_SCHEMA_PREFIX + name: value for name, value in schemas.items()}
            self._set(**(new | meta | {"format": FORMAT, "epoch": epoch, "seq": seq}))
        return epoch, seq

    def rows(self) -> Iterator[Row]:
        with self._refusing("read"):
            yield from map(Row._make, self._db.execute("SELECT tab, key, data FROM rows"))

    def migrated(self, rows: Iterator[Row], schemas: Mapping[str, int]) -> None:
        with self._refusing("migrated"), self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", rows)
            self._set(**{_SCHEMA_PREFIX + name: value for name, value in schemas.items()})

    def append(self, epoch: int, after: int, entries: list[Entry]) -> None:
        # Few statements, few pages: this is what every durable answer waits for.
        db, last, seq = self._db, keep_last(entries), entries[-1].seq
        kept = [(tab, key, data) for (tab, key), data in last.items() if data is not None]
        forgotten = [where for where, data in last.items() if data is None]
        with self._transaction():
            if db.execute(_ADVANCE, (seq, after, epoch)).rowcount != 1:
                known = self._meta()
                raise Fenced(f"the journal is at {known['epoch']}/{known['seq']}, this writer at {epoch}/{after}")
            if kept:
                db.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", kept)
            if forgotten:
                db.executemany("DELETE FROM rows WHERE tab = ? AND key = ?", forgotten)
            db.executemany("INSERT INTO log VALUES (?, ?, ?)", [(e.seq, epoch, self._encode(e)) for e in entries])
            if seq // TRIM != after // TRIM:
                db.execute("DELETE FROM log WHERE seq <= ?", (seq - KEPT,))

    def tail(self, after: int) -> Iterator[Entry]:
        (first,) = self._db.execute("SELECT min(seq) FROM log").fetchone()
        if after < (self._meta().get("seq", 0) if first is None else first - 1):
            raise Stale(f"the log begins after {after}: load a snapshot")
        rows = self._db.execute("SELECT entry FROM log WHERE seq > ? ORDER BY seq", (after,))
        return (self._decode(entry) for (entry,) in rows)

    def close(self) -> None:
        self._db.close()
        os.close(self._lock)
