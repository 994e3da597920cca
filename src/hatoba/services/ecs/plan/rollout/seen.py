"""One task and its targets, as its service sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from hatoba.services.ecs.model.service import Service
from hatoba.services.ecs.model.task import RANK, Eni, Target, Task
from hatoba.services.ecs.plan import lifecycle, reasons

# (target group ARN, address or node, port) → the state that DescribeTargetHealth tells. Absent: not registered.
Place = tuple[str, str, int]
Targets = Mapping[Place, str]
Condition = Literal["starting", "healthy", "unhealthy", "ending", "gone"]


class Seen(NamedTuple):
    """`ending`: it is being stopped but something may still run; `gone`: nothing of it runs."""

    task: Task
    condition: Condition
    why: str = ""  # unhealthy: the reason for which it will be stopped
    grace_ends: float | None = None  # when an unhealthy task is no longer excused, or an unchecked one is trusted

    @property
    def id(self) -> str:
        return self.task.id

    @property
    def counts(self) -> bool:
        """Towards the desired count: it serves, or soon will."""
        return self.condition in ("starting", "healthy")

    @property
    def occupies(self) -> bool:
        """Towards maximumPercent: something of it may be running. Lost tasks are not counted."""
        return self.condition != "gone"


def see(service: Service, task: Task, targets: Targets, now: float, unchecked: float = 0.0) -> Seen:
    """`unchecked`: seconds for which a new version that nothing checks is not trusted."""
    if task.lost or task.status in ("DEPROVISIONING", "STOPPED"):
        return Seen(task, "gone")
    if task.desired == "STOPPED":
        return Seen(task, "ending")
    if RANK[task.status] < RANK["RUNNING"]:
        return Seen(task, "starting")
    if (health := lifecycle.health(task)) == "UNHEALTHY":
        return Seen(task, "unhealthy", reasons.HEALTH_CHECKS)
    waiting = health == "UNKNOWN" and any(c.checked and c.essential for c in task.containers)
    for (group, _, _), state in places(task, targets):
        if state == "unhealthy":
            grace_ends = (task.started_at or now) + (service.grace or 0)
            if now >= grace_ends:
                return Seen(task, "unhealthy", reasons.elb(group))
            return Seen(task, "starting", grace_ends=grace_ends)
        waiting = waiting or state != "healthy"
    trusted_at = (task.started_at or now) + unchecked
    if now < trusted_at and _is_tried(service, task):
        return Seen(task, "starting", grace_ends=trusted_at)
    return Seen(task, "starting" if waiting else "healthy")


def _is_tried(service: Service, task: Task) -> bool:
    """It is to take the place of what works, and neither a health check nor a load balancer says whether it does."""
    if task.targets or any(container.checked and container.essential for container in task.containers):
        return False
    primary = service.primary
    return primary.rollout == "IN_PROGRESS" and primary.id == task.deployment and len(service.deployments) > 1


def places(task: Task, targets: Targets) -> Iterable[tuple[Place, str]]:
    """The task's places behind load balancers and the state of each, "" when it is not registered."""
    for target in task.targets:
        place = (target.group, *where(task, target))
        yield place, targets.get(place, "")


def _address(eni: Eni, target: Target) -> str:
    """Of the group's family; of the other one, which ELB refuses and says why, where it has no such address."""
    return (eni.address6 or eni.address) if target.six else (eni.address or eni.address6)


def where(task: Task, target: Target) -> tuple[str, int]:
    """Where a load balancer finds it: at its own interface, or at a port of its node, known once it runs. "": nowhere.

    On the bridge it is the port that the node leads to the container's, on the host's network the container's own.
    """
    if task.eni is not None or task.network is not None:
        return _address(task.eni, target) if task.eni else "", target.port
    container = next((one for one in task.containers if one.name == target.container), None)
    for each in container.bindings if container is not None else ():
        if each.protocol == "tcp" and each.container <= target.port < each.container + each.count:
            return task.node, each.host + target.port - each.container
    return task.node, target.port
