"""What is written with a record's change: in the same transaction, once for each record, or not at all."""

# ruff: noqa: PT012  a transaction is more than one statement

from __future__ import annotations

from typing import Any

import pytest

from hatoba.core.records import replace
from hatoba.store import Store, Tx
from hatoba.store.memory import MemoryDisk, MemoryJournal
from tests.unit.store.stored import HERE, Port, Ship, opened, picture, ports, ship, ships


def log_of(store: Store) -> list[str]:
    """Each ship's change is noted as a port, under the next number."""
    seen: list[str] = []

    def note(tx: Tx, before: Ship | None, after: Ship | None) -> None:
        seen.append(f"{before.name if before else '-'}→{after.name if after else '-'}")
        number = len(tx.all(ports))
        tx.put(ports, Port(key=ports.key(HERE, f"{number:03}"), berths=number))

    store.accompany(ships, note)
    return seen


async def test_what_a_companion_writes_is_durable_with_the_change() -> None:
    disk = MemoryDisk()
    async with opened(MemoryJournal(disk)) as store:
        seen = log_of(store)
        changes: list[Any] = []
        store.feed.subscribe(ports, changes.append)
        with store.tx() as tx:
            first = tx.put(ships, ship("a"))
            tx.put(ships, ship("b"))
            tx.put(ships, replace(first, name="again"))
        await store.durable()
        assert seen == ["-→again", "-→b"], "once for each record, as it was before and is after"
        assert len({change.seq for change in changes}) == 1
    async with opened(MemoryJournal(disk)) as store:
        assert len(store.all(ships)) == len(store.all(ports)) == 2


async def test_what_was_not_changed_after_all_has_no_companion() -> None:
    async with opened() as store:
        seen = log_of(store)
        with store.tx() as tx:
            tx.put(ships, ship("a"))
            tx.forget(ships, ships.key(HERE, "a"))
            tx.put(ports, Port(key=ports.key(HERE, "quay")))
        assert seen == []


async def test_a_companion_that_fails_takes_the_transaction_with_it() -> None:
    async with opened() as store:
        with store.tx() as tx:
            tx.put(ships, ship("a"))

        def fail(tx: Tx, before: Ship | None, after: Ship | None) -> None:
            tx.put(ports, Port(key=ports.key(HERE, "half")))
            raise ZeroDivisionError

        store.accompany(ships, fail)
        before, seq = picture(store), store.seq
        with pytest.raises(ZeroDivisionError), store.tx() as tx:
            tx.put(ships, ship("b"))
        assert (picture(store), store.seq, store.all(ports)) == (before, seq, [])
        with store.tx() as tx:  # the store is not left in the middle of it
            tx.put(ports, Port(key=ports.key(HERE, "quay")))


async def test_a_transaction_that_fails_has_no_companion() -> None:
    async with opened() as store:
        seen = log_of(store)
        with pytest.raises(ZeroDivisionError), store.tx() as tx:
            tx.put(ships, ship("a"))
            raise ZeroDivisionError
        assert (seen, store.all(ports)) == ([], [])
