"""Services: how many tasks of a definition are wanted, the deployments on the way there, and what happened.

A service's events are records of their own, so that a busy service does not rewrite a hundred of them each time.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from hatoba.aws.shapes import ecs as t
from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.gateway.tags import forget_tags
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.task import Network, Part, Placement, Target
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View

EVENTS_KEPT = 100


class Revision(Part, frozen=True, kw_only=True):
    """What a deployment rolls out: any change here is a new deployment."""

    definition: str  # id of the task definition's revision
    launch_type: Literal["FARGATE", "EC2", "EXTERNAL"]
    platform_version: str = ""
    capacity: tuple[dict[str, Any], ...] = ()  # the model's CapacityProviderStrategyItems
    network: Network | None = None
    targets: tuple[Target, ...] = ()


class Deployment(Part, frozen=True, kw_only=True):
    """`desired` of the PRIMARY is the service's; of an ACTIVE one, what is left of it."""

    id: str  # `ecs-svc/…`
    status: Literal["PRIMARY", "ACTIVE"]
    revision: Revision
    desired: int
    created_at: float
    updated_at: float
    rollout: Literal["IN_PROGRESS", "COMPLETED", "FAILED"] = "IN_PROGRESS"
    reason: str = ""
    failed: int = 0  # tasks in a row that never ran, or failed their health checks: the model's failedTasks
    crashes: int = 0  # waves of tasks in a row that did not stay up, those included: what slows down further starts
    crashed_at: float | None = None  # when the last of them began to fall
    groups: tuple[str, ...] = ()  # the target groups of its tasks, as it found them free; (): as the revision says

    @property
    def targets(self) -> tuple[Target, ...]:
        """Where its tasks join load balancers."""
        if not self.groups:
            return self.revision.targets
        pairs = zip(self.revision.targets, self.groups, strict=True)
        return tuple(msgspec.structs.replace(target, group=group) for target, group in pairs)


class Threshold(Part, frozen=True, kw_only=True):
    """How many failed tasks open the circuit breaker: a count, or a part of what is desired, bounded or not."""

    type: Literal["COUNT", "BOUNDED_PERCENT", "UNBOUNDED_PERCENT"] = "BOUNDED_PERCENT"
    value: int = 50


class Percents(Part, frozen=True, kw_only=True):
    """The model's DeploymentConfiguration, as far as a rolling update reads it; the rest is kept as it came."""

    minimum: int = 100
    maximum: int = 200
    breaker: bool = False
    rollback: bool = False
    threshold: Threshold = Threshold()
    reset: bool = True  # a healthy task sets the failures back to none
    rest: dict[str, Any] = msgspec.field(default_factory=dict)


class Rebalance(Part, frozen=True, kw_only=True):
    """Availability zone rebalancing: under way, or put off."""

    since: float | None = None  # under way since
    not_before: float | None = None  # put off until
    why: str = ""  # as it was told


