"""What a task's state follows from. States only move forward.

`settle` is applied by whoever changes a task, in the same transaction: the state is a function of the facts, so it does
not matter who learns of a fact first. The states and when each begins: the developer guide, "Task lifecycle".
"""

from __future__ import annotations

from hatoba.core.records import replace
from hatoba.services.ecs.model.story import Moment, add, tells
from hatoba.services.ecs.model.task import RANK, Container, Status, Task
from hatoba.services.ecs.plan import reasons


def settle(task: Task, now: float) -> Task:
    """The task in the state that its other fields have brought it to."""
    if task.desired == "STOPPED" and task.balancing == "wanted":
        task = replace(task, balancing="left")  # never joined
    if task.started_at is None and started(task):
        task = replace(task, started_at=now)
    if task.launched and task.execution_stopped_at is None and not alive(task):
        task = replace(task, execution_stopped_at=now)
    if task.desired == "STOPPED" and not tells(task.story, "stop"):
        task = replace(task, story=add(task.story, Moment(now, "stop", text=task.stopped_by)))
    follows = _follows(task)
    if RANK[follows] <= RANK[task.status]:
        return task
    task = replace(task, status=follows, story=add(task.story, Moment(now, "status", text=follows)))
    if follows == "ACTIVATING":
        task = replace(task, balancing="joining")
    if RANK[follows] >= RANK["STOPPING"] and task.stopping_at is None:
        task = replace(task, stopping_at=now)
    if follows == "STOPPED":
        task = replace(task, stopped_at=now)
    return task


def _follows(task: Task) -> Status:
    if task.released:
        return "STOPPED"
    if task.desired == "RUNNING":
        if task.network is not None and task.eni is None:
            return "PROVISIONING"
        if not task.launched or not started(task):
            return "PENDING"
        return "ACTIVATING" if task.balancing in ("wanted", "joining") else "RUNNING"
    if not alive(task):
        return "DEPROVISIONING"
    return "DEACTIVATING" if task.balancing in ("joining", "joined", "draining") else "STOPPING"


def started(task: Task) -> bool:
    """Every essential container runs. One that ended ends the task, which is another matter."""
    return (
        task.launched and bool(task.containers) and all(c.status == "RUNNING" for c in task.containers if c.essential)
    )


def alive(task: Task) -> bool:
    """Something may run on its node."""
    return task.launched and not task.lost and any(c.status != "STOPPED" for c in task.containers)


def end(task: Task, code: str, reason: str, by: str = "") -> Task:
    """Wants it stopped. Who said so first is remembered: `by`, the ARN of a principal, or else what `code` says."""
    if task.desired == "STOPPED":
        return task
    return replace(task, desired="STOPPED", stop_code=code, stopped_reason=reason, stopped_by=by)


def lose(task: Task) -> Task:
    """Its node is gone, and what ran there with it: nobody knows how it ended."""
    gone = tuple(_gone(container) for container in task.containers)
    ended = end(task, "InfrastructureHealth", reasons.lost(task.launch_type, task.node))
    return replace(ended, lost=True, containers=gone)


def _gone(container: Container) -> Container:
    return container if container.status == "STOPPED" else replace(container, status="STOPPED")


def health(task: Task) -> str:
    """The task's `healthStatus`: all essential containers that have a check are healthy, or one is not."""
    checked = [container.health for container in task.containers if container.essential and container.checked]
    if "UNHEALTHY" in checked:
        return "UNHEALTHY"
    return "HEALTHY" if checked and all(state == "HEALTHY" for state in checked) else "UNKNOWN"
