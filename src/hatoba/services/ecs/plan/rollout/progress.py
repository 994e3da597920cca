"""The deployments of a service: what is left of the old ones, whether the new one is done, has failed, is undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from hatoba.core.records import replace
from hatoba.services.ecs.model.arns import derived_digits
from hatoba.services.ecs.model.service import Deployment, Revision, Service
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.plan.rollout import arith, words
from hatoba.services.ecs.plan.rollout.seen import Seen

# Ends for which the deployment is not to blame.
_BLAMELESS = ("UserInitiated", "ServiceSchedulerInitiated", "InfrastructureHealth", "SpotInterruption")
_NEVER_RAN = ("TaskFailedToStart",)


class Progress(NamedTuple):
    service: Service
    messages: tuple[str, ...]


def note_ends(service: Service, ended: Sequence[Task], unhealthy: int, healthy: int, now: float) -> Progress:
    """Counts the tasks of the PRIMARY deployment that did not make it. `unhealthy`: stopped now for their health."""
    primary, messages = service.primary, []
    failed, crashes = primary.failed, primary.crashes
    for task in ended:
        if task.deployment != primary.id or task.stop_code in _BLAMELESS:
            continue
        ran = (task.execution_stopped_at or now) - task.started_at if task.started_at is not None else None
        if ran is None:
            failed += 1
        crashes = 1 if ran is not None and ran >= arith.STAYED_UP else crashes + 1
        if ran is None and task.stop_code in _NEVER_RAN:
            messages.append(words.not_started(task.stopped_reason.rstrip(".")))
    failed, crashes = failed + unhealthy, crashes + unhealthy
    crashed = crashes != primary.crashes or failed != primary.failed
    if crashed and failed >= 3 > primary.failed:
        messages.append(words.CONSISTENTLY_FAILING)
    if not crashed and healthy and failed:
        failed = 0  # "once a service deployment has one or more successfully running tasks, the count resets"
    if (failed, crashes) != (primary.failed, primary.crashes):
        at = now if crashed else primary.crashed_at
        service = _with_primary(
            service, replace(primary, failed=failed, crashes=crashes, crashed_at=at, updated_at=now)
        )
    return Progress(service, tuple(messages))


def advance(service: Service, seen: Sequence[Seen], now: float) -> Progress:
    """Forgets deployments of which nothing is left; completes, fails or undoes the PRIMARY one."""
    occupied = Counter(one.task.deployment for one in seen if one.occupies)
    service = _without_leftovers(service, occupied, now)
    primary = service.primary
    if primary.desired != service.desired:
        primary = replace(primary, desired=service.desired, updated_at=now)
        service = _with_primary(service, primary)
    if service.status == "DRAINING" and not occupied:
        service = replace(service, status="INACTIVE", ended_at=now)
    if primary.rollout != "IN_PROGRESS" or service.status != "ACTIVE":
        return Progress(service, ())
    if service.percents.breaker and primary.failed >= arith.breaker_threshold(service.desired):
        return _break(service, now)
    serving = sum(one.condition == "healthy" for one in seen if one.task.deployment == primary.id)
    if len(service.deployments) > 1 or serving < service.desired:
        return Progress(service, ())
    done = replace(primary, rollout="COMPLETED", reason=words.is_completed(primary.id), updated_at=now)
    return Progress(replace(_with_primary(service, done), completed=done.revision), (words.completed(done.id),))


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


def _break(service: Service, now: float) -> Progress:
    """The deployment circuit breaker opens: no further starts, and back to what last worked if that was asked for."""
    primary, back = service.primary, service.completed
    told = words.failed(primary.id)
    if not service.percents.rollback or back is None or back == primary.revision:
        failed = replace(primary, rollout="FAILED", reason=words.BREAKER, updated_at=now)
        return Progress(_with_primary(service, failed), (told,))
    earlier = next((d for d in service.deployments[1:] if d.revision == back and d.rollout == "COMPLETED"), None)
    id_ = earlier.id if earlier else f"ecs-svc/{derived_digits(primary.id, 'rollback')}"
    failed = replace(primary, rollout="FAILED", reason=words.breaker_rolling_back(id_), updated_at=now)
    service = _with_primary(service, failed)
    undone = _reinstate(service, earlier, now) if earlier else redeploy(service, id_, back, now)
    return Progress(undone, (told, words.rolling_back(id_)))


def _reinstate(service: Service, earlier: Deployment, now: float) -> Service:
    """An earlier deployment is the PRIMARY one again: its tasks that still run stay untouched."""
    again = replace(
        earlier, status="PRIMARY", rollout="IN_PROGRESS", reason=words.in_progress(earlier.id), updated_at=now
    )
    others = tuple(replace(d, status="ACTIVE") for d in service.deployments if d.id != earlier.id)
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
