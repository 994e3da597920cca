"""Task sets: the versions of a service whose deployments somebody else decides (EXTERNAL, CODE_DEPLOY).

Each is a part of what the service desires, of one revision, with load balancers of its own. The one that is PRIMARY
serves; what becomes of the traffic is the deployer's business. To the planner of services each is a service of its own
(`plan/task_sets`), so its progress is kept in the same words: a `Deployment`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import Record, replace
from hatoba.gateway.tags import forget_tags
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.service import Deployment, Revision, Service
from hatoba.services.ecs.model.service_deployment import deployments_of, find_revision, number_of, revisions
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View

MOST = 5  # of a service


class TaskSet(Record, frozen=True, kw_only=True):
    """The id is `cluster/name/<number>`; to its tasks and to AWS it is `ecs-svc/<number>`."""

    service: str
    deployment: Deployment  # its id and revision never change; the rest is the task set controller's
    scale: float  # percent of what the service desires. The API only.
    status: Literal["PRIMARY", "ACTIVE", "DRAINING"] = "ACTIVE"  # the API only
    external_id: str = ""
    started_by: str = ""
    created_at: float
    updated_at: float  # by a user
    steady_at: float  # when `steady` was last found to have changed
    steady: bool = False  # the task set controller; the API, when it asks for something else
    blocked: str = ""  # why the last task could not be placed. The task set controller.
    said: dict[str, float] = msgspec.field(default_factory=dict)  # as a service's. The task set controller.

    @property
    def name(self) -> str:
        """`ecs-svc/…`"""
        return self.deployment.id

    @property
    def arn(self) -> str:
        return arns.task_set_arn(self.scope, self.service, self.name)


task_sets = Table(
    "ecs.task_sets",
    TaskSet,
    indexes=(
        Index("service", lambda s: (s.key[:3], s.service)),
        Index("target_group", lambda s: {x.group for x in s.deployment.targets}, many=True),
        Index("blocked", lambda s: True if s.blocked else None),
        Index("definition", lambda s: (s.key[:3], s.deployment.revision.definition)),
    ),
)


def task_set_id(service: str, name: str) -> str:
    """`name`: `ecs-svc/…`"""
    return f"{service}/{number_of(name)}"


def sets_of(view: View, service: Service) -> list[TaskSet]:
    """PRIMARY first, then in the order in which they were made."""
    if service.controller == "ECS":
        return []
    found = view.index(task_sets, "service", (service.scope, service.id))
    return sorted(found, key=lambda s: (s.status != "PRIMARY", s.created_at, s.id))


def find_task_set(view: View, service: Service, reference: str) -> TaskSet | None:
    """By id (`ecs-svc/…`) or ARN. Raises when the ARN is one of another service's."""
    name = arns.task_set_name(reference, service.id, service.scope)
    return view.find(task_sets, service.scope, task_set_id(service.id, name)) if name is not None else None


def need_task_set(view: View, service: Service, reference: str) -> TaskSet:
    found = find_task_set(view, service, reference)
    if found is None:
        raise t.TaskSetNotFoundException(
            "The specified task set wasn't found. You can view your available task sets with DescribeTaskSets. Task "
            "sets are specific to each cluster, service and Region."
        )
    return found


def revision_of(service: Service, sets: Iterable[TaskSet]) -> Revision | None:
    """What it runs above all: the revision of its PRIMARY deployment or task set. None when there is no such set."""
    if service.deployments:
        return service.primary.revision
    return next((s.deployment.revision for s in sets if s.status == "PRIMARY"), None)


def shown_revision(view: View, service: Service) -> Revision | None:
    return revision_of(service, () if service.deployments else sets_of(view, service))


def with_scale(task_set: TaskSet, scale: float, now: float) -> TaskSet:
    return replace(task_set, scale=scale, updated_at=now, steady=False, steady_at=now)


def forget_task_set(tx: Tx, service: Service, task_set: TaskSet) -> None:
    """With its tags, and with its revision where the history of an earlier controller does not name it."""
    number = number_of(task_set.name)
    revision = find_revision(tx, service, number)
    named = {n for d in deployments_of(tx, service.scope, service.id) for n in (d.target, d.back_to, *d.sources)}
    if revision is not None and number not in named:
        tx.forget(revisions, revision.key)
    forget_tags(tx, service.scope, task_set.arn)
    tx.forget(task_sets, task_set.key)
