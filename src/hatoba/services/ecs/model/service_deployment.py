"""What became of a service, deployment by deployment: service deployments and the immutable revisions they rolled out.

A revision is what tasks are started from, with the digests that its tags meant when it was deployed. Its number is that
of its tasks' `ecs-svc/<number>`. A service deployment is one way from the revisions before to a new one, and back again
if it has to be; the newest fifty are kept, with the revisions that they name.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from hatoba.aws.shapes import ecs as t
from hatoba.core.keys import Scope
from hatoba.core.records import Record, replace
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.hook import hooks, hooks_of
from hatoba.services.ecs.model.service import Deployment, Revision, Service
from hatoba.services.ecs.model.shift import Shift
from hatoba.services.ecs.model.task import Part
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View

KEPT = 50
Status = Literal[
    "PENDING",
    "IN_PROGRESS",
    "SUCCESSFUL",
    "STOP_REQUESTED",
    "STOPPED",
    "ROLLBACK_REQUESTED",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_SUCCESSFUL",
    "ROLLBACK_FAILED",
]
Monitor = Literal["DISABLED", "MONITORING", "MONITORING_COMPLETE", "TRIGGERED"]
UNDER_WAY = ("PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")
STOPPABLE = ("PENDING", "IN_PROGRESS")
SUPERSEDED = "Service deployment stopped because a newer service deployment took its place."


class Image(Part, frozen=True, kw_only=True):
    container: str
    image: str
    digest: str = ""  # "": not known to the platform's own registry, or not to be resolved


class ServiceRevision(Record, frozen=True, kw_only=True):
    """The id is `cluster/name/<number>`. Never changed, but for the digests before its first task."""

    service: str
    revision: Revision
    created_at: float
    images: tuple[Image, ...] = ()
    groups: tuple[str, ...] = ()  # as its deployment found them free
    resolved: bool = False  # its digests were looked up. The service controller.

    @property
    def arn(self) -> str:
        return arns.service_revision_arn(self.scope, self.id)

    @property
    def pins(self) -> dict[str, str]:
        """By container: the digest that is pulled whatever its tag means by then."""
        return {image.container: image.digest for image in self.images if image.digest}


class Watch(Part, frozen=True, kw_only=True):
    """What is known of the CloudWatch alarms that judge a deployment. The service controller only."""

    names: tuple[str, ...]
    rollback: bool = False
    asked_at: float | None = None  # when they were last asked for
    ignored: tuple[str, ...] = ()  # were in ALARM when it began: they say nothing about it
    triggered: tuple[str, ...] = ()
    evaluates: float = 0.0  # seconds that the slowest of them looks back
    trouble: str = ""  # why they cannot be read


class ServiceDeployment(Record, frozen=True, kw_only=True):
    """The id is `cluster/name/<21 letters>`. Writers: the API begins it and asks for its end; then the controller."""

    service: str
    ordinal: int  # the service's first, second, … one
    target: str  # number of the revision
    sources: tuple[str, ...]
    created_at: float
    updated_at: float
    configuration: dict[str, Any] = msgspec.field(default_factory=dict)  # the model's DeploymentConfiguration
    status: Status = "PENDING"
    reason: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    stopped_at: float | None = None
    back_to: str = ""  # number of the revision that a rollback deploys again
    back_reason: str = ""
    back_at: float | None = None
    monitor: Monitor = "DISABLED"  # the deployment circuit breaker
    failures: int = 0
    threshold: int = 0
    shift: Shift | None = None  # of a strategy that shifts traffic
    watch: Watch | None = None  # None: no alarms judge it
    baking_since: float | None = None  # of a rolling update

    @property
    def arn(self) -> str:
        return arns.service_deployment_arn(self.scope, self.id)

    @property
    def under_way(self) -> bool:
        return self.status in UNDER_WAY


revisions = Table(
    "ecs.service_revisions",
    ServiceRevision,
    indexes=(Index("service", lambda r: (r.key[:3], r.service)),),
)
deployments = Table(
    "ecs.service_deployments",
    ServiceDeployment,
    indexes=(Index("service", lambda d: (d.key[:3], d.service)),),
)


def number_of(deployment: str) -> str:
    """`ecs-svc/123` → `123`"""
    return deployment.rpartition("/")[2]


def find_revision(view: View, service: Service, number: str) -> ServiceRevision | None:
    return view.find(revisions, service.scope, f"{service.id}/{number}")


def current_deployment(view: View, service: Service) -> ServiceDeployment | None:
    return view.find(deployments, service.scope, f"{service.id}/{service.current}") if service.current else None


def deployments_of(view: View, scope: Scope, service: str) -> list[ServiceDeployment]:
    """Newest first."""
    found = view.index(deployments, "service", (scope, service))
    return sorted(found, key=lambda d: -d.ordinal)


def by_arn(view: View, scope: Scope, arn: str) -> ServiceDeployment | None:
    return view.find(deployments, scope, _id(arn, "service-deployment", scope))


def revision_by_arn(view: View, scope: Scope, arn: str) -> ServiceRevision | None:
    return view.find(revisions, scope, _id(arn, "service-revision", scope))


def _id(arn: str, kind: str, scope: Scope) -> str:
    id_ = arns.plain(arn, kind, scope)
    if not arn.startswith("arn:") or id_.count("/") != 2:
        raise t.InvalidParameterException(f"Invalid identifier: {arn} is not the ARN of a {kind}.")
    return id_


def keep_revision(tx: Tx, service: Service, deployment: Deployment, definition: Definition, now: float) -> None:
    """Notes what the deployment starts its tasks from."""
    images = tuple(Image(container=c["name"], image=c["image"]) for c in definition.containers)
    tx.put(
        revisions,
        ServiceRevision(
            key=revisions.key(service.scope, f"{service.id}/{number_of(deployment.id)}"),
            service=service.id,
            revision=deployment.revision,
            created_at=now,
            images=images,
            groups=deployment.groups if any(target.shifting for target in deployment.revision.targets) else (),
        ),
    )


def begin(
    tx: Tx,
    service: Service,
    definition: Definition,
    id_: str,
    configuration: dict[str, Any],
    now: float,
    *,
    shift: Shift | None = None,
    watch: Watch | None = None,
) -> Service:
    """The service's PRIMARY deployment is new: notes it, in the place of one that was still under way. Not yet put."""
    before = current_deployment(tx, service)
    if before is not None and before.under_way:
        stopped = replace(before, status="STOPPED", reason=SUPERSEDED, stopped_at=now, finished_at=now, updated_at=now)
        tx.put(deployments, stopped)
    number = number_of(service.primary.id)
    keep_revision(tx, service, service.primary, definition, now)
    tx.put(
        deployments,
        ServiceDeployment(
            key=deployments.key(service.scope, f"{service.id}/{id_}"),
            service=service.id,
            ordinal=max((d.ordinal for d in deployments_of(tx, service.scope, service.id)), default=0) + 1,
            target=number,
            sources=tuple(number_of(deployment.id) for deployment in service.deployments[1:]),
            created_at=now,
            updated_at=now,
            configuration=configuration,
            shift=shift,
            watch=watch,
        ),
    )
    service = replace(service, current=id_)
    _forget_old(tx, service)
    return service


def _forget_old(tx: Tx, service: Service) -> None:
    """What the newest fifty do not name and the service does not run is let go of."""
    every = deployments_of(tx, service.scope, service.id)
    if len(every) <= KEPT:
        return
    kept = every[:KEPT]
    named = {number for d in kept for number in (d.target, d.back_to, *d.sources)}
    named |= {number_of(id_) for id_ in (service.completed_as, *(d.id for d in service.deployments))}
    for deployment in every[KEPT:]:
        _forget(tx, deployment)
    for revision in tx.index(revisions, "service", (service.scope, service.id)):
        if number_of(revision.id) not in named:
            tx.forget(revisions, revision.key)


def _forget(tx: Tx, deployment: ServiceDeployment) -> None:
    for hook in hooks_of(tx, deployment.scope, deployment.id):
        tx.forget(hooks, hook.key)
    tx.forget(deployments, deployment.key)


def forget_history(tx: Tx, service: Service) -> None:
    for deployment in tx.index(deployments, "service", (service.scope, service.id)):
        _forget(tx, deployment)
    for revision in tx.index(revisions, "service", (service.scope, service.id)):
        tx.forget(revisions, revision.key)
