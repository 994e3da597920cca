"""What rooms declare is true: operations of the models, tables with names of their own, the generated pages current."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hatoba.app.rooms import ROOMS, tables
from hatoba.aws import models
from hatoba.aws.shapes._scope import TYPED
from hatoba.gateway.room import snake
from hatoba.node.memory import held_table, item_table, position_table
from tests.tidy.tree import PACKAGE, ROOT, name, text
from tools.parity import PARITY, parity

BY_NAME = {room.service.name: room for room in ROOMS}


@pytest.mark.parametrize("room", BY_NAME)
def test_every_operation_is_one_of_the_model(room: str) -> None:
    known = {snake(operation) for operation in models.load(room).operations}
    assert BY_NAME[room].service.handlers.keys() - known == set()


@pytest.mark.parametrize("room", BY_NAME)
def test_what_is_implemented_has_typed_shapes(room: str) -> None:
    typed = TYPED.get(room, ())
    implemented = BY_NAME[room].service.handlers
    assert typed is None or implemented.keys() <= {snake(operation) for operation in typed}


@pytest.mark.parametrize("room", sorted(BY_NAME))
def test_what_each_operation_needs_is_told(room: str) -> None:
    """In the room's `access`; and nothing is told of operations that are not there."""
    service = BY_NAME[room].service
    told = {snake(operation) for operation in service.access.rules}
    assert (service.handlers.keys() - told, told - service.handlers.keys()) == (set(), set())
    assert service.access.rules.keys() <= set(models.load(room).operations)


def test_every_room_is_wired() -> None:
    folders = {path.parent.name for path in (PACKAGE / "services").glob("*/__init__.py")}
    assert {room.service.alias for room in ROOMS} == folders


def test_every_room_explains_itself() -> None:
    folders = [path.parent for path in (PACKAGE / "services").glob("*/__init__.py")]
    assert [folder.name for folder in folders if not (folder / "README.md").is_file()] == []


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in (PACKAGE / "services").glob("*/__init__.py")), ids=name
)
def test_a_room_says_what_its_files_are(folder: Path) -> None:
    """Each of them is in its README, or else where its folder begins."""
    there = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    said = set(re.findall(r"\w+", text(folder / "README.md") + text(folder / "__init__.py")))
    assert there - said - {"__init__"} == set()


def test_tables_have_names_of_their_own() -> None:
    """A table's name is its place in the journal, for good: `<room or engine>.<noun in the plural>`."""
    names = [table.name for table in (*tables(), item_table, held_table, position_table)]
    assert sorted({name for name in names if names.count(name) > 1}) == []
    assert [name for name in names if not re.fullmatch(r"[a-z][a-z0-9]*\.[a-z]+(_[a-z]+)*", name)] == []
    for room in ROOMS:
        assert [t.name for t in room.tables if not t.name.startswith(f"{room.service.alias}.")] == []


def test_parity_is_current() -> None:
    """If not: make parity"""
    assert PARITY.relative_to(ROOT).as_posix() == "docs/parity.md"
    assert PARITY.read_text() == parity()
