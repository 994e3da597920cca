"""Transactions: all or nothing, in rows, in every index and in the order of scans."""

# ruff: noqa: PT012  a transaction is more than one statement

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatoba.core.records import replace
from hatoba.core.secret import Secret
from hatoba.store import Conflict, Store
from hatoba.store.memory import MemoryDisk, MemoryJournal
from tests.unit.store.stored import HERE, SEALER, THERE, Manifest, Ship, opened, picture, ports, ship, ships

IDS = ("a", "b", "bb", "c")
fields = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["x", "yy", "zzz"]),
        "flag": st.sampled_from([None, "no", "se"]),
        "cargo": st.lists(st.sampled_from(["tea", "iron"]), max_size=3).map(tuple),
    }
)
steps = st.lists(
    st.tuples(st.sampled_from(["put", "forget"]), st.sampled_from(IDS), st.sampled_from([HERE, THERE]), fields),
    max_size=12,
)


def act(tx: Any, script: Any) -> None:
    for verb, id_, scope, values in script:
        known = tx.find(ships, scope, id_)
        if verb == "forget":
            tx.forget(ships, ships.key(scope, id_))
        else:
            tx.put(ships, replace(known or ship(id_, scope), **values))


@given(before=steps, inside=steps)
@settings(max_examples=150, deadline=None)
def test_a_failed_transaction_leaves_no_trace(before: Any, inside: Any) -> None:
    async def run() -> None:
        async with opened() as store:
            with store.tx() as tx:
                act(tx, before)
            found, seq = picture(store), store.seq
            with pytest.raises(ZeroDivisionError), store.tx() as tx:
                act(tx, inside)
                raise ZeroDivisionError
            assert picture(store) == found
            assert store.seq == seq

    asyncio.run(run())


@given(scripts=st.lists(steps, max_size=5))
@settings(max_examples=80, deadline=None)
def test_what_is_reopened_is_what_was_there(scripts: Any) -> None:
    async def run() -> None:
        disk = MemoryDisk()
        async with opened(MemoryJournal(disk)) as store:
            for script in scripts:
                with store.tx() as tx:
                    act(tx, script)
            found = picture(store)
        async with opened(MemoryJournal(disk)) as store:
            assert picture(store) == found

    asyncio.run(run())


async def test_an_await_inside_a_transaction_raises_and_writes_nothing() -> None:
    async with opened() as store:
        with pytest.raises(RuntimeError, match="await inside a transaction"):
            with store.tx() as tx:
                tx.put(ships, ship("a"))
                await asyncio.sleep(0)
                tx.put(ships, ship("b"))
        assert store.all(ships) == []
        assert store.seq == 0
        with store.tx() as tx:  # and the next one works
            tx.put(ships, ship("c"))
        assert tx.seq == 1


async def test_a_transaction_that_is_cancelled_while_it_waits_writes_nothing() -> None:
    async with opened() as store:

        async def wrong() -> None:
            with store.tx() as tx:
                tx.put(ships, ship("a"))
                await asyncio.sleep(10)

        task = asyncio.create_task(wrong())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert store.all(ships) == []
        with store.tx() as tx:
            tx.put(ships, ship("b"))


async def test_transactions_do_not_nest() -> None:
    async with opened() as store:
        with pytest.raises(RuntimeError, match="do not nest"):
            with store.tx() as tx:
                tx.put(ships, ship("a"))
                with store.tx():
                    pass
        assert store.all(ships) == []


async def test_writing_outside_of_the_with_is_refused() -> None:
    async with opened() as store:
        tx = store.tx()
        with pytest.raises(RuntimeError, match="never reach the journal"):
            tx.put(ships, ship("a"))
        with tx:
            tx.put(ships, ship("a"))
        with pytest.raises(RuntimeError, match="never reach the journal"):
            tx.forget(ships, ships.key(HERE, "a"))
        assert len(store.all(ships)) == 1


async def test_a_version_that_is_not_the_stored_one_conflicts() -> None:
    async with opened() as store:
        with store.tx() as tx:
            first = tx.put(ships, ship("a"))
        assert first.version == 1
        with store.tx() as tx:
            second = tx.put(ships, replace(first, flag="no"))
        with pytest.raises(Conflict), store.tx() as tx:
            tx.put(ships, replace(first, flag="se"))
        with pytest.raises(Conflict), store.tx() as tx:
            tx.put(ships, ship("a"))
        with pytest.raises(Conflict), store.tx() as tx:
            tx.put(ships, replace(ship("new"), version=3))
        assert store.all(ships) == [second]


async def test_put_and_forget_in_one_transaction_was_never_there() -> None:
    async with opened() as store:
        heard: list[Any] = []
        store.feed.subscribe(ships, heard.append)
        with store.tx() as tx:
            tx.put(ships, ship("a", flag="no"))
            tx.forget(ships, ships.key(HERE, "a"))
        assert tx.seq is None
        await store.durable()
        assert (store.seq, heard, store.index(ships, "flag", "no")) == (0, [], [])
        with store.tx() as tx:
            tx.put(ships, ship("a"))
            tx.put(ports, ports.type(key=ports.key(HERE, "p")))
            tx.forget(ships, ships.key(HERE, "a"))
        await store.durable()
        assert heard == []
        assert [p.id for p in store.all(ports)] == ["p"]


