"""Tables and stores that the store's tests share."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.core.secret import Sealer, Secret
from hatoba.store import Index, Store, Table
from hatoba.store.journal import Journal
from hatoba.store.memory import MemoryDisk, MemoryJournal

HERE = Scope("aws", "123456789012", "us-east-1")
THERE = Scope("aws", "123456789012", "eu-west-1")
SEALER = Sealer(b"k" * 32)


class Ship(Record, frozen=True, kw_only=True):
    name: str
    flag: str | None = None
    cargo: tuple[str, ...] = ()
    code: Secret | None = None
    odd: Any = None  # whatever the codec refuses


class Manifest:
    """How many ships carry what: a tally, and how it is told from adding up."""

    def __init__(self) -> None:
        self.carried: Counter[str] = Counter()

    def change(self, before: Ship | None, after: Ship | None) -> None:
        self.carried.subtract(before.cargo if before else ())
        self.carried.update(after.cargo if after else ())


ships = Table(
    "ships",
    Ship,
    indexes=(
        Index("flag", lambda ship: ship.flag),
        Index("cargo", lambda ship: ship.cargo, many=True),
        Index("length", lambda ship: len(ship.name)),  # fails on a name that is not a text
    ),
    tallies=(Manifest,),
)


class Port(Record, frozen=True, kw_only=True):
    berths: int = 0


ports = Table("ports", Port)


def ship(id_: str, scope: Scope = HERE, **fields: Any) -> Ship:
    return Ship(key=ships.key(scope, id_), **{"name": id_, **fields})


@asynccontextmanager
async def opened(journal: Journal | None = None, **options: Any) -> AsyncIterator[Store]:
    store = Store(journal or MemoryJournal(MemoryDisk()), [ships, ports], SEALER, **options)
    store.open()
    try:
        yield store
    finally:
        store.close()


def picture(store: Store) -> Any:
    """Everything that can be read, by every way of reading."""
    everything = store.all(ships)
    carried = +Counter(item for ship in everything for item in ship.cargo)
    assert +store.tally(ships, Manifest).carried == carried
    flags = {ship.flag for ship in everything} | {"no", "se", "de"}
    cargo = {item for ship in everything for item in ship.cargo} | {"tea", "iron"}
    return (
        {ship.key: ship for ship in everything},
        [list(store.scan(ships, scope)) for scope in (HERE, THERE)],
        {flag: store.index(ships, "flag", flag) for flag in flags if flag},
        {item: (store.index(ships, "cargo", item), store.count(ships, "cargo", item)) for item in cargo},
        {length: store.count(ships, "length", length) for length in range(8)},
    )
