"""From changes of records to the event bus: at least once, in order, and only where there is a bus.

`attach` has every event written in the transaction of the change that it tells of, so a crash loses none and a change
that was taken back is not told. The controller hands them on through the public operation, and forgets what was taken.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from hatoba.core.errors import PortError
from hatoba.core.keys import Key, Scope
from hatoba.fleet.model import Node, nodes
from hatoba.gateway.call import Platform
from hatoba.reconcile import Wake
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.cluster import clusters
from hatoba.services.ecs.model.instance import Instance, find_instance, instances, joined
from hatoba.services.ecs.model.outgoing import Outgoing, outgoing
from hatoba.services.ecs.model.service import Event, Service, events, services
from hatoba.services.ecs.model.task import Task, tasks
from hatoba.services.ecs.model.task_definition import definitions
from hatoba.services.ecs.model.task_set import TaskSet, task_sets
from hatoba.services.ecs.model.usage import Usage
from hatoba.services.ecs.plan import happenings
from hatoba.services.ecs.plan.happenings import Action
from hatoba.services.ecs.views import event as view
from hatoba.services.ecs.views import instance as instance_view
from hatoba.services.ecs.views import task as task_view
from hatoba.store import Change, Store, Tx

log = logging.getLogger(__name__)

SOURCE = "aws.ecs"
BATCH = 10  # entries of one PutEvents
MOST = 1000  # handed on before others have their turn
_LATER = ("InternalFailure", "InternalException", "ThrottlingException")
ALL = Key("", "", "", outgoing.name, "queue")


class Outbox:
    name = "ecs.outbox"

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._store: Store = platform.store
        self._last: int | None = None
        self.refused = 0  # events that the bus would never take
        self.wakes: tuple[Wake, ...] = (Wake(outgoing, self._written),)

    def attach(self) -> None:
        """From now on what happens is written down."""
        store = self._store
        store.accompany(tasks, self._task)
        store.accompany(services, self._service)
        store.accompany(events, self._said)
        store.accompany(task_sets, self._task_set)
        store.accompany(nodes, self._node)
        store.accompany(instances, self._instance)

    # --- writing

    def _put(self, tx: Tx, scope: Scope, happened: view.Event) -> None:
        now = self._platform.clock.now()
        if self._last is None:
            self._last = max((int(known.id) for known in tx.all(outgoing)), default=0)
        self._last = max(self._last + 1, int(now * 1e6))
        record = Outgoing(
            key=outgoing.key(scope, f"{self._last:020}"),
            type=happened.type,
            detail=msgspec.json.encode(happened.detail),
            resources=happened.resources,
            at=now,
        )
        tx.put(outgoing, record)

    def _task(self, tx: Tx, before: Task | None, after: Task | None) -> None:
        if after is None:
            return
        definition = tx.find(definitions, after.scope, after.definition)
        if definition is None:
            return
        shape = task_view.task(after, definition)
        if before is None or _differs(task_view.task(before, definition), shape):
            self._put(tx, after.scope, view.task(shape, self._platform.clock.now()))
        if after.node and after.launch_type != "FARGATE" and _takes(before) != _takes(after):
            self._seen(tx, after.scope, after.cluster, after.node)

    def _service(self, tx: Tx, before: Service | None, after: Service | None) -> None:
        if after is None:
            return
        now = self._platform.clock.now()
        for action in happenings.actions(before, after):
            self._put(tx, after.scope, _action(after, action, now))
        for turn in happenings.turns(before, after):
            told = view.deployment(after.arn, turn.level, turn.name, turn.deployment, turn.reason, now)
            self._put(tx, after.scope, told)

    def _said(self, tx: Tx, before: Event | None, after: Event | None) -> None:
        service = tx.find(services, after.scope, after.service) if after is not None else None
        if after is not None and before is None and service is not None:
            for action in happenings.said(after, service):
                self._put(tx, after.scope, _action(service, action, after.at))

    def _task_set(self, tx: Tx, before: TaskSet | None, after: TaskSet | None) -> None:
        service = tx.find(services, after.scope, after.service) if after is not None else None
        if after is None or service is None:
            return
        now = self._platform.clock.now()
        for action in happenings.set_actions(before, after):
            told = _action(service, action, now)
            self._put(tx, after.scope, msgspec.structs.replace(told, resources=(service.arn, after.arn)))

    def _node(self, tx: Tx, before: Node | None, after: Node | None) -> None:
        """A node is an instance in every cluster."""
        if after is None or (before is not None and _looks(before) == _looks(after)):
            return
        for cluster in tx.all(clusters):
            if cluster.status == "ACTIVE":
                self._seen(tx, cluster.scope, cluster.id, after.id)

    def _instance(self, tx: Tx, before: Instance | None, after: Instance | None) -> None:
        if after is not None:
            self._seen(tx, after.scope, after.cluster, after.node)

    def _seen(self, tx: Tx, scope: Scope, cluster: str, node: str) -> None:
        found = find_instance(tx, scope, cluster, node)
        if found is not None:
            shape = instance_view.instance(*found, tx.tally(tasks, Usage).on(node))
            told = view.instance(shape, arns.cluster_arn(scope, cluster), self._platform.clock.now())
            self._put(tx, scope, told)

    # --- handing on (`reconcile.Controller`)

    def _written(self, change: Change[Outgoing]) -> Iterable[Key]:
        return (ALL,) if change.after is not None else ()

    def keys(self) -> Iterable[Key]:
        return (ALL,)

    async def reconcile(self, key: Key) -> float | None:
        waiting = self._store.index(outgoing, "all", True)
        for batch in _batches(waiting[:MOST]):
            await self._hand_on(batch)
        return self._platform.clock.now() if len(waiting) > MOST else None

    async def _hand_on(self, batch: list[Outgoing]) -> None:
        bus = self._platform.door(batch[0].scope, "ecs").events
        answer = await bus.put_events(Entries=[_entry(event) for event in batch])
        results = answer.get("Entries") or [{} for _ in batch]
        later = ""
        with self._store.tx() as tx:
            for event, result in zip(batch, results, strict=True):
                code = result.get("ErrorCode", "")
                if code in _LATER:
                    later = code
                    continue
                if code:
                    self.refused += 1
                    log.warning("the event bus refuses an event of %s: %s", event.resources, result)
                tx.forget(outgoing, event.key)
        if later:
            raise PortError("events", f"the event bus takes no more events now: {later}")


def _batches(waiting: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    """Of one scope each, and no two of the same resource: the bus may take some of a batch and leave others."""
    batch: list[Outgoing] = []
    told: set[str] = set()
    for event in waiting:
        if batch and (len(batch) == BATCH or event.scope != batch[0].scope or told & set(event.resources)):
            yield batch
            batch, told = [], set()
        batch.append(event)
        told.update(event.resources)
    if batch:
        yield batch


def _entry(event: Outgoing) -> dict[str, Any]:
    return {
        "Time": event.at,
        "Source": SOURCE,
        "Resources": list(event.resources),
        "DetailType": event.type,
        "Detail": event.detail.decode(),
    }


def _differs(before: Any, after: Any) -> bool:
    """In more than their version."""
    return {**before, "version": 0} != {**after, "version": 0}


def _takes(task: Task | None) -> tuple[str, bool]:
    """What of a task changes what is left on its instance."""
    return ("", False) if task is None else (task.node, task.status != "STOPPED")


def _looks(node: Node) -> tuple[object, ...]:
    """What those see of it who look at it as an instance."""
    return node.state, node.schedulable, node.agent, node.cpu, node.memory, node.attributes, joined(node)


def _action(service: Service, action: Action, now: float) -> view.Event:
    scope, cluster = service.scope, service.cluster
    return view.action(
        service.arn,
        arns.cluster_arn(scope, cluster),
        action.level,
        action.name,
        now,
        reason=action.reason,
        capacityProviderArns=[arns.capacity_provider_arn(scope, name) for name in action.providers],
        containerInstanceArns=[arns.instance_arn(scope, cluster, node) for node in action.instances],
    )
