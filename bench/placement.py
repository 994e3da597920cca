"""The scheduler on a simulated fleet: placements a second, what a task's change costs, what 100,000 tasks weigh.

python -m bench.placement [--nodes N] [--tasks N]

Real store, real tables, real records; the nodes are records only. The journal writes to a disk in memory, which the
weight includes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time

from bench.process import memory
from bench.rows import report
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.core.secret import Sealer
from hatoba.fleet import model as fleet
from hatoba.placement import Assignment
from hatoba.services.ecs.model import TABLES
from hatoba.services.ecs.model.instance import Instance, instances
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import Container, Placement, Task, tasks
from hatoba.services.ecs.model.task_definition import Definition, definitions
from hatoba.services.ecs.placing import assign
from hatoba.services.ecs.plan import launch
from hatoba.store import Store
from hatoba.store.memory import MemoryDisk, MemoryJournal

SCOPE = Scope("aws", "123456789012", "us-east-1")
SETTINGS = Settings()
GIB = 1 << 30
BATCH = 10  # what one RunTask places
PLACEMENT = Placement(
    strategy=(
        {"type": "spread", "field": "attribute:ecs.availability-zone"},
        {"type": "binpack", "field": "MEMORY"},
    ),
    constraints=({"type": "memberOf", "expression": "attribute:stack =~ 'green|gr.y' and attribute:ssd exists"},),
)


class Fleet:
    def __init__(self, store: Store, nodes: int) -> None:
        self.store = store
        self.placed = 0
        with store.tx() as tx:
            for number in range(nodes):
                node = fleet.Node(
                    key=fleet.nodes.key(fleet.FLEET, f"node-{number:05d}"),
                    name=f"node-{number:05d}",
                    number=number,
                    address="",
                    cpu=16 * 1024,
                    memory=64 * GIB,
                    seen_at=1.0,
                )
                tx.put(fleet.nodes, node)
                known = Instance(
                    key=instances.key(SCOPE, f"default/{node.id}"),
                    cluster="default",
                    node=node.id,
                    attributes={"stack": "green" if number % 5 else "blue", "ssd": ""},
                )
                tx.put(instances, known)
        content = {
            "networkMode": "host",
            "containerDefinitions": [
                {
                    "name": "web",
                    "image": "localhost:4566/web:1",
                    "essential": True,
                    "cpu": 256,
                    "memory": 512,
                    "portMappings": [],
                }
            ],
        }
        self.definition = Definition(
            key=definitions.key(SCOPE, "web:1"),
            family="web",
            revision=1,
            content=content,
            compatibilities=("EC2",),
            requires=(),
            registered_at=1.0,
            registered_by="",
        )

    def place(self, service: str, count: int) -> list[Task]:
        """As a RunTask does: one transaction in which they are placed and written."""
        wish = launch.Wish(
            cluster="default",
            definition=self.definition,
            launch_type="EC2",
            group=f"service:{service}",
            service=f"default/{service}",
            placement=PLACEMENT,
        )
        made = []
        with self.store.tx() as tx:
            taken = wish.reserve(SETTINGS)
            for answer in assign(tx, wish, count, SETTINGS):
                assert isinstance(answer, Assignment), answer.words()
                self.placed += 1
                task = launch.task(wish, SCOPE, f"{self.placed:032x}", answer.node, "", taken, 1.0)
                made.append(tx.put(tasks, task))
        return made

    def run(self, task: Task) -> Task:
        """It has come up: what a running task is in memory."""
        container = Container(
            name="web", status="RUNNING", runtime_id=f"{task.id}-1", digest="sha256:" + "a" * 64, health="HEALTHY"
        )
        with self.store.tx() as tx:
            return tx.put(
                tasks, replace(task, status="RUNNING", launched=True, containers=(container,), started_at=2.0)
            )

    def end(self, task: Task) -> None:
        with self.store.tx() as tx:
            tx.put(tasks, replace(task, status="STOPPED", desired="STOPPED", stopped_at=3.0))


async def change(there: Fleet, times: int) -> float:
    """Microseconds of CPU for one task that ends and is replaced somewhere, the median."""
    took = []
    for number in range(times):
        (task,) = there.place("changing", 1)
        task = there.run(task)
        began = time.thread_time()
        there.end(task)
        (other,) = there.place("changing", 1)
        took.append(time.thread_time() - began)
        there.end(there.run(other))
        if number % 50 == 0:
            await there.store.durable()
    return statistics.median(took) * 1e6


async def rate(there: Fleet, service: str, count: int) -> float:
    began = time.thread_time()
    for _ in range(count // BATCH):
        there.place(service, BATCH)
    seconds = time.thread_time() - began
    await there.store.durable()
    return count / seconds


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--nodes", type=int, default=5_000)
    arguments.add_argument("--tasks", type=int, default=100_000)
    given = arguments.parse_args()
    store = Store(MemoryJournal(MemoryDisk(kept=1)), (*TABLES, *fleet.TABLES), Sealer(b"k" * 32))
    store.open()
    there = Fleet(store, given.nodes)
    await store.durable()

    first = await rate(there, "first", 10)
    print(f"the first request of all, {BATCH} tasks: {BATCH / first * 1e3:.1f} ms")
    report(
        "placements: one service, ten at a time, written",
        await rate(there, "one", 3_000),
        "a second",
        at_least=3_000,
    )
    few = await change(there, 300)
    services = 0
    while there.placed < given.tasks:
        for task in there.place(f"s{services % 200}", min(500, given.tasks - there.placed)):
            there.run(task)
        services += 1
        await store.durable()
    report(f"{given.tasks} tasks on {given.nodes} nodes", memory(os.getpid()) / 1e9, "GB", at_most=1.5)
    report(f"placements: beside {given.tasks} tasks", await rate(there, "late", 3_000), "a second", at_least=3_000)
    many = await change(there, 300)
    print(f"one task ends and is replaced: {few:.0f} µs beside few, {many:.0f} µs beside {given.tasks}")
    report("one task's change, beside many against beside few", many / few, "times", at_most=1.5)
    for services, what in ((40, "forty services in turn"), (0, "every request another service")):
        names = [f"s{number % services}" if services else f"new{number}" for number in range(80)]
        for name in names[:services]:
            there.place(name, BATCH)
        began = time.thread_time()
        for name in names:
            there.place(name, BATCH)
        figure = len(names) * BATCH / (time.thread_time() - began)
        if services:
            report(f"placements: {what}", figure, "a second", at_least=3_000)
        else:
            print(f"placements: {what}: {figure:.0f} a second, {BATCH / figure * 1e3:.1f} ms each")
    store.close()


if __name__ == "__main__":
    asyncio.run(main())
