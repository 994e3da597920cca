"""Task sets, decided by the planner of services: each is to it a service with one deployment.

A task set wants its part of what the service desires, rounded up; nothing else of the service concerns it. So what
holds for services (percentages when unhealthy tasks are replaced, draining, throttling) holds for each of them alone.
A service changes hands between ECS and another controller without a task noticing: its only deployment becomes its
PRIMARY task set, or the other way round.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Literal, NamedTuple

from hatoba.core.records import replace
from hatoba.services.ecs.model.service import Rebalance, Service
from hatoba.services.ecs.model.task_set import TaskSet, task_set_id, task_sets
from hatoba.services.ecs.plan.rollout import words


class Part(NamedTuple):
    """A task set and what it is a part of, as they are to be."""

    service: Service
    task_set: TaskSet


def computed(desired: int, scale: float) -> int:
    """The model's computedDesiredCount: always rounded up, and by what was written (10 % of 10 is 1, not 2)."""
    return math.ceil(Fraction(repr(scale)) * desired / 100)


def alone(service: Service, task_set: TaskSet) -> Service:
    """The task set as a service of its own."""
    leaving = service.status != "ACTIVE" or task_set.status == "DRAINING"
    return replace(
        service,
        deployments=(task_set.deployment,),
        desired=0 if leaving else computed(service.desired, task_set.scale),
        status="DRAINING" if leaving else "ACTIVE",
        percents=replace(service.percents, breaker=False),
        steady=task_set.steady,
        blocked=task_set.blocked,
        said=task_set.said,
    )


def back(task_set: TaskSet, planned: Service, now: float) -> TaskSet:
    """The task set as its service alone is to be."""
    at = now if planned.steady != task_set.steady else task_set.steady_at
    return replace(
        task_set,
        deployment=planned.primary,
        steady=planned.steady,
        steady_at=at,
        blocked=planned.blocked,
        said=planned.said,
    )


def said(task_set: TaskSet, messages: Iterable[str]) -> list[str]:
    """What the planner would say, without what only services have: a rollout."""
    return [message for message in messages if message != words.completed(task_set.name)]


def spoken_of(task_set: TaskSet, message: str) -> str:
    """Of whom it is said: of the task set, or ("") of its service, whose targets go."""
    return "" if message.startswith("deregistered ") else task_set.name


def handed_over(service: Service, to: Literal["EXTERNAL", "CODE_DEPLOY"], now: float) -> Part:
    """The service leaves its deployments to somebody else: its only one is its PRIMARY task set."""
    targets = tuple(
        replace(target, shifting=None) for target in service.primary.targets
    )  # traffic is not ours to shift
    revision = replace(service.primary.revision, targets=targets)
    deployment = replace(service.primary, revision=revision, groups=())
    if deployment.rollout == "FAILED":  # nobody holds it back any more
        deployment = replace(deployment, rollout="IN_PROGRESS", failed=0, crashes=0)
    task_set = TaskSet(
        key=task_sets.key(service.scope, task_set_id(service.id, deployment.id)),
        service=service.id,
        deployment=deployment,
        scale=100.0,
        status="PRIMARY",
        created_at=deployment.created_at,
        updated_at=now,
        steady=service.steady,
        steady_at=now,
    )
    left = replace(
        service,
        controller=to,
        deployments=(),
        settings={name: value for name, value in service.settings.items() if name != "availabilityZoneRebalancing"},
        rebalance=Rebalance(),
        percents=replace(service.percents, breaker=False, rollback=False, rest={}),
        completed=None,
        completed_as="",
        completed_groups=(),
        current="",
        steady=False,
        blocked="",
        said={},
    )
    return Part(left, task_set)


def taken_back(service: Service, task_set: TaskSet) -> Service:
    """ECS decides again: the PRIMARY task set is its only deployment, and the last one that was completed."""
    deployment = replace(task_set.deployment, status="PRIMARY", desired=service.desired)
    done = deployment.rollout == "COMPLETED"
    return replace(
        service,
        controller="ECS",
        deployments=(deployment,),
        completed=deployment.revision if done else None,
        completed_as=deployment.id if done else "",
        steady=False,
    )
