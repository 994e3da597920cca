"""Service, its tasks and events → `Service`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, cast

from hatoba.aws.shapes import ecs as t
from hatoba.core.keys import Scope
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.service import Deployment, Event, Service
from hatoba.services.ecs.model.task import RANK, Task
from hatoba.services.ecs.views.pieces import load_balancers, network, present


def service(record: Service, tasks: Iterable[Task], events: Sequence[Event]) -> t.Service:
    """`tasks`: those that are not over; `events`: oldest first."""
    running, pending = _counts(tasks)
    primary = record.primary
    revision = primary.revision
    shape: dict[str, Any] = {
        "serviceArn": record.arn,
        "serviceName": record.name,
        "clusterArn": arns.cluster_arn(record.scope, record.cluster),
        "loadBalancers": load_balancers(revision.targets),
        "serviceRegistries": [],
        "status": record.status,
        "desiredCount": record.desired,
        "runningCount": running.total(),
        "pendingCount": pending.total(),
        "launchType": None if revision.capacity else revision.launch_type,
        "capacityProviderStrategy": [dict(item) for item in revision.capacity] or None,
        "platformVersion": revision.platform_version or None,
        "platformFamily": "Linux" if revision.platform_version else None,
        "taskDefinition": _definition_arn(record.scope, revision.definition),
        "deploymentConfiguration": _configuration(record),
        "deployments": [
            _deployment(record.scope, deployment, running[deployment.id], pending[deployment.id])
            for deployment in (record.deployments if record.status != "INACTIVE" else ())
        ],
        "events": [{"id": e.event, "createdAt": e.at, "message": e.message} for e in reversed(events)],
        "createdAt": record.created_at,
        "placementConstraints": [],
        "placementStrategy": [],
        "networkConfiguration": network(revision.network),
        "healthCheckGracePeriodSeconds": record.grace if record.grace is not None or not revision.targets else 0,
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "createdBy": record.created_by or None,
        "enableECSManagedTags": record.managed_tags,
        "propagateTags": record.propagate_tags,
        "enableExecuteCommand": record.execute,
        "availabilityZoneRebalancing": "DISABLED",
        **record.settings,
    }
    return cast(t.Service, present(shape))


def _counts(tasks: Iterable[Task]) -> tuple[Counter[str | None], Counter[str | None]]:
    """(running, pending), by deployment."""
    running: Counter[str | None] = Counter()
    pending: Counter[str | None] = Counter()
    for task in tasks:
        if task.status == "RUNNING":
            running[task.deployment] += 1
        elif RANK[task.status] < RANK["RUNNING"]:
            pending[task.deployment] += 1
    return running, pending


def _definition_arn(scope: Scope, id_: str) -> str:
    family, _, revision = id_.partition(":")
    return arns.definition_arn(scope, family, int(revision))


def _configuration(record: Service) -> dict[str, Any]:
    percents = record.percents
    return {
        "deploymentCircuitBreaker": {"enable": percents.breaker, "rollback": percents.rollback},
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
        **percents.rest,
        "maximumPercent": percents.maximum,
        "minimumHealthyPercent": percents.minimum,
    }


def _deployment(scope: Scope, deployment: Deployment, running: int, pending: int) -> t.Deployment:
    revision = deployment.revision
    shape: dict[str, Any] = {
        "id": deployment.id,
        "status": deployment.status,
        "taskDefinition": _definition_arn(scope, revision.definition),
        "desiredCount": deployment.desired,
        "pendingCount": pending,
        "runningCount": running,
        "failedTasks": deployment.failed,
        "createdAt": deployment.created_at,
        "updatedAt": deployment.updated_at,
        "capacityProviderStrategy": [dict(item) for item in revision.capacity] or None,
        "launchType": None if revision.capacity else revision.launch_type,
        "platformVersion": revision.platform_version or None,
        "platformFamily": "Linux" if revision.platform_version else None,
        "networkConfiguration": network(revision.network),
        "rolloutState": deployment.rollout,
        "rolloutStateReason": deployment.reason or None,
    }
    return cast(t.Deployment, present(shape))
