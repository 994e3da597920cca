"""Starts the tasks that a plan asks for: the bytes that its tags mean, a node and a subnet for each, and their tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hatoba.core.records import replace
from hatoba.gateway.call import Platform
from hatoba.gateway.tags import set_tags, tags_of
from hatoba.placement import Assignment, Refusal
from hatoba.services.ecs.controller.resolution import complete, resolve
from hatoba.services.ecs.model.service import Service
from hatoba.services.ecs.model.service_deployment import Image, find_revision, number_of, revisions
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import tasks, tasks_of
from hatoba.services.ecs.model.task_definition import Definition, definitions
from hatoba.services.ecs.placing import assign, assign_charged
from hatoba.services.ecs.plan import launch
from hatoba.services.ecs.plan.capacity import providers
from hatoba.services.ecs.plan.rollout import Plan, words
from hatoba.services.ecs.plan.tagging import task_tags
from hatoba.services.ecs.spot import make_room
from hatoba.store import Tx

Images = Mapping[str, tuple[Image, ...]]  # by revision: what its tags mean


class Starter:
    def __init__(self, platform: Platform, settings: Settings) -> None:
        self._platform = platform
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
        wanted = wish(service, definition)
        taken = wanted.reserve(self._settings)
        tags = task_tags(service, tags_of(tx, service.scope, _source(service, definition)))
        there = [t for t in tasks_of(tx, service.scope, service.id) if t.deployment == wanted.deployment]
        subnets = launch.spread(wanted.network, (task.subnet for task in there), step.start)
        charged = providers(service.primary.revision.capacity, (task.capacity_provider for task in there), step.start)
        started: list[str] = []
        refused: list[tuple[launch.Wish, Refusal]] = []
        for number, (one, answer) in enumerate(self._places(tx, wanted, step, charged)):
            if not isinstance(answer, Assignment):
                refused.append((one, answer))
                continue
            id_ = self._platform.ids.hex(32)
            task = launch.task(one, service.scope, id_, answer.node, subnets[number], taken, now)
            task = tx.put(tasks, replace(task, pins=pins))
            if tags:
                set_tags(tx, service.scope, task.arn, tags)
            started.append(id_)
        if refused:
            make_room(tx, *refused[0], len(refused), self._settings, now)
        why = words.unplaced(wanted.launch_type, refused[0][1]) if refused else ""
        said = [words.started(started)] if started else []
        return replace(service, blocked=why), [*said, *([why] if why and service.blocked != why else [])]

    def _places(
        self, tx: Tx, wanted: launch.Wish, step: Plan, charged: Sequence[str]
    ) -> Sequence[tuple[launch.Wish, Assignment | Refusal]]:
        """A daemon's tasks have theirs; others go where the scheduler would have them."""
        if not step.on:
            return assign_charged(tx, wanted, charged, self._settings)
        there = (replace(wanted, placement=replace(wanted.placement, instance=node)) for node in step.on)
        return [(one, answer) for one in there for answer in assign(tx, one, 1, self._settings)]


def wish(service: Service, definition: Definition) -> launch.Wish:
    """A task of the service's PRIMARY deployment."""
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
        targets=tuple(replace(target, shifting=None) for target in service.primary.targets),
    )


def _source(service: Service, definition: Definition) -> str:
    return definition.arn if service.propagate_tags == "TASK_DEFINITION" else service.arn
