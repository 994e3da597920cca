"""A service while traffic is shifted: its tasks as its two revisions, each looked after as a service of its own.

The shift governs from the deployment's beginning until it has succeeded, or been rolled back: a deployment that was
stopped half-way leaves both revisions as they are, for both may have traffic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hatoba.core.records import replace
from hatoba.services.ecs.model.hook import Hook
from hatoba.services.ecs.model.service import Deployment, Service
from hatoba.services.ecs.model.service_deployment import ServiceDeployment
from hatoba.services.ecs.model.shift import Shift, Traffic
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.plan.rollout import arith
from hatoba.services.ecs.plan.rollout.seen import Seen
from hatoba.services.ecs.plan.rollout.steps import Moves, Stop, moves
from hatoba.services.ecs.plan.shift import hooks, stages, traffic
from hatoba.services.ecs.plan.shift.configuration import Course, course
from hatoba.services.ecs.plan.shift.counts import counts
from hatoba.services.ecs.plan.shift.traffic import Scene, Weighing

OVER = ("SUCCESSFUL", "ROLLBACK_SUCCESSFUL")


class Effects(NamedTuple):
    """What is to be done outside of the service's own tasks."""

    traffic: Traffic | None = None  # that the rules are to be set to
    weighings: tuple[Weighing, ...] = ()
    hooks: tuple[Hook, ...] = ()  # that begin


def governs(story: ServiceDeployment | None) -> Shift | None:
    return story.shift if story is not None and story.status not in OVER else None


def course_of(story: ServiceDeployment, shift: Shift) -> Course:
    return course(story.configuration, first=not shift.blue)


def blue_id(shift: Shift) -> str:
    return f"ecs-svc/{shift.blue}" if shift.blue else ""


def green_id(story: ServiceDeployment) -> str:
    return f"ecs-svc/{story.target}"


def scene(service: Service, story: ServiceDeployment, shift: Shift, seen: Sequence[Seen]) -> Scene:
    healthy = Counter(one.task.deployment for one in seen if one.condition == "healthy")
    two = (blue_id(shift), green_id(story))
    return Scene(
        desired=service.desired,
        least=arith.lower(service.desired, service.percents.minimum),
        blue=healthy[two[0]] if shift.blue else 0,
        green=healthy[two[1]],
        others=sum(count for id_, count in healthy.items() if id_ not in two),
        remains=sum(one.occupies for one in seen if one.task.deployment not in two),
    )


def wanted(service: Service, story: ServiceDeployment, shift: Shift, now: float) -> dict[str, int | None]:
    """By deployment: how many tasks it is to have; None: those that it has."""
    blue, green, others = counts(shift, service.desired, now)
    own: dict[str, int | None] = {blue_id(shift): blue, green_id(story): green}
    return {deployment.id: own.get(deployment.id, others) for deployment in service.deployments}


def sized(service: Service, story: ServiceDeployment, shift: Shift, seen: Sequence[Seen], now: float) -> Service:
    """Each deployment with what it is to have. Of others than the two nothing is kept once their tasks are gone; nor,
    when it is cleaned up, of the one that gives way."""
    occupied = Counter(one.task.deployment for one in seen if one.occupies)
    kept: list[Deployment] = []
    for deployment, count in zip(service.deployments, wanted(service, story, shift, now).values(), strict=True):
        primary = deployment.id == service.primary.id
        stays = primary or (shift.stage != "CLEAN_UP" and deployment.id in (blue_id(shift), green_id(story)))
        if not stays and not occupied[deployment.id]:
            continue
        desired = occupied[deployment.id] if count is None or (count == 0 and not primary) else count
        same = deployment.desired == desired
        kept.append(deployment if same else replace(deployment, desired=desired, updated_at=now))
    return service if tuple(kept) == service.deployments else replace(service, deployments=tuple(kept))


def alone(service: Service, deployment: Deployment, desired: int) -> Service:
    """One of its revisions as if there were no other."""
    return replace(service, desired=desired, deployments=(deployment,))


def side_moves(
    service: Service,
    story: ServiceDeployment,
    shift: Shift,
    seen: Sequence[Seen],
    now: float,
    zones: Mapping[str, str],
) -> tuple[Moves, dict[str, int]]:
    """The moves of all revisions; starts of those that are not PRIMARY stand by themselves, by deployment. `zones`:
    where each task is."""
    stops: list[Stop] = []
    kept: list[Task] = []
    again: list[float] = []
    starts: dict[str, int] = {}
    stuck = False
    for deployment, count in zip(service.deployments, wanted(service, story, shift, now).values(), strict=True):
        if count is None:
            continue
        own = [one for one in seen if one.task.deployment == deployment.id]
        step = moves(alone(service, deployment, count), own, now, zones=zones)
        starts |= {deployment.id: step.start} if step.start else {}
        stops += step.stop
        kept += step.kept
        stuck = stuck or step.stuck
        again += [step.again_at] if step.again_at is not None else []
    start = starts.pop(service.primary.id, 0)
    return Moves(start, tuple(stops), min(again, default=None), stuck, tuple(kept)), starts


def effects(
    service: Service,
    story: ServiceDeployment | None,
    kept: Shift | None,
    seen: Sequence[Seen],
    runs: Sequence[Hook],
    now: float,
) -> Effects:
    """`story`: as it is to be; `kept`: its shift as it is stored. Traffic is moved for what is durable only: a stage
    that is just being entered has its turn once it is written down."""
    shift = governs(story)
    if story is None or shift is None or not story.under_way or service.status != "ACTIVE":
        return Effects()
    course, there = course_of(story, shift), scene(service, story, shift, seen)
    due = traffic.due(shift, course, there) if shift == kept else None
    begins = stages.turn(shift, course, there, runs, now).begin
    begun = hooks.begin(service, story, shift, runs, now) if begins else ()
    if due is None:
        return Effects(hooks=begun)
    blue = service.deployment(blue_id(shift))
    green = service.deployment(green_id(story))
    if green is None:
        return Effects(due, (), begun)
    return Effects(due, traffic.weighings(blue.targets if blue is not None else (), green.targets, due), begun)
