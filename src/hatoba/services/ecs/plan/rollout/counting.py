"""Counts the tasks of a deployment that did not make it: what opens the circuit breaker and slows down more starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hatoba.core.records import replace
from hatoba.services.ecs.model.service import Deployment, Service
from hatoba.services.ecs.model.service_deployment import ServiceDeployment
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.plan.rollout import arith, words

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
    again_at: float | None = None
    early: bool = False  # it counts as done once what is left of the old deployments has gone


def note_ends(service: Service, ended: Sequence[Task], unhealthy: Sequence[Task], healthy: int, now: float) -> Progress:
    """Counts the tasks of the PRIMARY deployment that did not make it. `unhealthy`: stopped now for their health."""
    primary, messages = service.primary, []
    failed = primary.failed + len(unhealthy)
    fallen, some_stayed = list(unhealthy), False
    for task in ended:
        if task.deployment != primary.id or task.stop_code in _BLAMELESS:
            continue
        ran = (task.execution_stopped_at or now) - task.started_at if task.started_at is not None else None
        stayed = ran is not None and ran >= arith.STAYED_UP
        # A process that ends by itself at once is as broken as one that never starts.
        failed += ran is None or (not stayed and primary.rollout == "IN_PROGRESS")
        some_stayed = some_stayed or stayed
        fallen += [] if stayed else [task]
        if ran is None and task.stop_code in _NEVER_RAN:
            messages.append(words.not_started(task.stopped_reason.rstrip(".")))
    crashes = 1 if some_stayed else primary.crashes + _is_another_wave(primary, fallen)
    crashed = bool(fallen) or some_stayed
    if crashed and failed >= 3 > primary.failed:
        messages.append(words.CONSISTENTLY_FAILING)
    if not crashed and healthy and failed and service.percents.reset:
        failed = 0  # "once a service deployment has one or more successfully running tasks, the count resets"
    if (failed, crashes) != (primary.failed, primary.crashes):
        at = now if crashes != primary.crashes or some_stayed else primary.crashed_at
        service = with_primary(service, replace(primary, failed=failed, crashes=crashes, crashed_at=at, updated_at=now))
    return Progress(service, tuple(messages))


def _is_another_wave(primary: Deployment, fallen: Sequence[Task]) -> bool:
    """Many tasks that were started together and fall together are one reason to wait, not as many as they are."""
    return any(primary.crashed_at is None or task.created_at >= primary.crashed_at for task in fallen)


def note_others(service: Service, ended: Sequence[Task], now: float) -> Service:
    """The same for the deployments beside it, whose tasks are replaced too while traffic is shifted."""
    others = (replace(service, deployments=(deployment,)) for deployment in service.deployments[1:])
    counted = tuple(note_ends(other, ended, (), 0, now).service.primary for other in others)
    return replace(service, deployments=(service.primary, *counted))


def with_primary(service: Service, primary: Deployment) -> Service:
    return replace(service, deployments=(primary, *service.deployments[1:]))
