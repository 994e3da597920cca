"""The deployments of a service: what is left of the old ones, whether the new one is done, has failed, is undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from hatoba.core.records import replace
from hatoba.services.ecs.model.service import Deployment, Revision, Service
from hatoba.services.ecs.model.service_deployment import ServiceDeployment
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.plan.rollout import arith, words
from hatoba.services.ecs.plan.rollout import story as tales
from hatoba.services.ecs.plan.rollout.seen import Seen

# Ends for which the deployment is not to blame.
_BLAMELESS = (
    "UserInitiated",
    "ServiceSchedulerInitiated",
    "InfrastructureHealth",
    "SpotInterruption",
    "TerminationNotice",
)
_NEVER_RAN = ("TaskFailedToStart",)


class Progress(NamedTuple):
    service: Service
    messages: tuple[str, ...]
    story: ServiceDeployment | None = None


def note_ends(service: Service, ended: Sequence[Task], unhealthy: int, healthy: int, now: float) -> Progress:
    """Counts the tasks of the PRIMARY deployment that did not make it. `unhealthy`: stopped now for their health."""
    primary, messages = service.primary, []
    failed, crashes = primary.failed, primary.crashes
    for task in ended:
        if task.deployment != primary.id or task.stop_code in _BLAMELESS:
            continue
        ran = (task.execution_stopped_at or now) - task.started_at if task.started_at is not None else None
        stayed = ran is not None and ran >= arith.STAYED_UP
        # A process that ends by itself at once is as broken as one that never starts.
        failed += ran is None or (not stayed and primary.rollout == "IN_PROGRESS")
        crashes = 1 if stayed else crashes + 1
        if ran is None and task.stop_code in _NEVER_RAN:
            messages.append(words.not_started(task.stopped_reason.rstrip(".")))
    failed, crashes = failed + unhealthy, crashes + unhealthy
    crashed = crashes != primary.crashes or failed != primary.failed
    if crashed and failed >= 3 > primary.failed:
        messages.append(words.CONSISTENTLY_FAILING)
    if not crashed and healthy and failed and service.percents.reset:
        failed = 0  # "once a service deployment has one or more successfully running tasks, the count resets"
    if (failed, crashes) != (primary.failed, primary.crashes):
        at = now if crashed else primary.crashed_at
        service = _with_primary(
            service, replace(primary, failed=failed, crashes=crashes, crashed_at=at, updated_at=now)
        )
    return Progress(service, tuple(messages))


def advance(service: Service, seen: Sequence[Seen], now: float, story: ServiceDeployment | None = None) -> Progress:
    """Forgets deployments of which nothing is left; completes, stops, fails or undoes the PRIMARY one."""
    occupied = Counter(one.task.deployment for one in seen if one.occupies)
    service = _without_leftovers(service, occupied, now)
    primary = service.primary
    if primary.desired != service.desired:
        primary = replace(primary, desired=service.desired, updated_at=now)
        service = _with_primary(service, primary)
    if service.status == "DRAINING" and not occupied:
        service = replace(service, status="INACTIVE", ended_at=now)
    if story is not None and story.under_way:
        story = tales.begun(story, now)
        if service.status != "ACTIVE":
            story = tales.stopped(story, words.DELETED, now)
    if primary.rollout != "IN_PROGRESS" or service.status != "ACTIVE":
        return Progress(service, (), story)
    if story is not None and story.status in ("STOP_REQUESTED", "ROLLBACK_REQUESTED"):
        return _asked(service, story, now)
    if story is not None and story.status == "IN_PROGRESS":
        story = tales.watched(story, service, primary, now)
    percents = service.percents
    threshold = arith.breaker_threshold(service.desired, percents.threshold.type, percents.threshold.value)
    if percents.breaker and primary.failed >= threshold:
        return _break(service, story, now)
    serving = sum(one.condition == "healthy" for one in seen if one.task.deployment == primary.id)
    if len(service.deployments) > 1 or serving < service.desired:
        return Progress(service, (), story)
    done = replace(primary, rollout="COMPLETED", reason=words.is_completed(primary.id), updated_at=now)
    service = replace(_with_primary(service, done), completed=done.revision, completed_as=done.id)
    if story is not None and story.under_way:
        story = tales.succeeded(story, now)
    return Progress(service, (words.completed(done.id),), story)


def _with_primary(service: Service, primary: Deployment) -> Service:
    return replace(service, deployments=(primary, *service.deployments[1:]))


def _without_leftovers(service: Service, occupied: Counter[str | None], now: float) -> Service:
    left = [service.primary]
    for deployment in service.deployments[1:]:
        count = occupied[deployment.id]
        if count:
            same = deployment.desired == count and deployment.status == "ACTIVE"
            left.append(deployment if same else replace(deployment, desired=count, status="ACTIVE", updated_at=now))
    return service if tuple(left) == service.deployments else replace(service, deployments=tuple(left))


def _break(service: Service, story: ServiceDeployment | None, now: float) -> Progress:
    """The deployment circuit breaker opens: no further starts, and back to what last worked if that was asked for."""
    told = words.failed(service.primary.id)
    if not service.percents.rollback or not can_go_back(service):
        service = _fail(service, words.BREAKER, now)
        story = tales.failed(story, words.TASKS_FAILED, now) if story is not None else None
        return Progress(service, (told,), story)
    to = service.completed_as
    service = _go_back(service, words.breaker_rolling_back(to), now)
    if story is not None:
        story = tales.rolling_back(story, to, words.ROLLED_BACK, now, broken=True)
    return Progress(service, (told, words.rolling_back(to)), story)


def _asked(service: Service, story: ServiceDeployment, now: float) -> Progress:
    """Somebody has stopped the deployment: what runs is left as it is, or goes back to what last worked."""
    if story.status == "STOP_REQUESTED" or not can_go_back(service):
        service = _fail(service, words.STOPPED_BY_USER, now)
        return Progress(service, (), tales.stopped(story, words.STOPPED_BY_USER, now))
    to = service.completed_as
    service = _go_back(service, words.user_rolling_back(to), now)
    story = tales.rolling_back(story, to, words.ROLLED_BACK_BY_USER, now, broken=False)
    return Progress(service, (words.rolling_back(to),), story)


def can_go_back(service: Service) -> bool:
    """There is an earlier deployment that worked."""
    return service.completed is not None and service.completed_as not in ("", service.primary.id)


def _fail(service: Service, reason: str, now: float) -> Service:
    return _with_primary(service, replace(service.primary, rollout="FAILED", reason=reason, updated_at=now))


def _go_back(service: Service, reason: str, now: float) -> Service:
    """The deployment that last worked is the PRIMARY one again: its tasks that still run stay untouched."""
    id_, back = service.completed_as, service.completed
    assert back is not None, "asked before"
    service = _fail(service, reason, now)
    earlier = service.deployment(id_)
    if earlier is None:
        return redeploy(service, id_, back, now)
    again = replace(
        earlier,
        status="PRIMARY",
        desired=service.desired,
        rollout="IN_PROGRESS",
        reason=words.in_progress(id_),
        failed=0,
        crashes=0,
        crashed_at=None,
        updated_at=now,
    )
    others = tuple(replace(d, status="ACTIVE") for d in service.deployments if d.id != id_)
    return replace(service, deployments=(again, *others), steady=False)


def redeploy(service: Service, id_: str, revision: Revision, now: float) -> Service:
    """A new PRIMARY deployment; the others give way to it."""
    primary = Deployment(
        id=id_,
        status="PRIMARY",
        revision=revision,
        desired=service.desired,
        created_at=now,
        updated_at=now,
        reason=words.in_progress(id_),
    )
    others = tuple(replace(deployment, status="ACTIVE") for deployment in service.deployments)
    return replace(service, deployments=(primary, *others), steady=False)
