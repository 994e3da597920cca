"""The operator's verbs for nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hatoba.app.nodes import Nodes, Spot
from hatoba.core.clock import ManualClock
from hatoba.core.errors import Refused
from hatoba.core.keys import Scope
from hatoba.core.secret import Sealer
from hatoba.fleet import model as m
from hatoba.services.ecs.model import TABLES
from hatoba.services.ecs.model.task import Task, tasks
from hatoba.store import Store
from hatoba.store.memory import MemoryDisk, MemoryJournal

HERE = Scope("aws", "123456789012", "us-east-1")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store(MemoryJournal(MemoryDisk()), m.TABLES, Sealer(b"k" * 32))
    opened.open()
    with opened.tx() as tx:
        for number, name in enumerate(("one", "two", "two")):
            node = m.Node(
                key=m.nodes.key(m.FLEET, f"node-{number}"),
                name=name,
                number=number,
                address="",
                cpu=2048,
                memory=8 << 30,
                attributes={"stack": "blue", "ssd": ""} if not number else {},
            )
            tx.put(m.nodes, node)
    yield opened
    opened.close()


def node(store: Store, id_: str) -> m.Node | None:
    return store.find(m.nodes, m.FLEET, id_)


async def test_a_table_of_them(store: Store) -> None:
    head, *rows = (await Nodes(store).list("")).splitlines()
    assert head.split() == ["NAME", "ID", "STATE", "TASKS", "CPU", "MEMORY", "ADDRESS", "ATTRIBUTES"]
    assert rows[0].split() == ["one", "node-0", "ready", "0", "2048", "8.0", "GiB", "-", "ssd", "stack=blue"]
    assert len(rows) == 3


async def test_one_is_closed_to_new_tasks_and_opened_again(store: Store) -> None:
    nodes = Nodes(store)
    assert "takes no new tasks" in await nodes.cordon("one")
    assert "ready, closed" in await nodes.list("")
    closed = node(store, "node-0")
    assert closed is not None
    assert not closed.schedulable
    assert "takes new tasks again" in await nodes.uncordon("node-0")
    opened = node(store, "node-0")
    assert opened is not None
    assert opened.schedulable


async def test_only_one_that_is_lost_is_removed_and_what_it_ran_is_lost(store: Store) -> None:
    nodes = Nodes(store)
    with store.tx() as tx:
        tx.put(m.workloads, m.Workload(key=m.workloads.key(HERE, "w"), node="node-0"))
    with pytest.raises(Refused, match="is connected"):
        await nodes.remove("one")
    with store.tx() as tx:
        known = tx.find(m.nodes, m.FLEET, "node-0")
        assert known is not None
        tx.put(m.nodes, m.Node(**{f: getattr(known, f) for f in known.__struct_fields__} | {"state": "lost"}))
    assert "forgotten" in await nodes.remove("one")
    assert node(store, "node-0") is None


@pytest.mark.parametrize(("name", "words"), [("three", "no node three"), ("two", "2 nodes are called two")])
async def test_it_must_be_one_node(store: Store, name: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        await Nodes(store).cordon(name)


async def test_only_a_running_spot_task_is_interrupted(tmp_path: Path) -> None:
    opened = Store(MemoryJournal(MemoryDisk()), (*m.TABLES, *TABLES), Sealer(b"k" * 32))
    opened.open()
    with opened.tx() as tx:
        for id_, provider in (("a", "FARGATE_SPOT"), ("b", "FARGATE")):
            task = Task(
                key=tasks.key(HERE, id_),
                cluster="default",
                definition="web:1",
                launch_type="FARGATE",
                group="",
                created_at=1.0,
                capacity_provider=provider,
            )
            tx.put(tasks, task)
    spot = Spot(opened, ManualClock())
    with pytest.raises(Refused, match="no running task of the capacity provider"):
        await spot.interrupt("b")
    assert "is interrupted" in await spot.interrupt("arn:aws:ecs:us-east-1:123456789012:task/default/a")
    after = opened.find(tasks, HERE, "a")
    assert after is not None
    assert (after.desired, after.stop_code) == ("STOPPED", "SpotInterruption")
    with pytest.raises(Refused):
        await spot.interrupt("a")
    opened.close()
