"""Starts the tasks that a plan asks for: the bytes that its tags mean, a node and a subnet for each, and their tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hatoba.core.records import replace
from hatoba.gateway.call import Platform
from hatoba.gateway.tags import set_tags, tags_of
from hatoba.placement import Assignment, Refusal
from hatoba.services.ecs.controller.resolution import complete, resolve
from hatoba.services.ecs.controller.wishes import wish
from hatoba.services.ecs.controller.zones import ZoneMap
from hatoba.services.ecs.model.account import log_mode, owner
from hatoba.services.ecs.model.service import Service
from hatoba.services.ecs.model.service_deployment import Image, find_revision, number_of, revisions
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import Task, tasks, tasks_of
from hatoba.services.ecs.model.task_definition import Definition, definitions
from hatoba.services.ecs.placing import assign, assign_charged
from hatoba.services.ecs.plan import launch
from hatoba.services.ecs.plan.capacity import providers
from hatoba.services.ecs.plan.placement import in_zone
from hatoba.services.ecs.plan.rollout import Plan, rebalance, words
from hatoba.services.ecs.plan.tagging import task_tags
from hatoba.services.ecs.spot import make_room
from hatoba.store import Tx

Images = Mapping[str, tuple[Image, ...]]  # by revision: what its tags mean


class Starter:
    def __init__(self, platform: Platform, settings: Settings, zones: ZoneMap) -> None:
        self._platform = platform
        self._zones = zones
        self._store = platform.store
        self._settings = settings

    async def images(self, step: Plan) -> Images:
        """What the tags of a revision mean that is about to start its first tasks; nothing for any other."""
        revision = find_revision(self._store, step.service, number_of(step.service.primary.id)) if step.start else None
        if revision is None or revision.resolved:
            return {}
        definition = self._store.find(definitions, revision.scope, revision.revision.definition)
        assert definition is not None, "a definition with services is not forgotten"
        return {revision.id: await resolve(self._platform, revision, definition, self._settings)}

    def start(self, tx: Tx, step: Plan, images: Images, now: float) -> tuple[Service, list[str]]:
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
        mode = log_mode(tx, service.scope, owner(service.created_by, service.scope))
        wanted = replace(wish(service, definition), log_mode=mode)
        taken = wanted.reserve(self._settings)
        tags = task_tags(service, tags_of(tx, service.scope, _source(service, definition)))
        every = tasks_of(tx, service.scope, service.id)
        there = [t for t in every if t.deployment == wanted.deployment and t.desired == "RUNNING"]
        charged = providers(service.primary.revision.capacity, (task.capacity_provider for task in there), step.start)
        started: dict[int, str] = {}
        refused: list[tuple[launch.Wish, Refusal]] = []
        answers = self._places(tx, wanted, step, charged)
        subnets = self._subnets(tx, wanted, step, [answer for _, answer in answers], there)
        for number, (one, answer) in enumerate(answers):
            if not isinstance(answer, Assignment):
                refused.append((one, answer))
                continue
            id_ = self._platform.ids.hex(32)
            task = launch.task(one, service.scope, id_, answer.node, subnets[number], taken, now)
            task = tx.put(tasks, replace(task, pins=pins))
            if tags:
                set_tags(tx, service.scope, task.arn, tags)
            started[number] = id_
        if step.zones:
            return _evened(step, started, wanted.launch_type, now)
        if refused:
            make_room(tx, *refused[0], len(refused), self._settings, now)
        why = words.unplaced(wanted.launch_type, refused[0][1]) if refused else ""
        said = [words.started(list(started.values()), min(step.unhealthy, len(started)))] if started else []
        return replace(service, blocked=why), [*said, *([why] if why and service.blocked != why else [])]

    def _subnets(
        self, tx: Tx, wanted: launch.Wish, step: Plan, answers: Sequence[Assignment | Refusal], there: Sequence[Task]
    ) -> list[str]:
        """One for each. A Fargate task is where its subnet is; any other's is in its instance's zone, if one is."""
        zones = step.zones
        if wanted.launch_type != "FARGATE" and wanted.network is not None:
            of = self._zones.nodes(tx, wanted)
            zones = tuple(of.get(a.node, "") if isinstance(a, Assignment) else "" for a in answers)
        zone_of = self._zones.subnets(wanted.scope, wanted.network)
        return launch.spread(wanted.network, (task.subnet for task in there), len(answers), zone_of, zones)

    def _places(
        self, tx: Tx, wanted: launch.Wish, step: Plan, charged: Sequence[str]
    ) -> Sequence[tuple[launch.Wish, Assignment | Refusal]]:
        """A daemon's tasks have theirs; others go where the scheduler would have them, in a zone if one is named."""
        if step.zones and wanted.launch_type != "FARGATE":
            found = []
            for zone, name in zip(step.zones, charged, strict=True):
                there = replace(wanted, placement=in_zone(wanted.placement, zone))
                ((one, answer),) = assign_charged(tx, there, [name], self._settings)
                found.append((replace(one, placement=wanted.placement), answer))
            return found
        if not step.on:
            return assign_charged(tx, wanted, charged, self._settings)
        named = (replace(wanted, placement=replace(wanted.placement, instance=node)) for node in step.on)
        return [(one, answer) for one in named for answer in assign(tx, one, 1, self._settings)]


def _evened(step: Plan, started: Mapping[int, str], launch_type: str, now: float) -> tuple[Service, list[str]]:
    """What is said of tasks that were started to even a service out; and who remembers where there was no room."""
    by_zone: dict[str, list[str]] = {}
    for number, id_ in started.items():
        by_zone.setdefault(step.zones[number], []).append(id_)
    told = [rebalance.started(zone, ids) for zone, ids in sorted(by_zone.items())]
    service, why = step.service, list[str]()
    refused = next((zone for number, zone in enumerate(step.zones) if number not in started), None)
    if refused is not None:
        service, why = rebalance.without_room(service, refused, launch_type, now, some=bool(started))
    first = [step.preface] if step.preface and (told or why) else []
    return service, [*first, *told, *why]


def _source(service: Service, definition: Definition) -> str:
    return definition.arn if service.propagate_tags == "TASK_DEFINITION" else service.arn
