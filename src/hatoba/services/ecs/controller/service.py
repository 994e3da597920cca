"""Looks after one service: as many healthy tasks as are wanted, of the revision that is wanted, behind its balancers.

Each activation asks for the health of its targets, carries out what has to be registered and deregistered, and then
decides and writes everything else in one transaction, from records read in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hatoba.core.errors import AwsError
from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.fleet.model import TargetStatus, nodes, target_statuses
from hatoba.gateway.call import Door, Platform
from hatoba.gateway.tags import set_tags, tags_of
from hatoba.placement import Assignment, Refusal
from hatoba.reconcile import Wake
from hatoba.services.ecs.controller.resolution import complete, resolve
from hatoba.services.ecs.model.instance import instances
from hatoba.services.ecs.model.service import Service, add_events, forget_service, services
from hatoba.services.ecs.model.service_deployment import (
    Image,
    ServiceDeployment,
    current_deployment,
    deployments,
    find_revision,
    forget_history,
    number_of,
    revisions,
)
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import Task, tasks, tasks_of
from hatoba.services.ecs.model.task_definition import Definition, definitions
from hatoba.services.ecs.placing import assign, there_for
from hatoba.services.ecs.plan import launch, lifecycle
from hatoba.services.ecs.plan.capacity import providers
from hatoba.services.ecs.plan.rollout import Plan, moved, plan, words
from hatoba.services.ecs.plan.rollout.seen import Targets
from hatoba.services.ecs.plan.tagging import task_tags
from hatoba.store import Change, Store, Tx
from hatoba.store.store import View

DELAY = "deregistration_delay.timeout_seconds"
LONGEST_DELAY = 300.0
_TARGET_GROUP_GONE = "TargetGroupNotFound"


class ServiceController:
    name = "ecs.services"

    def __init__(self, platform: Platform, settings: Settings) -> None:
        self._platform = platform
        self._store: Store = platform.store
        self._settings = settings
        self.wakes: tuple[Wake, ...] = (
            Wake(services, lambda change: (change.key,)),
            Wake(tasks, self._by_task),
            Wake(target_statuses, self._by_target),
            Wake(deployments, self._by_deployment),
            Wake(nodes, lambda change: self._elsewhere()),
            Wake(instances, lambda change: self._elsewhere()),
        )

    def keys(self) -> Iterable[Key]:
        return [service.key for service in self._store.all(services)]

    def _by_task(self, change: Change[Task]) -> Iterable[Key]:
        before, after = change.before, change.after
        protected = (before.protected_until if before else None) != (after.protected_until if after else None)
        if after is not None and after.service and (before is None or protected or _matters(before) != _matters(after)):
            yield services.key(after.scope, after.service)
        if after is not None and after.status == "STOPPED" and (before is None or before.status != "STOPPED"):
            yield from self._blocked()  # there is room again

    def _by_target(self, change: Change[TargetStatus]) -> Iterable[Key]:
        record = change.after or change.before
        return [s.key for s in self._store.index(services, "target_group", record.group)] if record else ()

    @staticmethod
    def _by_deployment(change: Change[ServiceDeployment]) -> Iterable[Key]:
        """Somebody has asked for its end."""
        after = change.after
        return (services.key(after.scope, after.service),) if after is not None and after.under_way else ()

    def _blocked(self) -> Iterable[Key]:
        return [service.key for service in self._store.index(services, "blocked", True)]

    def _elsewhere(self) -> Iterable[Key]:
        """Whom it concerns that an instance came, went or changed: those that find no room, and daemons."""
        return [*self._blocked(), *(service.key for service in self._store.index(services, "daemon", True))]

    def _instances(self, view: View, service: Service) -> frozenset[str] | None:
        """The nodes on which a daemon is to run; None for any other service."""
        if not service.daemon:
            return None
        definition = view.find(definitions, service.scope, service.primary.revision.definition)
        assert definition is not None, "a definition with services is not forgotten"
        return there_for(view, _wish(service, definition), self._settings)

    async def reconcile(self, key: Key) -> float | None:
        service = self._store.get(services, key)
        if service is None:
            return None
        known = tasks_of(self._store, key.scope, key.id)
        if service.status == "INACTIVE" and not known:
            return self._remember(service)
        aws = self._platform.door(key.scope, "ecs")
        targets = await self._targets(aws, known)
        now = self._platform.clock.now()
        first = self._plan(self._store, service, known, targets, now)
        images = await self._images(first)
        refused = await _register(aws, first.register, targets)
        joined = [task for task in first.register if not any(target.group in refused for target in task.targets)]
        drained_at = await self._deregister(aws, first.deregister, targets)
        problems = [words.not_registered(group, why) for group, why in refused.items()]
        return self._decide(key, joined, drained_at, targets, problems, images)

    def _plan(self, view: View, service: Service, known: Sequence[Task], targets: Targets, now: float) -> Plan:
        story, there = current_deployment(view, service), self._instances(view, service)
        return plan(service, known, targets, now, story, there, self._settings.unchecked_wait)

    async def _images(self, step: Plan) -> dict[str, tuple[Image, ...]]:
        """By revision: what the tags of one that is about to start its first tasks mean."""
        revision = find_revision(self._store, step.service, number_of(step.service.primary.id)) if step.start else None
        if revision is None or revision.resolved:
            return {}
        definition = self._store.find(definitions, revision.scope, revision.revision.definition)
        assert definition is not None, "a definition with services is not forgotten"
        return {revision.id: await resolve(self._platform, revision, definition, self._settings)}

    # --- load balancers

    async def _targets(self, aws: Door, known: Sequence[Task]) -> dict[tuple[str, str, int], str]:
        """The states of everything that is registered where tasks of this service are."""
        groups = {x.group for task in known if task.balancing in ("joined", "draining") for x in task.targets}
        states: dict[tuple[str, str, int], str] = {}
        for group in sorted(groups):
            try:
                found = await aws.elbv2.describe_target_health(TargetGroupArn=group)
            except AwsError as error:
                if error.code != _TARGET_GROUP_GONE:
                    raise
                continue
            for described in found.get("TargetHealthDescriptions") or []:
                target = described["Target"]
                states[group, target["Id"], target["Port"]] = described["TargetHealth"]["State"]
        return states

    async def _deregister(
        self, aws: Door, leaving: Sequence[Task], targets: dict[tuple[str, str, int], str]
    ) -> dict[str, float]:
        """By task: when its target is drained at the latest."""
        until: dict[str, float] = dict.fromkeys((task.id for task in leaving), self._platform.clock.now())
        for group, places in _places(leaving).items():
            try:
                await aws.elbv2.deregister_targets(TargetGroupArn=group, Targets=_described(places))
                found = await aws.elbv2.describe_target_group_attributes(TargetGroupArn=group)
            except AwsError as error:
                if error.code != _TARGET_GROUP_GONE:
                    raise
                continue
            attributes = {a["Key"]: a["Value"] for a in found.get("Attributes") or []}
            ends = self._platform.clock.now() + float(attributes.get(DELAY, LONGEST_DELAY))
            for task, address, port in places:
                targets[group, address, port] = "draining"
                until[task] = max(until[task], ends)
        return until

    # --- one transaction

    def _decide(
        self,
        key: Key,
        joined: Sequence[Task],
        drained_at: Mapping[str, float],
        targets: Mapping[tuple[str, str, int], str],
        problems: Sequence[str],
        images: Mapping[str, tuple[Image, ...]],
    ) -> float | None:
        now = self._platform.clock.now()
        with self._store.tx() as tx:
            service = tx.get(services, key)
            if service is None:
                return None
            left = [_change(tx, id_, key, now, balancing="draining", drained_at=at) for id_, at in drained_at.items()]
            for task in joined:
                _change(tx, task.id, key, now, balancing="joined")
            messages = moved([task for task in joined if task.balancing == "joining"], left)
            story = current_deployment(tx, service)
            step = self._plan(tx, service, tasks_of(tx, key.scope, key.id), targets, now)
            self._carry_out(tx, step, key, now)
            if step.story is not None and step.story != story:
                tx.put(deployments, step.story)
            after, said = self._start(tx, step, images, now)
            messages += [*said, *step.messages]
            if problems:
                messages += problems if service.blocked != problems[0] else []
                after = replace(after, blocked=problems[0])
            if messages:
                after = add_events(tx, after, messages, now)
            if after != service:
                tx.put(services, after)
            return step.again_at

    def _carry_out(self, tx: Tx, step: Plan, key: Key, now: float) -> None:
        for task in step.drained:
            _change(tx, task.id, key, now, balancing="left")
        for task in step.ended:
            _change(tx, task.id, key, now, counted=True)
        for stop in step.stop:
            task = _task(tx, stop.task, key)
            ended = lifecycle.end(task, "ServiceSchedulerInitiated", stop.reason)
            tx.put(tasks, lifecycle.settle(replace(ended, counted=True), now))

    def _start(
        self, tx: Tx, step: Plan, images: Mapping[str, tuple[Image, ...]], now: float
    ) -> tuple[Service, list[str]]:
        """Starts tasks of the PRIMARY deployment, as far as there is room for them."""
        service = step.service
        revision = find_revision(tx, service, number_of(service.primary.id)) if step.start else None
        if not step.start or (revision is not None and not revision.resolved and revision.id not in images):
            return service, []  # in the second case it has become PRIMARY just now, and its change wakes us again
        definition = tx.find(definitions, service.scope, service.primary.revision.definition)
        assert definition is not None, "a definition with services is not forgotten"
        if revision is not None and revision.id in images:
            found = images[revision.id]
            done = complete(found, definition, self._settings)
            known, revision = revision, replace(revision, images=found, resolved=done)
            revision = tx.put(revisions, revision) if revision != known else known
        pins = revision.pins if revision is not None else {}
        wish = _wish(service, definition)
        taken = wish.reserve(self._settings)
        tags = task_tags(service, tags_of(tx, service.scope, _source(service, definition)))
        there = [t for t in tasks_of(tx, service.scope, service.id) if t.deployment == wish.deployment]
        subnets = launch.spread(wish.network, (task.subnet for task in there), step.start)
        charged = providers(service.primary.revision.capacity, (task.capacity_provider for task in there), step.start)
        started: list[str] = []
        why = ""
        for number, answer in enumerate(self._places(tx, wish, step)):
            if not isinstance(answer, Assignment):
                why = why or words.unplaced(wish.launch_type, answer)
                continue
            id_ = self._platform.ids.hex(32)
            one = replace(wish, capacity_provider=charged[number])
            task = launch.task(one, service.scope, id_, answer.node, subnets[number], taken, now)
            task = tx.put(tasks, replace(task, pins=pins))
            if tags:
                set_tags(tx, service.scope, task.arn, tags)
            started.append(id_)
        return replace(service, blocked=why), [*_said(started), *([why] if why and service.blocked != why else [])]

    def _places(self, tx: Tx, wish: launch.Wish, step: Plan) -> Sequence[Assignment | Refusal]:
        """A daemon's tasks have theirs; others go where the scheduler would have them."""
        if not step.on:
            return assign(tx, wish, step.start, self._settings)
        there = (replace(wish, placement=replace(wish.placement, instance=node)) for node in step.on)
        return [answer for one in there for answer in assign(tx, one, 1, self._settings)]

    def _remember(self, service: Service) -> float | None:
        until = (service.ended_at or service.created_at) + self._settings.inactive_services_kept
        if self._platform.clock.now() < until:
            return until
        with self._store.tx() as tx:
            forget_history(tx, service)
            forget_service(tx, service)
        return None


