"""Records of yesterday's shape are read by today's Hatoba; tomorrow's are refused in one clear sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatoba.core.errors import Refused
from hatoba.core.records import Record
from hatoba.core.secret import Secret
from hatoba.store import Store, Table
from hatoba.store.journal import Journal
from hatoba.store.memory import MemoryDisk, MemoryJournal
from hatoba.store.sqlite import SqliteJournal
from tests.unit.store.stored import HERE, SEALER


class Crew1(Record, frozen=True, kw_only=True):
    people: str
    code: Secret


class Crew2(Record, frozen=True, kw_only=True):
    names: list[str]
    code: Secret


class Crew3(Record, frozen=True, kw_only=True):
    names: dict[str, int]
    code: Secret


def two(row: dict[str, Any]) -> dict[str, Any]:
    return {"names": row.pop("people").split(","), **row}


def three(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "names": {name: len(name) for name in row["names"]}}


first = Table("crews", Crew1)
second = Table("crews", Crew2, schema=2, migrations={1: two})
third = Table("crews", Crew3, schema=3, migrations={1: two, 2: three})
newcomer = Table("newcomers", Crew1)


def write(journal: Journal, table: Table[Any], **fields: Any) -> None:
    store = Store(journal, [table], SEALER)
    store.open()
    with store.tx() as tx:
        tx.put(table, table.type(key=table.key(HERE, "c"), code=Secret("s"), **fields))
    store.close()


def read(journal: Journal, *tables: Table[Any]) -> Any:
    store = Store(journal, tables, SEALER)
    store.open()
    (found,) = store.all(tables[0])
    store.close()
    return found


async def test_through_all_steps_at_once(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    write(SqliteJournal(path), first, people="ada,bo")
    for _ in range(2):  # the second time there is nothing to migrate
        found = read(SqliteJournal(path), third)
        assert (found.names, found.code.reveal(), found.version) == ({"ada": 3, "bo": 2}, "s", 1)


async def test_step_by_step(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    write(SqliteJournal(path), first, people="ada,bo")
    assert read(SqliteJournal(path), second).names == ["ada", "bo"]
    assert read(SqliteJournal(path), third).names == {"ada": 3, "bo": 2}


async def test_a_newer_schema_is_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    write(SqliteJournal(path), third, names={"ada": 3})
    for tables in ([second], [second, newcomer], [newcomer]):
        journal = SqliteJournal(path)
        with pytest.raises(Refused, match=r"written by a newer Hatoba: table crews has schema 3, this version\s*knows"):
            Store(journal, tables, SEALER).open()
        journal.close()
    journal = SqliteJournal(path)
    assert journal.written() == {"crews": 3}  # what was refused has left no table of its own behind
    journal.close()
    assert read(SqliteJournal(path), third).names == {"ada": 3}


async def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    write(SqliteJournal(path), first, people="ada")
    broken = Table("crews", Crew2, schema=2, migrations={1: lambda row: row["no such field"]})
    journal = SqliteJournal(path)
    with pytest.raises(KeyError):
        Store(journal, [broken], SEALER).open()
    journal.close()
    assert read(SqliteJournal(path), first).people == "ada"


async def test_in_memory_too() -> None:
    disk = MemoryDisk()
    write(MemoryJournal(disk), first, people="ada")
    assert read(MemoryJournal(disk), third).names == {"ada": 3}
    with pytest.raises(Refused, match="newer"):
        Store(MemoryJournal(disk), [first], SEALER).open()


def test_a_gap_in_the_migrations_is_found_at_import() -> None:
    with pytest.raises(TypeError, match="no migration from schema"):
        Table("crews", Crew3, schema=3, migrations={1: two})


async def test_another_master_key_is_refused(tmp_path: Path) -> None:
    from hatoba.core.secret import Sealer

    path = tmp_path / "j.db"
    write(SqliteJournal(path), first, people="ada")
    store = Store(SqliteJournal(path), [first], Sealer(b"x" * 32))
    with pytest.raises(Refused, match="master key"):
        store.open()
    store.close()
