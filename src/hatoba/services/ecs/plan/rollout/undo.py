"""A deployment that must not go on: it fails and leaves what runs as it is, or goes back to what last worked.

Asked for by the circuit breaker, by an alarm, by a lifecycle hook, or by somebody (StopServiceDeployment).
"""

from __future__ import annotations

from hatoba.core.records import replace
from hatoba.services.ecs.model.service import Deployment, Revision, Service
from hatoba.services.ecs.model.service_deployment import ServiceDeployment
from hatoba.services.ecs.plan.rollout import shifting, words
from hatoba.services.ecs.plan.rollout import story as tales
from hatoba.services.ecs.plan.rollout.counting import Progress, with_primary


def open_breaker(service: Service, story: ServiceDeployment | None, now: float) -> Progress:
    """The deployment circuit breaker opens: no further starts, and back to what last worked if that was asked for."""
    told = words.failed(service.primary.id)
    if not service.percents.rollback or not can_go_back(service, story):
        service = _fail(service, words.BREAKER, now)
        story = tales.failed(story, words.TASKS_FAILED, now) if story is not None else None
        return Progress(service, (told,), story)
    to = service.completed_as
    service = _go_back(service, words.breaker_rolling_back(to), now)
    if story is not None:
        story = tales.rolling_back(story, to, words.ROLLED_BACK, now, broken=True)
    return Progress(service, (told, words.rolling_back(to)), story)


def undo(service: Service, story: ServiceDeployment, why: str, now: float, *, undone: bool) -> Progress:
    """An alarm or a lifecycle hook says that it must not go on."""
    told = words.failed_because(service.primary.id, why)
    if not undone or not can_go_back(service, story):
        service = _fail(service, words.stopped_because(why), now)
        return Progress(service, (told,), tales.stopped(story, words.stopped_because(why), now))
    to = service.completed_as
    service = _go_back(service, words.going_back(to, why), now)
    story = tales.rolling_back(story, to, words.rolled_back_because(why), now, broken=False)
    return Progress(service, (told, words.rolling_back(to)), story)


def asked(service: Service, story: ServiceDeployment, now: float) -> Progress:
    """Somebody has stopped the deployment: what runs is left as it is, or goes back to what last worked."""
    if story.status == "STOP_REQUESTED" or not can_go_back(service, story):
        service = _fail(service, words.STOPPED_BY_USER, now)
        return Progress(service, (), tales.stopped(story, words.STOPPED_BY_USER, now))
    to = service.completed_as
    service = _go_back(service, words.user_rolling_back(to), now)
    story = tales.rolling_back(story, to, words.ROLLED_BACK_BY_USER, now, broken=False)
    return Progress(service, (words.rolling_back(to),), story)


def can_go_back(service: Service, story: ServiceDeployment | None) -> bool:
    """There is an earlier deployment that worked; and where traffic is shifted, it is the one that it came from."""
    if service.completed is None or service.completed_as in ("", service.primary.id):
        return False
    shift = shifting.governs(story)
    return shift is None or shifting.blue_id(shift) == service.completed_as


def _fail(service: Service, reason: str, now: float) -> Service:
    return with_primary(service, replace(service.primary, rollout="FAILED", reason=reason, updated_at=now))


def _go_back(service: Service, reason: str, now: float) -> Service:
    """The deployment that last worked is the PRIMARY one again: its tasks that still run stay untouched."""
    id_, back = service.completed_as, service.completed
    assert back is not None, "asked before"
    service = _fail(service, reason, now)
    earlier = service.deployment(id_)
    if earlier is None:
        return redeploy(service, id_, back, now, service.completed_groups)
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


def redeploy(service: Service, id_: str, revision: Revision, now: float, groups: tuple[str, ...] = ()) -> Service:
    """A new PRIMARY deployment; the others give way to it. `groups`: the target groups that its tasks join."""
    primary = Deployment(
        id=id_,
        status="PRIMARY",
        revision=revision,
        desired=service.desired,
        created_at=now,
        updated_at=now,
        reason=words.in_progress(id_),
        groups=groups,
    )
    others = tuple(replace(deployment, status="ACTIVE") for deployment in service.deployments)
    return replace(service, deployments=(primary, *others), steady=False)
