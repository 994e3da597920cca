"""How a service deployment's record goes on: each function is one turn of its story. Only ever forward.

PENDING → IN_PROGRESS → SUCCESSFUL, or STOPPED, or ROLLBACK_IN_PROGRESS → ROLLBACK_SUCCESSFUL or ROLLBACK_FAILED.
A record that says so already is returned as it is.
"""

from __future__ import annotations

from typing import Any

from hatoba.core.records import replace
from hatoba.services.ecs.model.service import Deployment, Service
from hatoba.services.ecs.model.service_deployment import Monitor, ServiceDeployment, number_of
from hatoba.services.ecs.model.shift import Shift
from hatoba.services.ecs.plan.rollout import arith
from hatoba.services.ecs.plan.shift import stages


def _turn(story: ServiceDeployment, now: float, **changes: Any) -> ServiceDeployment:
    after = replace(story, **changes)
    return story if after == story else replace(after, updated_at=now)


def begun(story: ServiceDeployment, now: float) -> ServiceDeployment:
    if story.started_at is not None:
        return story
    status = "IN_PROGRESS" if story.status == "PENDING" else story.status
    return _turn(story, now, status=status, started_at=now)


def watched(story: ServiceDeployment, service: Service, primary: Deployment, now: float) -> ServiceDeployment:
    """What the circuit breaker counts while the deployment is on its way."""
    percents = service.percents
    return _turn(
        story,
        now,
        monitor="MONITORING" if percents.breaker else "DISABLED",
        failures=primary.failed,
        threshold=arith.breaker_threshold(service.desired, percents.threshold.type, percents.threshold.value),
    )


def rolling_back(story: ServiceDeployment, to: str, reason: str, now: float, *, broken: bool) -> ServiceDeployment:
    return _turn(
        story,
        now,
        status="ROLLBACK_IN_PROGRESS",
        reason=reason,
        back_to=number_of(to),
        back_reason=reason,
        back_at=now,
        shift=stages.back(story.shift, now) if story.shift is not None else None,  # traffic first, tasks afterwards
        monitor="TRIGGERED" if broken else _watched_to_the_end(story),
    )


def shifted(story: ServiceDeployment, shift: Shift, now: float) -> ServiceDeployment:
    return _turn(story, now, shift=shift)


def baking(story: ServiceDeployment, now: float) -> ServiceDeployment:
    """A rolling update has come to what it wants, and is watched for a while."""
    return story if story.baking_since is not None else _turn(story, now, baking_since=now)


def baked_at(story: ServiceDeployment) -> float:
    """As long as was configured, and as long as the slowest alarm looks back."""
    configured = 60.0 * (story.configuration.get("bakeTimeInMinutes") or 0)
    watched = story.watch.evaluates if story.watch is not None else 0.0
    return (story.baking_since or 0.0) + max(configured, watched)


def succeeded(story: ServiceDeployment, now: float) -> ServiceDeployment:
    """What is PRIMARY now runs and nothing else does: the target, or what was rolled back to."""
    status = "ROLLBACK_SUCCESSFUL" if story.back_to else "SUCCESSFUL"
    return _turn(story, now, status=status, finished_at=now, monitor=_watched_to_the_end(story))


def failed(story: ServiceDeployment, reason: str, now: float) -> ServiceDeployment:
    """It failed and is not rolled back; or rolling back has failed too."""
    if story.back_to:
        return _turn(story, now, status="ROLLBACK_FAILED", reason=reason, finished_at=now)
    return stopped(replace(story, monitor="TRIGGERED"), reason, now)


def stopped(story: ServiceDeployment, reason: str, now: float) -> ServiceDeployment:
    monitor = _watched_to_the_end(story)
    return _turn(story, now, status="STOPPED", reason=reason, stopped_at=now, finished_at=now, monitor=monitor)


def _watched_to_the_end(story: ServiceDeployment) -> Monitor:
    return "MONITORING_COMPLETE" if story.monitor == "MONITORING" else story.monitor
