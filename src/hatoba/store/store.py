"""The store: transactions over the working set, the commit rule, and waiting for durability.

    with store.tx() as tx:                      # synchronous; an `await` inside raises
        task = tx.get(tasks, key)
        tx.put(tasks, replace(task, want="STOPPED"))
    await store.durable()                       # now it may be answered

A transaction writes into the working set at once and keeps what it replaced; an exception puts everything back.
"""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeVar

from hatoba.core.errors import HatobaError
from hatoba.core.keys import Key, Scope
from hatoba.core.records import Record, replace
from hatoba.core.secret import Sealer
from hatoba.store.codec import Codec, TableDecoder, check_schemas, decode_key, encode_key
from hatoba.store.feed import Change, Feed
from hatoba.store.journal import Entry, Journal, Row, Write
from hatoba.store.tables import Table
from hatoba.store.working import Rows
from hatoba.store.writer import Appender, LoopWriter, ThreadWriter, Writer, end_process

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Conflict(HatobaError):
    """The record was changed since it was read. Read again and decide again."""


class View:
    """Reading, inside a transaction or outside of one (between two `await`s everything read is one state)."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, table: Table[R], key: Key) -> R | None:
        return self._store.rows(table).by_key.get(key)

    def find(self, table: Table[R], scope: Scope, id_: str) -> R | None:
        return self._store.rows(table).by_key.get(table.key(scope, id_))

    def scan(self, table: Table[R], scope: Scope, after: str | None = None) -> Iterator[R]:
        """The scope's records in the order of their ids, from the first one past `after`."""
        return self._store.rows(table).scan(scope, after)

    def onward(self, table: Table[R], scope: Scope, first: str) -> Iterator[R]:
        """The scope's records from the id `first` on, in order, one at a time: what is not asked for costs nothing.
        Nothing may be written to the table meanwhile."""
        return self._store.rows(table).onward(scope, first)

    def all(self, table: Table[R]) -> list[R]:
        """Every record of every scope, in no order."""
        return list(self._store.rows(table).by_key.values())

    def index(self, table: Table[R], index: str, value: Hashable) -> list[R]:
        """The records found under `value`, in the order of their keys."""
        return self._store.rows(table).found(index, value)

    def size(self, table: Table[Any], scope: Scope) -> int:
        """How many records there are in a scope: nothing is gone through."""
        return self._store.rows(table).size(scope)

    def count(self, table: Table[R], index: str, value: Hashable) -> int:
        return self._store.rows(table).count(index, value)

    def tally(self, table: Table[Any], tally: type[T]) -> T:
        """The table's tally of this type, as it is at this moment: inside a transaction, with what it wrote."""
        found: T = self._store.rows(table).tallies[tally]  # type: ignore[index,assignment]
        return found

    def changes(self, table: Table[Any]) -> int:
        """How often the table was written to: the same number means that nothing in it changed."""
        return self._store.rows(table).changes


