"""The deployments of a service: what is left of the old ones, whether the new one is done, has failed, is undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hatoba.core.records import replace
from hatoba.services.ecs.model.hook import Hook
from hatoba.services.ecs.model.service import Deployment, Revision, Service
from hatoba.services.ecs.model.service_deployment import ServiceDeployment
from hatoba.services.ecs.model.shift import Shift
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.plan.rollout import arith, shifting, words
from hatoba.services.ecs.plan.rollout import story as tales
from hatoba.services.ecs.plan.rollout.seen import Seen
from hatoba.services.ecs.plan.shift import stages

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
        service = _with_primary(
            service, replace(primary, failed=failed, crashes=crashes, crashed_at=at, updated_at=now)
        )
    return Progress(service, tuple(messages))


def _is_another_wave(primary: Deployment, fallen: Sequence[Task]) -> bool:
    """Many tasks that were started together and fall together are one reason to wait, not as many as they are."""
    return any(primary.crashed_at is None or task.created_at >= primary.crashed_at for task in fallen)


def note_others(service: Service, ended: Sequence[Task], now: float) -> Service:
    """The same for the deployments beside it, whose tasks are replaced too while traffic is shifted."""
    others = (replace(service, deployments=(deployment,)) for deployment in service.deployments[1:])
    counted = tuple(note_ends(other, ended, (), 0, now).service.primary for other in others)
    return replace(service, deployments=(service.primary, *counted))


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
        return _asked(service, story, now)
    if story is not None and story.status == "IN_PROGRESS":
        story = tales.watched(story, service, primary, now)
    percents, shift = service.percents, shifting.governs(story)
    threshold = arith.breaker_threshold(service.desired, percents.threshold.type, percents.threshold.value)
    # On the way back both revisions have traffic, and the older one has worked: there is no better place to go.
    if percents.breaker and primary.failed >= threshold and (shift is None or not shift.back):
        return _break(service, story, now)
    if story is not None and story.status == "IN_PROGRESS" and story.watch is not None and story.watch.triggered:
        return _undo(service, story, words.alarmed(story.watch.triggered), now, undone=story.watch.rollback)
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
        undone = _undo(service, story, turned.failed, now, undone=True)
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
        _with_primary(service, done), completed=done.revision, completed_as=done.id, completed_groups=done.groups
    )
    if story is not None and story.under_way:
        story = tales.succeeded(story, now)
    return Progress(service, (words.completed(done.id),), story)


def _with_primary(service: Service, primary: Deployment) -> Service:
    return replace(service, deployments=(primary, *service.deployments[1:]))


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
    return _with_primary(service, replace(primary, desired=service.desired, updated_at=now))


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
    if not service.percents.rollback or not can_go_back(service, story):
        service = _fail(service, words.BREAKER, now)
        story = tales.failed(story, words.TASKS_FAILED, now) if story is not None else None
        return Progress(service, (told,), story)
    to = service.completed_as
    service = _go_back(service, words.breaker_rolling_back(to), now)
    if story is not None:
        story = tales.rolling_back(story, to, words.ROLLED_BACK, now, broken=True)
    return Progress(service, (told, words.rolling_back(to)), story)


def _undo(service: Service, story: ServiceDeployment, why: str, now: float, *, undone: bool) -> Progress:
    """An alarm or a lifecycle hook says that it must not go on."""
    told = words.failed_because(service.primary.id, why)
    if not undone or not can_go_back(service, story):
        service = _fail(service, words.stopped_because(why), now)
        return Progress(service, (told,), tales.stopped(story, words.stopped_because(why), now))
    to = service.completed_as
    service = _go_back(service, words.going_back(to, why), now)
    story = tales.rolling_back(story, to, words.rolled_back_because(why), now, broken=False)
    return Progress(service, (told, words.rolling_back(to)), story)


def _asked(service: Service, story: ServiceDeployment, now: float) -> Progress:
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
    return _with_primary(service, replace(service.primary, rollout="FAILED", reason=reason, updated_at=now))


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