async def test_forgetting_and_making_anew_is_one_change() -> None:
    async with opened() as store:
        with store.tx() as tx:
            old = tx.put(ships, ship("a", flag="no"))
        await store.durable()
        heard: list[Any] = []
        store.feed.subscribe(ships, heard.append)
        with store.tx() as tx:
            tx.forget(ships, old.key)
            new = tx.put(ships, ship("a", flag="se"))
        await store.durable()
        assert [(change.before, change.after) for change in heard] == [(old, new)]
        assert store.index(ships, "flag", "no") == []


async def test_a_record_that_cannot_be_encoded_leaves_nothing() -> None:
    async with opened() as store:
        with pytest.raises(NotImplementedError), store.tx() as tx:
            tx.put(ships, ship("a", flag="no"))
            tx.put(ships, ship("b", odd=object()))
        assert picture(store)[0] == {}
        assert store.index(ships, "flag", "no") == []
        with store.tx() as tx:
            tx.put(ships, ship("b"))


async def test_a_record_that_an_index_refuses_leaves_nothing() -> None:
    async with opened() as store:
        with store.tx() as tx:
            old = tx.put(ships, ship("b", flag="no", cargo=("tea",)))
        found = picture(store)
        for wrong in ({"name": 7}, {"flag": ["a list cannot be hashed"]}):
            with pytest.raises(TypeError), store.tx() as tx:
                tx.put(ships, ship("a", flag="no"))
                tx.put(ships, replace(old, cargo=("iron",), **wrong))  # type: ignore[arg-type]
            assert picture(store) == found


async def test_a_key_of_another_table_is_refused() -> None:
    async with opened() as store:
        with pytest.raises(TypeError, match="table"), store.tx() as tx:
            tx.put(ships, Ship(key=ports.key(HERE, "a"), name="a"))
        assert store.all(ships) == []


async def test_secrets_are_sealed_on_disk_and_open_in_memory() -> None:
    disk = MemoryDisk()
    async with opened(MemoryJournal(disk)) as store:
        with store.tx() as tx:
            tx.put(ships, ship("a", code=Secret("open sesame")))
    assert not any(b"sesame" in data for data in disk.rows.values())
    assert not any(b"sesame" in (write.data or b"") for entry in disk.log for write in entry.writes)
    async with opened(MemoryJournal(disk)) as store:
        (found,) = store.all(ships)
        assert found.code is not None
        assert found.code.reveal() == "open sesame"
        assert "sesame" not in repr(found)


async def test_a_store_that_is_not_open_takes_nothing() -> None:
    store = Store(MemoryJournal(MemoryDisk()), [ships, ports], SEALER)
    with pytest.raises(Exception, match="not open"), store.tx() as tx:
        tx.put(ships, ship("a"))
    assert store.all(ships) == []


async def test_a_tally_is_true_inside_a_transaction_and_after_one_that_was_taken_back() -> None:
    async with opened() as store:
        carried = store.tally(ships, Manifest).carried
        with store.tx() as tx:
            tx.put(ships, ship("a", cargo=("tea", "tea")))
            assert carried["tea"] == 2
        seen = store.changes(ships)
        with pytest.raises(ZeroDivisionError), store.tx() as tx:
            tx.forget(ships, ships.key(HERE, "a"))
            assert (carried["tea"], tx.changes(ships) > seen) == (0, True)
            raise ZeroDivisionError
        assert (carried["tea"], store.changes(ships) > seen) == (2, True)  # whoever looked inside must look again


async def test_what_is_written_over_is_the_next_version_of_it() -> None:
    async with opened() as store:
        with store.tx() as tx:
            assert tx.write(ships, ship("a", name="x")).version == 1
        with store.tx() as tx:
            assert tx.write(ships, replace(ship("a", name="x"), version=7)).version == 2, "also when it says the same"
        with pytest.raises(ZeroDivisionError), store.tx() as tx:
            tx.write(ships, ship("a", name="y"))
            raise ZeroDivisionError
        found = store.find(ships, HERE, "a")
        assert (found.name, found.version) == ("x", 2)


async def test_what_is_renewed_as_it_is_wakes_nobody() -> None:
    async with opened() as store:
        heard: list[Any] = []
        store.feed.subscribe(ships, heard.append)
        with store.tx() as tx:
            first = tx.renew(ships, ship("a", name="x"))
        with store.tx() as tx:
            assert tx.renew(ships, ship("a", name="x")) == first
        assert tx.seq is None, "nothing to keep"
        with store.tx() as tx:
            assert tx.renew(ships, ship("a", name="y")).version == 2
        await store.durable()
        assert [change.after.name for change in heard] == ["x", "y"]