class Tx(View):
    """One transaction. Use it as a context manager, with no `await` inside."""

    def __init__(self, store: Store, closing: Callable[[Tx], None] | None = None) -> None:
        super().__init__(store)
        self._closing = closing
        self._undo: list[tuple[Table[Any], Key, Record | None]] = []
        self._touched: dict[tuple[str, Key], tuple[Table[Any], Record | None]] = {}
        self._open = False
        self._yielded = False
        self._guard: asyncio.Handle | None = None
        self.seq: int | None = None  # after commit: the sequence number, or None when nothing was written

    def __enter__(self) -> Tx:
        self._store.enter(self)
        self._open = True
        try:
            self._guard = asyncio.get_running_loop().call_soon(self._has_yielded)
        except RuntimeError:  # no loop: a synchronous test or tool
            self._guard = None
        return self

    def _has_yielded(self) -> None:
        # The loop ran while the transaction was open: somebody awaited inside it.
        self._yielded = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._guard is not None:
            self._guard.cancel()
        if kind is None and not self._yielded:
            try:
                self._accompany()
                if self._closing is not None and self._touched:
                    self._closing(self)
                self._open = False
                self.seq = self._store.commit(self._touched)
            except BaseException:  # a record that cannot be encoded: nothing may stay behind in memory
                self._roll_back()
                raise
            finally:
                self._open = False
            return
        self._open = False
        self._roll_back()
        if kind is None:
            raise RuntimeError("there was an await inside a transaction; nothing was written")

    def _accompany(self) -> None:
        """What belongs to the changes of this transaction, and to it alone, is written with them."""
        if not self._store.companions:
            return
        for (name, key), (table, before) in list(self._touched.items()):
            for companion in self._store.companions.get(name, ()):
                after = self.get(table, key)
                if before is not after:
                    companion(self, before, after)

    def _roll_back(self) -> None:
        for table, key, before in reversed(self._undo):
            rows = self._store.rows(table)
            if before is None:
                rows.remove(key)
            else:
                rows.set(before)
        self._store.leave()

    def put(self, table: Table[R], record: R) -> R:
        """Writes a record. Its version must be the stored one's (0 for a new record), else `Conflict`."""
        self._check_open()
        before = self.get(table, record.key)
        if record.version != (before.version if before is not None else 0):
            raise Conflict(f"{table.name} {record.key.id}: version {record.version} is not the stored one")
        return self._set(table, record, before)

    def write(self, table: Table[R], record: R) -> R:
        """Writes a record over whatever stands under its key: for who has looked at that within the transaction, or
        need not know."""
        self._check_open()
        return self._set(table, record, self.get(table, record.key))

    def renew(self, table: Table[R], record: R) -> R:
        """As `write`; but where the same stands already nothing happens: who is woken would find nothing new."""
        self._check_open()
        before = self.get(table, record.key)
        if before is not None and replace(record, version=before.version) == before:
            return before
        return self._set(table, record, before)

    def _set(self, table: Table[R], record: R, before: R | None) -> R:
        if record.key.type != table.name:
            raise TypeError(f"a key of type {record.key.type} in table {table.name}")
        record = replace(record, version=before.version + 1 if before is not None else 1)
        self._store.rows(table).set(record)
        self._remember(table, record.key, before)
        return record

    def forget(self, table: Table[R], key: Key) -> R | None:
        """Removes a record for good."""
        self._check_open()
        before = self._store.rows(table).remove(key)
        if before is not None:
            self._remember(table, key, before)
        return before

    def _check_open(self) -> None:
        if not self._open:
            raise RuntimeError("a write outside of `with store.tx()` would never reach the journal")

    def _remember(self, table: Table[Any], key: Key, before: Record | None) -> None:
        self._undo.append((table, key, before))
        self._touched.setdefault((table.name, key), (table, before))


Companion = Callable[[Tx, Any, Any], None]  # the transaction, a record before it and after


