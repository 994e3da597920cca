"""The store: transactions, durability, loading. `python -m bench.store`; no root needed.

Everything on the disk that holds the temporary folder: durable figures are that disk's as much as ours.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from hatoba.core.keys import Scope
from hatoba.core.records import Record, replace
from hatoba.core.secret import Sealer
from hatoba.store import Index, Store, Table
from hatoba.store.sqlite import SqliteJournal

HERE = Scope("aws", "123456789012", "us-east-1")
RECORDS = 100_000


class Thing(Record, frozen=True, kw_only=True):
    """About as large as a task's record."""

    cluster: str
    service: str
    state: str
    tags: tuple[str, ...] = ()
    text: str = ""


things = Table(
    "things",
    Thing,
    indexes=(
        Index("cluster", lambda thing: thing.cluster),
        Index("service", lambda thing: thing.service),
        Index("tag", lambda thing: thing.tags, many=True),
    ),
)


def thing(number: int) -> Thing:
    return Thing(
        key=things.key(HERE, f"{number:032x}"),
        cluster=f"c{number % 5}",
        service=f"s{number % 200}",
        state="RUNNING",
        tags=("blue", f"t{number % 50}"),
        text="x" * 300,
    )


def opened(path: Path) -> Store:
    store = Store(SqliteJournal(path), [things], Sealer(b"k" * 32))
    store.open()
    return store


def say(what: str, figure: str) -> None:
    print(f"{what:<66} {figure:>14}")


async def in_memory(store: Store) -> None:
    count = 10_000
    began = time.perf_counter()
    for number in range(count):
        with store.tx() as tx:
            tx.put(things, thing(number))
    say(
        "put of a new record, one per transaction, three indexes",
        f"{(time.perf_counter() - began) / count * 1e6:.1f} µs",
    )
    await store.durable()
    began = time.perf_counter()
    for number in range(count):
        with store.tx() as tx:
            known = tx.find(things, HERE, f"{number:032x}")
            assert known is not None
            tx.put(things, replace(known, state="STOPPED"))
    say("read and change of a record, one per transaction", f"{(time.perf_counter() - began) / count * 1e6:.1f} µs")
    await store.durable()
    began = time.perf_counter()
    with store.tx() as tx:
        for number in range(count, 2 * count):
            tx.put(things, thing(number))
    say("put of a new record, many in a transaction", f"{(time.perf_counter() - began) / count * 1e6:.1f} µs")
    began = time.perf_counter()
    await store.durable()
    say(f"durable after a transaction of {count:,}", f"{(time.perf_counter() - began) * 1e3:.0f} ms")


async def latency(store: Store) -> None:
    """One at a time: what a lone caller waits for."""
    taken = []
    for number in range(200):
        began = time.perf_counter()
        with store.tx() as tx:
            tx.put(things, thing(1_000_000 + number))
        await store.durable()
        taken.append(time.perf_counter() - began)
    say("commit → durable, one at a time, p50", f"{statistics.median(taken) * 1e3:.2f} ms")
    say("commit → durable, one at a time, p99", f"{statistics.quantiles(taken, n=100)[98] * 1e3:.2f} ms")


async def throughput(store: Store, callers: int) -> None:
    """Many callers, each waits for its own transaction before the next."""
    each = max(20, 4000 // callers)

    async def caller(own: int) -> None:
        for number in range(each):
            with store.tx() as tx:
                tx.put(things, thing(10_000_000 * (callers + 1) + own * each + number))
            await store.durable(tx.seq)

    began = time.perf_counter()
    await asyncio.gather(*(caller(own) for own in range(callers)))
    say(f"durable transactions a second, {callers} callers", f"{callers * each / (time.perf_counter() - began):,.0f}")


async def loading(path: Path) -> None:
    store = opened(path)
    with store.tx() as tx:
        for number in range(RECORDS):
            tx.put(things, thing(number))
    await store.durable()
    store.close()
    began = time.perf_counter()
    store = opened(path)
    say(f"opening with {RECORDS:,} records", f"{time.perf_counter() - began:.2f} s")
    assert len(store.all(things)) == RECORDS
    store.close()


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="hatoba-bench-") as folder:
        store = opened(Path(folder) / "one.db")
        await in_memory(store)
        await latency(store)
        for callers in (1, 16, 256):
            await throughput(store, callers)
        store.close()
        await loading(Path(folder) / "many.db")


if __name__ == "__main__":
    asyncio.run(main())
