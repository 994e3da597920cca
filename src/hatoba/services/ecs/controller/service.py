"""Looks after one service: as many healthy tasks as are wanted, of the revision that is wanted, behind its balancers.

Each activation asks for the health of its targets, carries out what has to be registered and deregistered, and then
decides and writes everything else in one transaction, from records read in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.fleet.model import Node, TargetStatus, nodes, target_statuses
from hatoba.gateway.call import Platform
from hatoba.reconcile import Wake
from hatoba.services.ecs.controller import alarms, balancing, traffic
from hatoba.services.ecs.controller.carrying import REST_PER_TASK, TRY_AGAIN, carry_out, concerns, makes_room, move
from hatoba.services.ecs.controller.starting import Images, Starter
from hatoba.services.ecs.controller.wishes import wish
from hatoba.services.ecs.controller.zones import ZoneMap
from hatoba.services.ecs.model.hook import Hook, hooks, hooks_of
from hatoba.services.ecs.model.instance import instances
from hatoba.services.ecs.model.service import Service, add_events, forget_service, services
from hatoba.services.ecs.model.service_deployment import (
    ServiceDeployment,
    current_deployment,
    deployments,
    forget_history,
)
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.shift import Traffic
from hatoba.services.ecs.model.task import Task, tasks, tasks_of
from hatoba.services.ecs.model.task_definition import definitions
from hatoba.services.ecs.model.task_set import TaskSet, sets_of, task_sets
from hatoba.services.ecs.placing import there_for
from hatoba.services.ecs.plan.alarms import Answer
from hatoba.services.ecs.plan.rollout import Known, Plan, plan, words
from hatoba.services.ecs.plan.rollout.said import say
from hatoba.services.ecs.plan.rollout.seen import Targets
from hatoba.services.ecs.plan.shift import stages
from hatoba.store import Change, Store, Tx
from hatoba.store.store import View


class Given(NamedTuple):
    """Traffic that the rules were set to."""

    story: Key
    traffic: Traffic


class Outside(NamedTuple):
    """What was asked, and what was done, before the transaction."""

    done: balancing.Balanced
    targets: Targets
    whys: Targets
    problems: Sequence[str]  # with the load balancers, in words
    images: Images
    answer: Answer | None
    given: Given | None


class ServiceController:
    name = "ecs.services"

    def __init__(self, platform: Platform, settings: Settings) -> None:
        self._platform = platform
        self._store: Store = platform.store
        self._settings = settings
        self._zones = ZoneMap(platform, settings)
        self._starter = Starter(platform, settings, self._zones)
        self.wakes: tuple[Wake, ...] = (
            Wake(services, lambda change: (change.key,)),
            Wake(tasks, self._by_task),
            Wake(target_statuses, self._by_target),
            Wake(deployments, self._by_deployment),
            Wake(hooks, self._by_hook),
            Wake(task_sets, self._by_task_set),
            Wake(nodes, self._by_node),
            Wake(instances, lambda change: self._elsewhere()),
        )

    def keys(self) -> Iterable[Key]:
        return [service.key for service in self._store.all(services)]

    def _by_task(self, change: Change[Task]) -> Iterable[Key]:
        after = change.after
        if after is not None and after.service and concerns(change):
            yield services.key(after.scope, after.service)
        if makes_room(change):
            yield from self._blocked()

    def _by_target(self, change: Change[TargetStatus]) -> Iterable[Key]:
        record = change.after or change.before
        return [s.key for s in self._store.index(services, "target_group", record.group)] if record else ()

    @staticmethod
    def _by_deployment(change: Change[ServiceDeployment]) -> Iterable[Key]:
        """Somebody has asked for its end."""
        after = change.after
        return (services.key(after.scope, after.service),) if after is not None and after.under_way else ()

    @staticmethod
    def _by_hook(change: Change[Hook]) -> Iterable[Key]:
        """It is over: its deployment goes on, or back."""
        after = change.after
        over = after is not None and not after.under_way
        return (services.key(after.scope, after.deployment.rpartition("/")[0]),) if after is not None and over else ()

    @staticmethod
    def _by_task_set(change: Change[TaskSet]) -> Iterable[Key]:
        """One has gone."""
        before = change.before if change.after is None else None
        return (services.key(before.scope, before.service),) if before is not None else ()

    def _by_node(self, change: Change[Node]) -> Iterable[Key]:
        before, after = change.before, change.after
        yield from self._elsewhere()
        if before is None or after is None or _open(before) != _open(after):
            yield from (service.key for service in self._store.index(services, "instances", True))

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
        return there_for(view, wish(service, definition), self._settings)

    def rest(self, key: Key) -> float:
        """A pass looks at all of a service's tasks: the more there are, the more of their changes it takes together."""
        return self._store.count(tasks, "service", (key.scope, key.id)) * REST_PER_TASK

    async def reconcile(self, key: Key) -> float | None:
        service = self._store.get(services, key)
        if service is None:
            return None
        known = tasks_of(self._store, key.scope, key.id)
        if service.status == "INACTIVE" and not known:
            return self._remember(service)
        if service.controller != "ECS":
            self._leave_to_its_sets(service)
            return None
        aws = self._platform.door(key.scope, "ecs")
        instances = balancing.instances_of(self._store, known)
        targets, whys = await balancing.states(aws, known, instances)
        now = self._platform.clock.now()
        await self._zones.learn(service)
        answer = await alarms.ask(aws, current_deployment(self._store, service), now)
        first = self._plan(self._store, service, known, targets, now, answer, whys)
        images = {id_: found for step in _starts(first) for id_, found in (await self._starter.images(step)).items()}
        done = await balancing.follow(aws, first, targets, self._platform.clock, instances)
        unset = await traffic.weigh(self._platform, key.scope, service.arn, first.effects.weighings)
        problems = [*done.problems, *(words.not_shifted(rule, why) for rule, why in unset.items())]
        given = Given(first.story.key, first.effects.traffic) if first.story and first.effects.traffic else None
        outside = Outside(done, targets, whys, problems, images, answer, None if unset else given)
        return self._decide(key, outside)

    def _plan(
        self,
        view: View,
        service: Service,
        known: Sequence[Task],
        targets: Targets,
        now: float,
        answer: Answer | None,
        whys: Targets,
    ) -> Plan:
        story, there = current_deployment(view, service), self._instances(view, service)
        runs = hooks_of(view, story.scope, story.id) if story is not None and story.shift is not None else ()
        zones = self._zones.of(view, service, known)
        beside = Known(story, there, self._settings.unchecked_wait, runs, answer, zones, whys)
        return plan(service, known, targets, now, beside)

    def _decide(self, key: Key, outside: Outside) -> float | None:
        """In one transaction."""
        now = self._platform.clock.now()
        with self._store.tx() as tx:
            service = tx.get(services, key)
            if service is None or service.controller != "ECS":
                return None
            messages = move(tx, outside.done.joined, outside.done.drained_at, key, now)
            messages += _note_traffic(tx, outside.given, now)
            story = current_deployment(tx, service)
            known = tasks_of(tx, key.scope, key.id)
            step = self._plan(tx, service, known, outside.targets, now, outside.answer, outside.whys)
            carry_out(tx, step, key, now)
            if step.story is not None and step.story != story:
                tx.put(deployments, step.story)
            for hook in step.effects.hooks:
                tx.put(hooks, hook)
            after, said = self._start(tx, step, outside.images, now)
            messages += [*step.messages, *said] if step.zones else [*said, *step.messages]
            if outside.problems:
                messages += outside.problems if service.blocked != outside.problems[0] else []
                after = replace(after, blocked=outside.problems[0])
            after, messages, repeated_at = say(service, after, messages, now)
            if messages:
                after = add_events(tx, after, messages, now)
            if after != service:
                tx.put(services, after)
            deadlines = (step.again_at, repeated_at, now + TRY_AGAIN if outside.problems else None)
            return min((at for at in deadlines if at is not None), default=None)

    def _start(self, tx: Tx, step: Plan, images: Images, now: float) -> tuple[Service, list[str]]:
        """Tasks of the PRIMARY deployment; and, while traffic is shifted, what is missing of the one beside it."""
        (after, said), *others = (self._starter.start(tx, one, images, now) for one in _starts(step))
        for started, told in others:
            after, said = replace(after, blocked=after.blocked or started.blocked), [*said, *told]
        return after, said

    def _leave_to_its_sets(self, service: Service) -> None:
        """Of a service that ECS does not deploy, only its end is to be seen to: when its last task set has gone."""
        with self._store.tx() as tx:
            current = tx.get(services, service.key)
            if current is not None and current.status == "DRAINING" and not sets_of(tx, current):
                tx.put(services, replace(current, status="INACTIVE", ended_at=self._platform.clock.now()))

    def _remember(self, service: Service) -> float | None:
        until = (service.ended_at or service.created_at) + self._settings.inactive_services_kept
        if self._platform.clock.now() < until:
            return until
        with self._store.tx() as tx:
            forget_history(tx, service)
            forget_service(tx, service)
        return None


def _starts(step: Plan) -> list[Plan]:
    """The plan, and one for each deployment beside the PRIMARY one that starts tasks, as if there were no other."""
    service, more = step.service, [d for d in step.service.deployments[1:] if step.more.get(d.id)]
    alone = [replace(step, service=replace(service, deployments=(d,)), start=step.more[d.id], on=()) for d in more]
    return [step, *alone]


def _open(node: Node) -> tuple[object, ...]:
    """What decides whether, in which zone and under which id it is there for tasks."""
    return node.state, node.schedulable, node.attributes, node.instance


def _note_traffic(tx: Tx, given: Given | None, now: float) -> list[str]:
    """The rules are as the deployment wanted them; it may have been told to go back meanwhile, and finds them so."""
    story = tx.get(deployments, given.story) if given is not None else None
    if given is None or story is None or story.shift is None:
        return []
    tx.put(deployments, replace(story, shift=stages.applied(story.shift, given.traffic, now), updated_at=now))
    return [words.shifted(f"ecs-svc/{story.target}", *given.traffic)]
