"""Makes room for tasks that found none, where Spot tasks are: they are interrupted as AWS interrupts them.

An interrupted task gets SIGTERM at once and has its stop timeout to end; its change of state is the warning. Whoever
found no room asks again: a service when the first of them has gone, a caller of RunTask by calling once more.
"""

from __future__ import annotations

from hatoba.fleet.model import FLEET, nodes
from hatoba.placement import Refusal
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import SPOT, Task, tasks
from hatoba.services.ecs.model.usage import Usage
from hatoba.services.ecs.plan import lifecycle
from hatoba.services.ecs.plan.launch import Wish
from hatoba.services.ecs.plan.spot import CODE, REASON, Occupant, Room, giving_way
from hatoba.store import Tx
from hatoba.store.store import View


def make_room(tx: Tx, wish: Wish, refusal: Refusal, count: int, settings: Settings, now: float) -> int:
    """Interrupts what has to give way to `count` such tasks; how many are."""
    if wish.capacity_provider == SPOT or not tx.count(tasks, "spot", True):
        return 0
    short = {*refusal.lacking.get("cpu", ()), *refusal.lacking.get("memory", ())}
    rooms = [room for node in sorted(short) if (room := _room(tx, node)) is not None]
    size = wish.reserve(settings)
    ids = set(giving_way(size.cpu, size.memory, count, rooms))
    for task in tx.index(tasks, "spot", True):
        if task.id in ids:
            interrupt(tx, task, now)
    return len(ids)


def interrupt(tx: Tx, task: Task, now: float) -> None:
    tx.put(tasks, lifecycle.settle(lifecycle.end(task, CODE, REASON), now))


def _room(view: View, id_: str) -> Room | None:
    """What is free on the node, once that has ended which is ending already."""
    node = view.find(nodes, FLEET, id_)
    if node is None:
        return None
    use = view.tally(tasks, Usage).on(id_)
    there = view.index(tasks, "node", id_)
    ending = [task.reserve for task in there if task.desired == "STOPPED"]
    spot = [task for task in there if task.desired == "RUNNING" and task.capacity_provider == SPOT]
    return Room(
        node=id_,
        cpu=node.cpu - use.cpu + sum(reserve.cpu for reserve in ending),
        memory=node.memory - use.memory + sum(reserve.memory for reserve in ending),
        spot=tuple(
            Occupant(id=task.id, cpu=task.reserve.cpu, memory=task.reserve.memory, created_at=task.created_at)
            for task in spot
        ),
    )