class Store(View):
    """The tables it serves are handed in once; `open` loads them."""

    def __init__(
        self,
        journal: Journal,
        tables: Iterable[Table[Any]],
        sealer: Sealer,
        *,
        failed: Callable[[BaseException], None] = end_process,
    ) -> None:
        super().__init__(self)
        self._journal = journal
        self._codec = Codec(sealer)
        self._failed = failed
        self._tables = {table.name: table for table in tables}
        self._rows: dict[str, Rows[Any]] = {name: Rows(table) for name, table in self._tables.items()}
        self._current: Tx | None = None
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._unpublished: deque[tuple[int, list[Change[Any]]]] = deque()
        self._writer: Writer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.feed = Feed()
        self.companions: dict[str, list[Companion]] = {}  # by table
        self.epoch = 0
        self.seq = 0  # the last transaction committed in memory
        self.durable_seq = 0  # the last transaction on disk

    # --- opening and closing

    def open(self) -> None:
        """Takes the writer's lease, migrates what is older, and loads everything. Raises `Refused`."""
        schemas = {name: table.schema for name, table in self._tables.items()}
        stale = check_schemas(self._tables, self._journal.written())
        self.epoch, self.seq = self._journal.open(schemas)
        self.durable_seq = self.seq
        decoders = {name: self._codec.decoder(table) for name, table in self._tables.items()}
        if stale:
            rows = [row for row in self._journal.rows() if row.table in stale]
            migrated = (Row(r.table, r.key, decoders[r.table].migrate(r.data, stale[r.table])) for r in rows)
            self._journal.migrated(migrated, {name: schemas[name] for name in stale})
        with _undisturbed():
            found: dict[str, list[Record]] = {name: [] for name in self._tables}
            for row in self._journal.rows():
                found[row.table].append(_decoded(decoders[row.table], row))
            for name, records in found.items():
                self._rows[name].load(records)
        self._loop = asyncio.get_running_loop()
        advanced = self._written if self._journal.blocking else self._advance
        appender = Appender(self._journal, self.epoch, self.seq, advanced, self._failed)
        self._writer = ThreadWriter(appender) if self._journal.blocking else LoopWriter(appender)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._journal.close()

    # --- transactions

    def rows(self, table: Table[R]) -> Rows[R]:
        return self._rows[table.name]

    def tx(self, closing: Callable[[Tx], None] | None = None) -> Tx:
        """`closing` is called at the end of a transaction that changes something, and may write more into it."""
        return Tx(self, closing)

    def accompany(self, table: Table[R], companion: Callable[[Tx, R | None, R | None], None]) -> None:
        """Calls `companion` at the end of every transaction for each record of `table` that it changed, once: what it
        writes then becomes durable with the change or not at all. It is not called for what companions write. Where it
        fails, the transaction does.
        """
        self.companions.setdefault(table.name, []).append(companion)

    def enter(self, tx: Tx) -> None:
        if self._current is not None:
            raise RuntimeError("a transaction is open already: transactions do not nest")
        self._current = tx

    def leave(self) -> None:
        self._current = None

    def commit(self, touched: dict[tuple[str, Key], tuple[Table[Any], Record | None]]) -> int | None:
        if touched and self._writer is None:
            raise HatobaError("the store is not open")
        seq = self.seq + 1
        writes, changes = [], []
        for (name, key), (table, before) in touched.items():
            after = self._rows[name].by_key.get(key)
            if before is None and after is None:
                continue  # made and forgotten in the same transaction: nobody ever saw it
            writes.append(Write(name, encode_key(key), None if after is None else self._codec.encode(after)))
            changes.append(Change(table, key, before, after, seq))
        self._current = None
        if self._writer is None or not writes:
            return None
        self.seq = seq
        self._unpublished.append((seq, changes))
        self._writer.put(Entry(seq, tuple(writes)))
        return seq

    # --- durability

    async def durable(self, seq: int | None = None) -> None:
        """Returns once everything up to `seq` (by default: all that is committed now) is on disk."""
        seq = self.seq if seq is None else seq
        if self.durable_seq >= seq:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((seq, future))
        await future

    def _written(self, seq: int) -> None:
        # From the writer thread. The loop may be closed already when the process is going down.
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._advance, seq)

    def _advance(self, seq: int) -> None:
        self.durable_seq = seq
        while self._unpublished and self._unpublished[0][0] <= seq:
            self.feed.publish(self._unpublished.popleft()[1])
        still: deque[tuple[int, asyncio.Future[None]]] = deque()
        for wanted, future in self._waiting:
            if wanted > seq:
                still.append((wanted, future))
            elif not future.done():
                future.set_result(None)
        self._waiting = still


def _decoded(decoder: TableDecoder[Any], row: Row) -> Record:
    record: Record = decoder.decode(row.data)
    if record.key != decode_key(row.key):
        raise HatobaError(f"the journal's row {row.table} {row.key!r} holds another record: {record.key}")
    return record


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Everything that is loaded stays: walking it for garbage again and again costs as much as loading it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