class Service(Record, frozen=True, kw_only=True):
    """The id is `cluster/name`."""

    cluster: str
    name: str
    desired: int
    created_at: float
    created_by: str = ""
    deployments: tuple[Deployment, ...]  # PRIMARY first. The service controller; the API adds a new PRIMARY.
    percents: Percents = Percents()
    grace: int | None = None  # seconds
    status: Literal["ACTIVE", "DRAINING", "INACTIVE"] = "ACTIVE"
    settings: dict[str, Any] = msgspec.field(default_factory=dict)  # members that are told back as they came
    managed_tags: bool = False
    propagate_tags: Literal["NONE", "SERVICE", "TASK_DEFINITION"] = "NONE"
    execute: bool = False
    placement: Placement = Placement()
    daemon: bool = False  # one task on every instance: `desired` is their number, and the service controller's
    controller: Literal["ECS", "EXTERNAL", "CODE_DEPLOY"] = "ECS"  # of any other than ECS: no deployments, task sets
    ended_at: float | None = None  # when it became INACTIVE
    current: str = ""  # the last part of its newest service deployment's id. The API only.

    # The service controller only.
    completed: Revision | None = None  # what a rollback returns to
    completed_as: str = ""  # `ecs-svc/…`
    completed_groups: tuple[str, ...] = ()  # `Deployment.groups` of it
    steady: bool = False  # said so, and nothing happened since
    blocked: str = ""  # why the last task could not be placed; "" when it could
    said: dict[str, float] = msgspec.field(default_factory=dict)  # what still holds, and when it was last said
    rebalance: Rebalance = Rebalance()
    events: int = 0  # how many there have been

    @property
    def arn(self) -> str:
        return arns.service_arn(self.key.scope, self.cluster, self.name)

    @property
    def definitions(self) -> set[str]:
        """Ids of the task definitions that its tasks are, or may again be, started from."""
        used = {deployment.revision.definition for deployment in self.deployments}
        return used | ({self.completed.definition} if self.completed is not None else set())

    @property
    def namespace(self) -> str:
        """Of Service Connect, as it was named: a name or an ARN."""
        connect = self.settings.get("serviceConnectConfiguration") or {}
        return str(connect.get("namespace") or "")

    @property
    def rebalances(self) -> bool:
        """Its tasks are evened out over the zones."""
        wanted = self.settings.get("availabilityZoneRebalancing") == "ENABLED"
        return wanted and self.controller == "ECS" and not self.daemon and self.status == "ACTIVE"

    @property
    def primary(self) -> Deployment:
        return self.deployments[0]

    def deployment(self, id_: str | None) -> Deployment | None:
        return next((deployment for deployment in self.deployments if deployment.id == id_), None)


class Event(Record, frozen=True, kw_only=True):
    """The id is `cluster/name/<number>`."""

    service: str
    event: str  # its own id, as told
    at: float
    message: str


services = Table(
    "ecs.services",
    Service,
    indexes=(
        Index("cluster", lambda s: (s.key[:3], s.cluster) if s.status != "INACTIVE" else None),
        Index("active", lambda s: (s.key[:3], s.cluster) if s.status == "ACTIVE" else None),
        Index("target_group", lambda s: {x.group for d in s.deployments for x in d.targets}, many=True),
        Index("blocked", lambda s: True if s.blocked else None),
        Index("namespace", lambda s: (s.key[:3], s.namespace) if s.namespace and s.status != "INACTIVE" else None),
        Index("instances", lambda s: True if s.rebalances and s.primary.revision.launch_type == "EC2" else None),
        Index("daemon", lambda s: True if s.daemon and s.status == "ACTIVE" else None),
        Index("definition", lambda s: {(s.key[:3], definition) for definition in s.definitions}, many=True),
    ),
)
events = Table("ecs.service_events", Event, indexes=(Index("service", lambda e: (e.key[:3], e.service)),))


def service_id(cluster: str, name: str) -> str:
    return f"{cluster}/{name}"


def find_service(view: View, scope: Scope, cluster: str, reference: str) -> Service | None:
    return view.find(services, scope, service_id(cluster, arns.within(reference, "service", cluster, scope)))


def need_service(view: View, scope: Scope, cluster: str, reference: str) -> Service:
    service = find_service(view, scope, cluster, reference)
    if service is None:
        raise t.ServiceNotFoundException("Service not found.")
    return service


def add_events(tx: Tx, service: Service, messages: list[str], now: float, task_set: str = "") -> Service:
    """Appends and lets go of what is older than the newest hundred; the service counts them. Not yet put.
    `task_set`: of which it is said."""
    who = f"(service {service.name}, taskSet {task_set})" if task_set else f"(service {service.name})"
    for number, message in enumerate(messages, service.events):
        event = Event(
            key=events.key(service.scope, f"{service.id}/{number:010d}"),
            service=service.id,
            event=arns.derived_uuid(service.id, str(service.created_at), str(number)),
            at=now,
            message=f"{who} {message}",
        )
        tx.put(events, event)
        old = tx.find(events, service.scope, f"{service.id}/{number - EVENTS_KEPT:010d}")
        if old is not None:
            tx.forget(events, old.key)
    return msgspec.structs.replace(service, events=service.events + len(messages))


def forget_service(tx: Tx, service: Service) -> None:
    """With its events and tags."""
    for event in tx.index(events, "service", (service.scope, service.id)):
        tx.forget(events, event.key)
    forget_tags(tx, service.scope, service.arn)
    tx.forget(services, service.key)
