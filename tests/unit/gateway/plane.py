"""A control plane with a journal that a test can hold up."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hatoba.core.clock import ManualClock
from hatoba.core.ids import SeededIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.records import Record, replace
from hatoba.core.secret import Sealer
from hatoba.gateway import access
from hatoba.gateway.access import Authorizer
from hatoba.gateway.call import Call
from hatoba.gateway.idempotency import idempotent
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.room import Service
from hatoba.store import Store, Table
from hatoba.store.journal import Entry, Row
from tests.unit.gateway.roles_pass import RolesPass

SCOPE = Scope("aws", "123456789012", "eu-west-1")


class Named(Record, frozen=True, kw_only=True):
    count: int = 0


things = Table("test.things", Named)


class HeldJournal:
    """In memory; writes wait while `held` is not set."""

    blocking = True

    def __init__(self) -> None:
        self.may_write = threading.Event()
        self.may_write.set()

    def written(self) -> Mapping[str, int]:
        return {}

    def open(self, schemas: Mapping[str, int]) -> tuple[int, int]:
        return 1, 0

    def rows(self) -> Iterator[Row]:
        return iter(())

    def migrated(self, rows: Iterator[Row], schemas: Mapping[str, int]) -> None:
        raise AssertionError

    def append(self, epoch: int, after: int, entries: list[Entry]) -> None:
        assert self.may_write.wait(10)

    def tail(self, after: int) -> Iterator[Entry]:
        return iter(())

    def close(self) -> None:
        return


def write(call: Call, name: str, version: int | None = None) -> int:
    key = things.key(call.scope, name)
    with call.tx() as tx:
        thing = tx.get(things, key) or Named(key=key)
        if version is not None:
            thing = replace(thing, version=version)
        tx.put(things, replace(thing, count=thing.count + 1))
    return thing.count + 1


@contextmanager
def plane(*rooms: Service, authorizer: Authorizer | None = None) -> Iterator[tuple[ControlPlane, HeldJournal]]:
    journal = HeldJournal()
    sealer = Sealer(bytes(32))
    store = Store(journal, [things, idempotent], sealer)
    store.open()
    made = ControlPlane(
        store=store,
        clock=ManualClock(),
        ids=SeededIds(),
        pager=Pager(sealer),
        rooms=rooms,
        identities=access.KnownKeys(),
        authorizer=authorizer or RolesPass(),
        strict=True,
    )
    try:
        yield made, journal
    finally:
        journal.may_write.set()
        store.close()


def door(made: ControlPlane, service: str = "ecs") -> Any:
    return made.door(SCOPE, service)
