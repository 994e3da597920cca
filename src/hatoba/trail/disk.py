"""The trail in one SQLite file, apart from the journal: it grows with what is asked, the journal with what there is.

Entries are written by the batch, one transaction each. A question by attribute walks an index in the order of time, so
that its first page costs what it shows. Everything runs in one thread of its own.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from hatoba.core.errors import Refused
from hatoba.core.files import make_folder
from hatoba.trail.port import Entry, Place, Question, Thing

T = TypeVar("T")

FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, time REAL NOT NULL, place TEXT NOT NULL, name TEXT NOT NULL,
    source TEXT NOT NULL, user TEXT NOT NULL, access_key TEXT NOT NULL, read_only TEXT NOT NULL, things TEXT NOT NULL,
    document BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS by_time ON entries (place, time);
CREATE INDEX IF NOT EXISTS by_user ON entries (place, user, time);
CREATE INDEX IF NOT EXISTS by_name ON entries (place, name, time);
CREATE INDEX IF NOT EXISTS by_key ON entries (place, access_key, time);
CREATE TABLE IF NOT EXISTS things (place TEXT NOT NULL, thing TEXT NOT NULL, time REAL NOT NULL, row INTEGER NOT NULL,
    PRIMARY KEY (place, thing, time, row)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kinds (place TEXT NOT NULL, thing TEXT NOT NULL, time REAL NOT NULL, row INTEGER NOT NULL,
    PRIMARY KEY (place, thing, time, row)) WITHOUT ROWID;
"""
_ADD = "INSERT OR IGNORE INTO entries VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_COLUMNS = "e.time, e.row, e.id, e.name, e.source, e.user, e.access_key, e.read_only, e.things, e.document"
_BESIDE = {"thing": "things", "kind": "kinds"}
_SHARE = 10  # the part of the oldest entries that goes at once, when there is too much


class DiskTrail:
    """Raises `Refused` when the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="trail")
        try:
            make_folder(path.parent)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            os.chmod(path, 0o600)
            self._open()
        except (OSError, sqlite3.Error) as error:
            raise Refused(f"The audit trail {path} cannot be used: {error}.") from None

    def _open(self) -> None:
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found > FORMAT:
            raise Refused(f"{self._path} was written by a newer Hatoba (format {found}, this one knows {FORMAT}).")
        self._db.executescript("PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
        self._db.executescript(_SCHEMA)
        self._db.execute(f"PRAGMA user_version = {FORMAT}")

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # --- adding

    async def add(self, entries: Sequence[Entry]) -> None:
        await self._run(lambda: self._add(entries))

    def _add(self, entries: Sequence[Entry]) -> None:
        with self._transaction():
            for entry in entries:
                place = _place(entry.account, entry.region)
                added = self._db.execute(_ADD, (entry.id, entry.time, place, *_fields(entry)))
                if added.rowcount == 1 and entry.things:
                    self._add_things(place, entry, added.lastrowid)

    def _add_things(self, place: str, entry: Entry, row: int | None) -> None:
        for beside, names in (
            ("things", {name for thing in entry.things for name in (thing.name, thing.short)}),
            ("kinds", {thing.kind for thing in entry.things}),
        ):
            rows = [(place, name, entry.time, row) for name in names]
            self._db.executemany(f"INSERT OR IGNORE INTO {beside} VALUES (?, ?, ?, ?)", rows)

    def _transaction(self) -> sqlite3.Connection:
        self._db.execute("BEGIN IMMEDIATE")
        return self._db

    # --- finding

    async def find(self, question: Question) -> list[tuple[Place, Entry]]:
        return await self._run(lambda: self._find(question))

    def _find(self, question: Question) -> list[tuple[Place, Entry]]:
        place = _place(question.account, question.region)
        attribute, value = question.where or ("", "")
        parameters: list[object] = [place]
        if attribute in _BESIDE:
            tables, clauses = f"{_BESIDE[attribute]} t JOIN entries e ON e.row = t.row", ["t.place = ?", "t.thing = ?"]
            order = "t"
        else:
            tables, clauses, order = "entries e", ["e.place = ?"], "e"
            if attribute:
                clauses.append(f"e.{attribute} = ?")
        if attribute:
            parameters.append(value)
        clauses.append(f"{order}.time BETWEEN ? AND ?")
        parameters += [question.since, question.until]
        if question.after is not None:
            clauses.append(f"({order}.time, {order}.row) < (?, ?)")
            parameters += question.after
        found = self._db.execute(
            f"SELECT {_COLUMNS} FROM {tables} WHERE {' AND '.join(clauses)}"
            f" ORDER BY {order}.time DESC, {order}.row DESC LIMIT ?",
            (*parameters, question.limit),
        )
        return [_read(question, row) for row in found]

    # --- forgetting

    async def forget(self, *, before: float, most_bytes: int) -> None:
        await self._run(lambda: self._forget(before, most_bytes))

    def _forget(self, before: float, most_bytes: int) -> None:
        self._forget_until(before)
        while self._used() > most_bytes:
            (count,) = self._db.execute("SELECT count(*) FROM entries").fetchone()
            cut = self._db.execute(
                "SELECT time FROM entries ORDER BY time LIMIT 1 OFFSET ?", (max(count // _SHARE, 1),)
            ).fetchone()
            if cut is None:
                break
            self._forget_until(cut[0])

    def _forget_until(self, time: float) -> None:
        with self._transaction():
            for table in ("things", "kinds", "entries"):
                self._db.execute(f"DELETE FROM {table} WHERE time < ?", (time,))
        self._db.execute("PRAGMA incremental_vacuum")

    def _used(self) -> int:
        pages, free, size = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    async def close(self) -> None:
        await self._run(self._db.close)
        self._thread.shutdown()


def _place(account: str, region: str) -> str:
    return f"{account} {region}"


def _fields(entry: Entry) -> tuple[object, ...]:
    things = msgspec.json.encode(entry.things).decode()
    read_only = str(entry.read_only).lower()
    return entry.name, entry.source, entry.user, entry.access_key, read_only, things, entry.document


def _read(question: Question, row: tuple[float, int, str, str, str, str, str, str, str, bytes]) -> tuple[Place, Entry]:
    time, number, id_, name, source, user, access_key, read_only, things, document = row
    return Place(time, number), Entry(
        id=id_,
        time=time,
        account=question.account,
        region=question.region,
        name=name,
        source=source,
        user=user,
        access_key=access_key,
        read_only=read_only == "true",
        things=msgspec.json.decode(things, type=tuple[Thing, ...]),
        document=document,
    )
