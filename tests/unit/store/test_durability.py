"""What is durable, when it is told, and what happens when it cannot be."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.records import replace
from hatoba.store.journal import Entry
from hatoba.store.sqlite import SqliteJournal
from tests.unit.store.stored import opened, ship, ships


class Gated(SqliteJournal):
    """Writes only when it is let, and counts."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.gate = threading.Semaphore(0)
        self.writes: list[list[int]] = []
        self.fails: Exception | None = None

    def append(self, epoch: int, after: int, entries: list[Entry]) -> None:
        self.gate.acquire()
        if self.fails is not None:
            raise self.fails
        self.writes.append([entry.seq for entry in entries])
        super().append(epoch, after, entries)


async def until(condition: Any) -> None:
    for _ in range(5000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it never came true")


async def test_nothing_is_told_before_it_is_on_disk(tmp_path: Path) -> None:
    journal = Gated(tmp_path / "j.db")
    async with opened(journal) as store:
        heard: list[int] = []
        store.feed.subscribe(ships, lambda change: heard.append(change.seq))
        with store.tx() as tx:
            tx.put(ships, ship("a"))
        waiter = asyncio.create_task(store.durable())
        await asyncio.sleep(0.02)
        assert (heard, waiter.done(), store.durable_seq) == ([], False, 0)
        journal.gate.release()
        await waiter
        assert (heard, store.durable_seq) == ([1], 1)


async def test_many_transactions_share_one_write(tmp_path: Path) -> None:
    journal = Gated(tmp_path / "j.db")
    async with opened(journal) as store:
        heard: list[tuple[int, str]] = []
        store.feed.subscribe(ships, lambda change: heard.append((change.seq, change.key.id)))
        for n in range(50):
            with store.tx() as tx:
                tx.put(ships, ship(f"s{n:02}"))
            if n == 0:
                await until(lambda: journal.gate._value == 0)
                await asyncio.sleep(0.02)  # the writer has taken the first and waits at the gate
        journal.gate.release(2)
        await store.durable()
        assert [seq for write in journal.writes for seq in write] == list(range(1, 51))
        assert len(journal.writes) == 2
        assert heard == [(n + 1, f"s{n:02}") for n in range(50)]  # in the order of commits


async def test_durable_waits_for_exactly_what_it_is_asked_for(tmp_path: Path) -> None:
    journal = Gated(tmp_path / "j.db")
    async with opened(journal) as store:
        await store.durable()  # nothing to wait for
        with store.tx() as tx:
            first = tx.put(ships, ship("a"))
        await until(lambda: True)
        early = asyncio.create_task(store.durable(tx.seq))
        await asyncio.sleep(0.02)
        with store.tx() as tx:
            tx.put(ships, replace(first, flag="no"))
        late, given_up = asyncio.create_task(store.durable()), asyncio.create_task(store.durable())
        await asyncio.sleep(0)
        given_up.cancel()
        journal.gate.release()
        await early
        assert not late.done()
        journal.gate.release()
        await late


async def test_a_subscriber_that_fails_keeps_nobody_waiting(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(SqliteJournal(tmp_path / "j.db")) as store:
        heard: list[str] = []

        def fails(change: Any) -> None:
            raise ValueError("a bug in a room")

        store.feed.subscribe(ships, fails)
        store.feed.subscribe(ships, lambda change: heard.append(change.key.id))
        with store.tx() as tx:
            tx.put(ships, ship("a"))
            tx.put(ships, ship("b"))
        await asyncio.wait_for(store.durable(), 5)
        assert (heard, store.feed.failures) == (["a", "b"], 2)
        assert "a bug in a room" in caplog.text


async def test_a_subscriber_may_write_and_leave(tmp_path: Path) -> None:
    async with opened(SqliteJournal(tmp_path / "j.db")) as store:
        heard: list[str] = []

        def answer(change: Any) -> None:
            heard.append(change.key.id)
            leave()
            with store.tx() as tx:
                tx.put(ships, ship("echo"))

        leave = store.feed.subscribe(ships, answer)
        with store.tx() as tx:
            tx.put(ships, ship("a"))
        await store.durable()
        await store.durable()
        assert heard == ["a"]
        assert {s.id for s in store.all(ships)} == {"a", "echo"}


async def test_a_write_that_fails_is_told_and_nothing_is_answered(tmp_path: Path) -> None:
    journal, told = Gated(tmp_path / "j.db"), []
    async with opened(journal, failed=told.append) as store:
        heard: list[Any] = []
        store.feed.subscribe(ships, heard.append)
        journal.fails = OSError("no space left on device")
        with store.tx() as tx:
            tx.put(ships, ship("a"))
        waiter = asyncio.create_task(store.durable())
        journal.gate.release()
        await until(lambda: told)
        await asyncio.sleep(0.02)
        assert (str(told[0]), heard, waiter.done()) == ("no space left on device", [], False)
        waiter.cancel()


async def test_closing_writes_what_has_gathered(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with opened(SqliteJournal(path)) as store:
        for n in range(20):
            with store.tx() as tx:
                tx.put(ships, ship(f"s{n}"))
    async with opened(SqliteJournal(path)) as store:
        assert len(store.all(ships)) == 20
        assert (store.seq, store.epoch) == (20, 2)
