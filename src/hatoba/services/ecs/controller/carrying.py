"""What a plan says of tasks that are there, carried out in the transaction in which it was made; and which changes of
tasks ask for a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.services.ecs.model.task import Task, tasks
from hatoba.services.ecs.plan import lifecycle
from hatoba.services.ecs.plan.rollout import Plan, moved
from hatoba.store import Change, Tx

REST_PER_TASK = 100e-6  # seconds of rest after a pass: about ten times what a pass costs
TRY_AGAIN = 5.0  # seconds until what a neighbour refused is asked of it again


def move(tx: Tx, joined: Sequence[Task], drained_at: Mapping[str, float], of: Key, now: float) -> list[str]:
    """These were registered, those deregistered just now; what is to be said of it."""
    left = [_change(tx, id_, of, now, balancing="draining", drained_at=at) for id_, at in drained_at.items()]
    for task in joined:
        _change(tx, task.id, of, now, balancing="joined")
    return moved([task for task in joined if task.balancing == "joining"], left)


def carry_out(tx: Tx, step: Plan, of: Key, now: float) -> None:
    for task in step.drained:
        _change(tx, task.id, of, now, balancing="left")
    for task in step.ended:
        _change(tx, task.id, of, now, counted=True)
    for stop in step.stop:
        task = _task(tx, stop.task, of)
        ended = lifecycle.end(task, "ServiceSchedulerInitiated", stop.reason)
        tx.put(tasks, lifecycle.settle(replace(ended, counted=True), now))


def concerns(change: Change[Task]) -> bool:
    """What the task's service decides by has changed."""
    before, after = change.before, change.after
    return after is not None and bool(after.service) and (before is None or _matters(before) != _matters(after))


def makes_room(change: Change[Task]) -> bool:
    """The task has stopped: for whom there was no room, there may be now."""
    before, after = change.before, change.after
    return after is not None and after.status == "STOPPED" and (before is None or before.status != "STOPPED")


def _matters(task: Task) -> tuple[Any, ...]:
    health = [container.health for container in task.containers]
    own = (task.status, task.desired, task.leaving, task.balancing, task.lost, task.counted, task.protected_until)
    return (*own, health)


def _task(tx: Tx, id_: str, of: Key) -> Task:
    task = tx.find(tasks, of.scope, id_)
    assert task is not None, "a task is remembered for longer than a transaction"
    return task


def _change(tx: Tx, id_: str, of: Key, now: float, **fields: Any) -> Task:
    return tx.put(tasks, lifecycle.settle(replace(_task(tx, id_, of), **fields), now))
