"""The embedded journal: one SQLite file in WAL mode with `synchronous=FULL` (durable when `append` returns).

    log(seq, epoch, entry)   the last transactions: what a durable answer waits for, and what replicas tail
    rows(tab, key, data)     the live records as of the transaction `applied`
    meta(name, value)        format, epoch, applied, and each table's schema

An append adds to the log alone, one page or two for a small transaction, on the condition that (epoch, sequence) are
those of the writer. What the transactions come to is brought into the rows once in many of them, where the pages that
they have in common are written once; opening catches up.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar, Literal

import msgspec

from hatoba.core.errors import Refused, Stale
from hatoba.core.files import make_folder
from hatoba.store.journal import KEPT, Entry, Fenced, Row, keep_last

FORMAT = 2  # 1: the rows were written with every append

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rows (tab TEXT NOT NULL, key BLOB NOT NULL, data BLOB NOT NULL, PRIMARY KEY (tab, key))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, entry BLOB NOT NULL);
"""
_SCHEMA_PREFIX = "schema:"
_SEQ = "coalesce((SELECT max(seq) FROM log), 0)"
_APPEND = f"""
INSERT INTO log SELECT ?, ?, ? WHERE ? = {_SEQ} AND ? = (SELECT value FROM meta WHERE name = 'epoch')
"""
EVERY = 256  # transactions are brought into the rows together, and the log forgets what it may
_WAL_PAGES = 1000  # that SQLite lets gather before it writes over them
_WAL_BYTES = 4_500_000
MOST_PENDING = 2000  # records that wait for that, at most


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
        self._pending: dict[tuple[str, bytes], bytes | None] = {}  # in the log, not yet in the rows
        self._lock = self._locked(path.with_suffix(".lock"))
        try:
            with self._refusing("opened"):
                self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
                os.chmod(path, 0o600)
                self._check_format()
                self._db.executescript(
                    f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; "
                    f"PRAGMA wal_autocheckpoint={_WAL_PAGES};"
                )
                self._db.executescript(_SCHEMA)
                self._lengthen_wal()
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

    def _lengthen_wal(self) -> None:
        """To what it becomes anyway: while a file grows, each sync writes the file system's own records, too. What
        stands in it beyond the last frame is nothing to SQLite, which writes over old frames all the time. A disk that
        has no room for it may have some for what is to be written."""
        with suppress(OSError), open(f"{self._path}-wal", "ab") as wal:
            wal.write(bytes(max(0, _WAL_BYTES - wal.tell())))
            wal.flush()
            os.fdatasync(wal.fileno())

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
            epoch, seq = meta.get("epoch", 0) + 1, self._seq()
            if meta.get("format", FORMAT) == 1:
                meta["applied"] = seq
                del meta["seq"]
                self._db.execute("DELETE FROM meta WHERE name = 'seq'")
            self._pending = keep_last(self._entries(meta.get("applied", 0)))
            self._apply()
            new = {_SCHEMA_PREFIX + name: value for name, value in schemas.items()}
            self._set(**(new | meta | {"format": FORMAT, "epoch": epoch, "applied": seq}))
        self._pending = {}
        return epoch, seq

    def rows(self) -> Iterator[Row]:
        with self._refusing("read"):
            if self._pending:
                self._bring_up()
            yield from map(Row._make, self._db.execute("SELECT tab, key, data FROM rows"))

    def migrated(self, rows: Iterator[Row], schemas: Mapping[str, int]) -> None:
        with self._refusing("migrated"), self._transaction():
            self._apply()
            self._db.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", rows)
            self._set(**{_SCHEMA_PREFIX + name: value for name, value in schemas.items()}, applied=self._seq())
        self._pending = {}

    def append(self, epoch: int, after: int, entries: list[Entry]) -> None:
        # Few statements, few pages: this is what every durable answer waits for.
        first, *others = [(entry.seq, epoch, self._encode(entry)) for entry in entries]
        with self._transaction():
            if self._db.execute(_APPEND, (*first, after, epoch)).rowcount != 1:
                known = f"{self._meta()['epoch']}/{self._seq()}"
                raise Fenced(f"the journal is at {known}, this writer at {epoch}/{after}")
            if others:
                self._db.executemany("INSERT INTO log VALUES (?, ?, ?)", others)
        self._pending |= keep_last(entries)
        seq = entries[-1].seq
        if seq // EVERY != after // EVERY or len(self._pending) > MOST_PENDING:
            self._bring_up()

    def _bring_up(self) -> None:
        """The rows to the log's last transaction; the log forgets what no replica may need any more."""
        with self._transaction():
            seq = self._seq()
            self._apply()
            self._set(applied=seq)
            self._db.execute("DELETE FROM log WHERE seq <= ?", (seq - KEPT,))
        self._pending = {}

    def _apply(self) -> None:
        """Inside a transaction, after which nothing is pending."""
        kept = [(tab, key, data) for (tab, key), data in self._pending.items() if data is not None]
        forgotten = [where for where, data in self._pending.items() if data is None]
        self._db.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", kept)
        self._db.executemany("DELETE FROM rows WHERE tab = ? AND key = ?", forgotten)

    def _seq(self) -> int:
        (seq,) = self._db.execute(f"SELECT {_SEQ}").fetchone()
        return int(seq)

    def _entries(self, after: int) -> Iterator[Entry]:
        rows = self._db.execute("SELECT entry FROM log WHERE seq > ? ORDER BY seq", (after,))
        return (self._decode(entry) for (entry,) in rows)

    def tail(self, after: int) -> Iterator[Entry]:
        (first,) = self._db.execute("SELECT min(seq) FROM log").fetchone()
        if after < (0 if first is None else first - 1):
            raise Stale(f"the log begins after {after}: load a snapshot")
        return self._entries(after)

    def close(self) -> None:
        self._db.close()
        os.close(self._lock)
