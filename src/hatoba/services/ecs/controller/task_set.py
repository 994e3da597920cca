"""Looks after one task set: its part of what the service desires, behind its own load balancers.

It goes as a service does (`controller/service`): the health of its targets is asked for, what has to be registered and
deregistered is, and everything else is decided and written in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.fleet.model import TargetStatus, nodes, target_statuses
from hatoba.gateway.call import Platform
from hatoba.reconcile import Wake
from hatoba.services.ecs.controller import balancing
from hatoba.services.ecs.controller.carrying import REST_PER_TASK, TRY_AGAIN, carry_out, concerns, makes_room, move
from hatoba.services.ecs.controller.starting import Images, Starter
from hatoba.services.ecs.controller.zones import ZoneMap
from hatoba.services.ecs.model.instance import instances
from hatoba.services.ecs.model.service import Service, add_events, services
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import Task, tasks, tasks_of
from hatoba.services.ecs.model.task_set import TaskSet, forget_task_set, task_set_id, task_sets
from hatoba.services.ecs.plan import task_sets as parts
from hatoba.services.ecs.plan.rollout import Known, Plan, plan
from hatoba.services.ecs.plan.rollout.said import say
from hatoba.store import Change, Store, Tx
from hatoba.store.store import View


class Health(NamedTuple):
    states: balancing.States
    whys: balancing.States  # what is said of targets that are not well


class TaskSetController:
    name = "ecs.task-sets"

    def __init__(self, platform: Platform, settings: Settings) -> None:
        self._platform = platform
        self._store: Store = platform.store
        self._settings = settings
        self._zones = ZoneMap(platform, settings)
        self._starter = Starter(platform, settings, self._zones)
        self.wakes: tuple[Wake, ...] = (
            Wake(task_sets, lambda change: (change.key,)),
            Wake(services, self._by_service),
            Wake(tasks, self._by_task),
            Wake(target_statuses, self._by_target),
            Wake(nodes, lambda change: self._blocked()),
            Wake(instances, lambda change: self._blocked()),
        )

    def keys(self) -> Iterable[Key]:
        return [task_set.key for task_set in self._store.all(task_sets)]

    def _by_service(self, change: Change[Service]) -> Iterable[Key]:
        after = change.after
        if after is None or after.controller == "ECS":
            return ()
        return [s.key for s in self._store.index(task_sets, "service", (after.scope, after.id))]

    def _by_task(self, change: Change[Task]) -> Iterable[Key]:
        after = change.after
        if after is not None and after.service and concerns(change):
            key = task_sets.key(after.scope, task_set_id(after.service, after.deployment or ""))
            if self._store.get(task_sets, key) is not None:
                yield key
        if makes_room(change):
            yield from self._blocked()

    def _by_target(self, change: Change[TargetStatus]) -> Iterable[Key]:
        record = change.after or change.before
        return [s.key for s in self._store.index(task_sets, "target_group", record.group)] if record else ()

    def _blocked(self) -> Iterable[Key]:
        return [task_set.key for task_set in self._store.index(task_sets, "blocked", True)]

    def rest(self, key: Key) -> float:
        """As of a service: a pass looks at all of its service's tasks."""
        service, _, _ = key.id.rpartition("/")
        return self._store.count(tasks, "service", (key.scope, service)) * REST_PER_TASK

    async def reconcile(self, key: Key) -> float | None:
        task_set = self._store.get(task_sets, key)
        service = self._store.find(services, key.scope, task_set.service) if task_set is not None else None
        if task_set is None or service is None:
            return None
        known = _tasks(self._store, task_set)
        aws = self._platform.door(key.scope, "ecs")
        await self._zones.learn(parts.alone(service, task_set))
        instances = balancing.instances_of(self._store, known)
        health = Health(*await balancing.states(aws, known, instances))
        first = self._plan(self._store, service, task_set, health, self._platform.clock.now())
        images = await self._starter.images(first)
        done = await balancing.follow(aws, first, health.states, self._platform.clock, instances)
        return self._decide(key, done, health, images)

    def _plan(self, view: View, service: Service, task_set: TaskSet, health: Health, now: float) -> Plan:
        alone, known = parts.alone(service, task_set), _tasks(view, task_set)
        zones = self._zones.of(view, alone, known)
        beside = Known(unchecked=self._settings.unchecked_wait, zones=zones, whys=health.whys)
        return plan(alone, known, health.states, now, beside)

    def _decide(self, key: Key, done: balancing.Balanced, health: Health, images: Images) -> float | None:
        """In one transaction."""
        problems = done.problems
        now = self._platform.clock.now()
        with self._store.tx() as tx:
            task_set = tx.get(task_sets, key)
            service = tx.find(services, key.scope, task_set.service) if task_set is not None else None
            if task_set is None or service is None:
                return None
            messages = move(tx, done.joined, done.drained_at, key, now)
            step = self._plan(tx, service, task_set, health, now)
            carry_out(tx, step, key, now)
            planned, told = self._starter.start(tx, step, images, now)
            messages += [*told, *step.messages]
            if problems:
                messages += problems if task_set.blocked != problems[0] else []
                planned = replace(planned, blocked=problems[0])
            planned, messages, repeated_at = say(parts.alone(service, task_set), planned, messages, now)
            _tell(tx, service, task_set, messages, now)
            if planned.status == "INACTIVE" and not _tasks(tx, task_set):
                forget_task_set(tx, service, task_set)
                return None
            after = parts.back(task_set, planned, now)
            if after != task_set:
                tx.put(task_sets, after)
            deadlines = (step.again_at, repeated_at, now + TRY_AGAIN if problems else None)
            return min((at for at in deadlines if at is not None), default=None)


def _tasks(view: View, task_set: TaskSet) -> list[Task]:
    every = tasks_of(view, task_set.scope, task_set.service)
    return [task for task in every if task.deployment == task_set.name]


def _tell(tx: Tx, service: Service, task_set: TaskSet, messages: Sequence[str], now: float) -> None:
    for message in parts.said(task_set, messages):
        service = add_events(tx, service, [message], now, parts.spoken_of(task_set, message))
    if service != tx.get(services, service.key):
        tx.put(services, service)
