"""A node's report on a workload → the task: container states, times, exit codes and reasons. Only ever forward."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from hatoba.core.records import replace
from hatoba.fleet.model import ContainerStatus, WorkloadStatus
from hatoba.services.ecs.model.story import add
from hatoba.services.ecs.model.task import Container, Task
from hatoba.services.ecs.plan import lifecycle, reasons
from hatoba.services.ecs.plan.moments import moments

State = Literal["PENDING", "RUNNING", "STOPPED"]
_STATES: dict[str, State] = {"running": "RUNNING", "stopped": "STOPPED"}
_ORDER = {"PENDING": 0, "RUNNING": 1, "STOPPED": 2}
_HEALTH: dict[str, Literal["UNKNOWN", "HEALTHY", "UNHEALTHY"]] = {"healthy": "HEALTHY", "unhealthy": "UNHEALTHY"}


def observe(task: Task, status: WorkloadStatus, now: float) -> Task:
    """The task with what its node reports, heard `now`. Not yet settled."""
    if status.state == "lost":
        return task if task.lost else lifecycle.lose(task)
    reported = {container.name: container for container in status.containers}
    over = status.state == "stopped"
    containers = tuple(_container(known, reported.get(known.name), over) for known in task.containers)
    happened = moments(task.story, zip(task.containers, containers, strict=True), reported, now)
    task = replace(
        task,
        containers=containers,
        story=add(task.story, *happened),
        connected_at=task.connected_at or status.connected,
        pull_started_at=task.pull_started_at or _first(c.pull_started for c in status.containers),
        pull_stopped_at=_pulled(task, status),
        started_at=task.started_at or _ran(containers, reported),
    )
    if not lifecycle.alive(task) and task.execution_stopped_at is None:
        task = replace(task, execution_stopped_at=_last(c.finished for c in status.containers) or status.stopped)
    return _ended(task, status, reported)


def _container(known: Container, reported: ContainerStatus | None, over: bool) -> Container:
    if reported is None:
        return replace(known, status="STOPPED") if over else known
    state: State = "STOPPED" if over else _STATES.get(reported.state, "PENDING")
    now = replace(
        known,
        status=state if _ORDER[state] > _ORDER[known.status] else known.status,
        runtime_id=reported.runtime_id or known.runtime_id,
        digest=reported.image_digest or known.digest,
        exit_code=reported.exit_code if known.exit_code is None else known.exit_code,
        reason=known.reason or _reason(reported),
        health=_HEALTH.get(reported.health, "UNKNOWN") if known.checked else "UNKNOWN",
        restarts=reported.restarts,
        bindings=reported.bindings or known.bindings,
    )
    return known if now == known else now


def _reason(reported: ContainerStatus) -> str:
    if reported.oom:
        return reasons.OUT_OF_MEMORY
    return reasons.reason(reported.error, reported.detail) if reported.error else ""


def _first(times: Iterable[float | None]) -> float | None:
    return min((time for time in times if time is not None), default=None)


def _last(times: Iterable[float | None]) -> float | None:
    return max((time for time in times if time is not None), default=None)


def _ran(containers: Iterable[Container], reported: Mapping[str, ContainerStatus]) -> float | None:
    """When all essential containers had begun, by the clock of their node, which tells their ends, too.

    Of a task that is over at once nobody may have seen them run.
    """
    essential = [reported.get(container.name) for container in containers if container.essential]
    begun = [report.started for report in essential if report is not None]
    return None if len(begun) < len(essential) or None in begun else _last(begun)


def _pulled(task: Task, status: WorkloadStatus) -> float | None:
    """When the last pull ended: known once all have."""
    if task.pull_stopped_at is not None:
        return task.pull_stopped_at
    ends = [container.pull_stopped for container in status.containers]
    return _last(ends) if ends and None not in ends else None


def _ended(task: Task, status: WorkloadStatus, reported: dict[str, ContainerStatus]) -> Task:
    """Wants the task stopped when it failed as a whole, a container could not start, or an essential one is over."""
    if task.desired == "STOPPED":
        return task
    if status.error:
        return lifecycle.end(task, "TaskFailedToStart", reasons.reason(status.error, status.detail))
    over = [container for container in task.containers if container.status == "STOPPED"]
    for container in over:
        report = reported.get(container.name)
        if report is not None and report.error and report.started is None:
            reason = container.reason if task.launch_type == "FARGATE" else reasons.FAILED_TO_START
            return lifecycle.end(task, "TaskFailedToStart", reason)
    if any(container.essential for container in over):
        return lifecycle.end(task, "EssentialContainerExited", reasons.ESSENTIAL_EXITED)
    return task