def _matters(task: Task) -> tuple[Any, ...]:
    """What a service decides by."""
    health = [container.health for container in task.containers]
    return task.status, task.desired, task.leaving, task.balancing, task.lost, task.counted, health


def _said(started: Sequence[str]) -> list[str]:
    return [words.started(started)] if started else []


def _wish(service: Service, definition: Definition) -> launch.Wish:
    revision = service.primary.revision
    return launch.Wish(
        cluster=service.cluster,
        definition=definition,
        launch_type=revision.launch_type,
        group=f"service:{service.name}",
        started_by=service.primary.id,
        service=service.id,
        deployment=service.primary.id,
        platform_version=revision.platform_version,
        network=revision.network,
        execute=service.execute,
        placement=service.placement,
        targets=revision.targets,
    )


def _source(service: Service, definition: Definition) -> str:
    return definition.arn if service.propagate_tags == "TASK_DEFINITION" else service.arn


def _task(tx: Tx, id_: str, of: Key) -> Task:
    task = tx.find(tasks, of.scope, id_)
    assert task is not None, "a task is remembered for longer than a transaction"
    return task


def _change(tx: Tx, id_: str, of: Key, now: float, **fields: Any) -> Task:
    return tx.put(tasks, lifecycle.settle(replace(_task(tx, id_, of), **fields), now))


def _places(moving: Iterable[Task]) -> dict[str, list[tuple[str, str, int]]]:
    """By target group: task, address, port."""
    found: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for task in moving:
        for target in task.targets:
            if task.eni is not None:
                found[target.group].append((task.id, task.eni.address, target.port))
    return found


def _described(places: Iterable[tuple[str, str, int]]) -> list[dict[str, Any]]:
    return [{"Id": address, "Port": port} for _, address, port in places]


async def _register(aws: Door, joining: Sequence[Task], targets: dict[tuple[str, str, int], str]) -> dict[str, str]:
    """Registers them; the target groups that would not have them, and why."""
    refused: dict[str, str] = {}
    for group, places in _places(joining).items():
        try:
            await aws.elbv2.register_targets(TargetGroupArn=group, Targets=_described(places))
        except AwsError as error:
            if error.status >= 500:
                raise
            refused[group] = error.message
            continue
        for _, address, port in places:
            targets[group, address, port] = "initial"
    return refused
