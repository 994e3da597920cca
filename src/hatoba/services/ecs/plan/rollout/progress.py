"""The deployments of a service: what is left of the old ones, and whether the new one is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hatoba.core.records import replace
from hatoba.services.ecs.model.hook import Hook
from hatoba.services.ecs.model.service import Service
from hatoba.services.ecs.model.service_deployment import ServiceDeployment
from hatoba.services.ecs.model.shift import Shift
from hatoba.services.ecs.plan.rollout import arith, shifting, undo, words
from hatoba.services.ecs.plan.rollout import story as tales
from hatoba.services.ecs.plan.rollout.counting import Progress, with_primary
from hatoba.services.ecs.plan.rollout.seen import Seen
from hatoba.services.ecs.plan.shift import stages


def advance(
    service: Service,
    seen: Sequence[Seen],
    now: float,
    story: ServiceDeployment | None = None,
    runs: Sequence[Hook] = (),
) -> Progress:
    """Forgets deployments of which nothing is left; completes, stops, fails or undoes the PRIMARY one. `runs`: those
    of the story's lifecycle hooks."""
    occupied = Counter(one.task.deployment for one in seen if one.occupies)
    service = _sized(service, story, seen, occupied, now)
    primary = service.primary
    if service.status == "DRAINING" and not occupied:
        service = replace(service, status="INACTIVE", ended_at=now)
    if story is not None and story.under_way:
        story = tales.begun(story, now)
        if service.status != "ACTIVE":
            story = tales.stopped(story, words.DELETED, now)
    if primary.rollout != "IN_PROGRESS" or service.status != "ACTIVE":
        return Progress(service, (), story)
    if story is not None and story.status in ("STOP_REQUESTED", "ROLLBACK_REQUESTED"):
        return undo.asked(service, story, now)
    if story is not None and story.status == "IN_PROGRESS":
        story = tales.watched(story, service, primary, now)
    percents, shift = service.percents, shifting.governs(story)
    threshold = arith.breaker_threshold(service.desired, percents.threshold.type, percents.threshold.value)
    # On the way back both revisions have traffic, and the older one has worked: there is no better place to go.
    if percents.breaker and primary.failed >= threshold and (shift is None or not shift.back):
        return undo.open_breaker(service, story, now)
    if story is not None and story.status == "IN_PROGRESS" and story.watch is not None and story.watch.triggered:
        return undo.undo(service, story, words.alarmed(story.watch.triggered), now, undone=story.watch.rollback)
    if story is not None and shift is not None and story.under_way:
        return _shift(service, story, shift, seen, runs, now)
    return _finish(service, story, _serving(service, seen), now)


def _serving(service: Service, seen: Sequence[Seen]) -> int:
    return sum(one.condition == "healthy" for one in seen if one.task.deployment == service.primary.id)


def _shift(
    service: Service, story: ServiceDeployment, shift: Shift, seen: Sequence[Seen], runs: Sequence[Hook], now: float
) -> Progress:
    """As far as its stages go on now. The last one ends as any deployment does: when only the PRIMARY one is left."""
    course, there = shifting.course_of(story, shift), shifting.scene(service, story, shift, seen)
    turned = stages.turn(shift, course, there, runs, now)
    story = tales.shifted(story, turned.shift, now)
    told = tuple(words.entered(shifting.green_id(story), stage) for stage in turned.entered)
    if turned.failed:
        undone = undo.undo(service, story, turned.failed, now, undone=True)
        return undone._replace(messages=(*told, *undone.messages))
    if turned.shift.stage != "CLEAN_UP":
        return Progress(service, told, story, turned.again_at)
    if len(service.deployments) > 1 or _serving(service, seen) < service.desired:
        return Progress(service, told, story)
    done = _complete(service, story, now)
    return done._replace(messages=(*told, *done.messages))


def _finish(service: Service, story: ServiceDeployment | None, serving: int, now: float) -> Progress:
    """A rolling update is done when nothing is left of the old and all of the new serves; or, by its early success
    criteria, when so much of it does. Before that it is watched for its bake time."""
    early = _early(story)
    alone = len(service.deployments) == 1
    reached = serving >= (service.desired if early is None else arith.lower(service.desired, early["healthyPercent"]))
    if not reached or (early is None and not alone):
        return Progress(service, (), story)
    if story is not None and story.under_way and not story.back_to:
        story = tales.baking(story, now)
        ends = tales.baked_at(story)
        if now < ends:
            return Progress(service, (), story, ends)
    if early is not None and early["sourceServiceRevisionCleanup"] == "BLOCKING" and not alone:
        return Progress(service, (), story, early=True)
    return _complete(service, story, now)


def _early(story: ServiceDeployment | None) -> Mapping[str, Any] | None:
    if story is None or story.status != "IN_PROGRESS":
        return None
    criteria: Mapping[str, Any] = story.configuration.get("earlySuccessCriteria") or {}
    return criteria if criteria.get("enable") else None


def _complete(service: Service, story: ServiceDeployment | None, now: float) -> Progress:
    done = replace(service.primary, rollout="COMPLETED", reason=words.is_completed(service.primary.id), updated_at=now)
    service = replace(
        with_primary(service, done), completed=done.revision, completed_as=done.id, completed_groups=done.groups
    )
    if story is not None and story.under_way:
        story = tales.succeeded(story, now)
    return Progress(service, (words.completed(done.id),), story)


def _sized(
    service: Service,
    story: ServiceDeployment | None,
    seen: Sequence[Seen],
    occupied: Counter[str | None],
    now: float,
) -> Service:
    """Every deployment with what is left of it, the PRIMARY one with what is desired."""
    shift = shifting.governs(story)
    if story is not None and shift is not None and service.status == "ACTIVE":
        return shifting.sized(service, story, shift, seen, now)
    service = _without_leftovers(service, occupied, now)
    primary = service.primary
    if primary.desired == service.desired:
        return service
    return with_primary(service, replace(primary, desired=service.desired, updated_at=now))


def _without_leftovers(service: Service, occupied: Counter[str | None], now: float) -> Service:
    left = [service.primary]
    for deployment in service.deployments[1:]:
        count = occupied[deployment.id]
        if count:
            same = deployment.desired == count and deployment.status == "ACTIVE"
            left.append(deployment if same else replace(deployment, desired=count, status="ACTIVE", updated_at=now))
    return service if tuple(left) == service.deployments else replace(service, deployments=tuple(left))
