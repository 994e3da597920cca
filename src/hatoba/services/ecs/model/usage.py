"""What every node has in use by tasks: a tally of the table of tasks, and the scheduler that decides by it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from hatoba.core.keys import Scope
from hatoba.placement import Load, Scheduler, Site, Use

if TYPE_CHECKING:
    from hatoba.services.ecs.model.task import Task

Where = tuple[str, str, str, str, str]  # a scope, a cluster in it, and a launch type: what groups belong to
Group = tuple[Where, str, str]


def where(scope: Scope, cluster: str, launch_type: str) -> Where:
    return (*scope, cluster, launch_type)


def group_of(place: Where, group: str) -> Group:
    return place, "group", group


def status_of(place: Where, status: str) -> Group:
    return place, "status", status


def groups_in(use: Use, place: Where) -> list[str]:
    """The task groups that have something on the node."""
    return [name for at, kind, name in cast("Iterable[Group]", use.counts) if kind == "group" and at == place]


class Usage:
    """`sites` and `zones` are kept by whoever makes them (`placing`), with what they were made from."""

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.sites: dict[object, tuple[tuple[int, int], dict[str, Site]]] = {}
        self.zones: dict[object, tuple[tuple[int, int], frozenset[str]]] = {}

    def change(self, before: Task | None, after: Task | None) -> None:
        self.scheduler.ledger.change(_load(before), _load(after))

    def on(self, node: str) -> Use:
        return self.scheduler.ledger.use(node)


_COUNTED = {"PROVISIONING": "pending", "PENDING": "pending", "ACTIVATING": "pending", "RUNNING": "running"}


def _load(task: Task | None) -> Load | None:
    if task is None or not task.node or task.status == "STOPPED":
        return None
    place = where(task.scope, task.cluster, task.launch_type)
    counted = _COUNTED.get(task.status)
    return Load(
        node=task.node,
        cpu=task.reserve.cpu,
        memory=task.reserve.memory,
        ports=task.reserve.ports,
        counts=(group_of(place, task.group), *((status_of(place, counted),) if counted else ())),
    )
