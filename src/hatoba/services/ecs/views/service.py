"""Service, its tasks and events → `Service`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from hatoba.aws.shapes import ecs as t
from hatoba.core.keys import Scope
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.service import Deployment, Event, Percents, Revision, Service
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.model.task_set import TaskSet, revision_of
from hatoba.services.ecs.views.pieces import counts, definition_arn, load_balancers, network, present
from hatoba.services.ecs.views.service_deployment import current
from hatoba.services.ecs.views.task_set import task_set


def service(record: Service, tasks: Iterable[Task], events: Sequence[Event], sets: Sequence[TaskSet] = ()) -> t.Service:
    """`tasks`: those that are not over; `events`: oldest first; `sets`: where ECS does not deploy it."""
    found = list(tasks)
    running, pending = counts(found)
    revision = revision_of(record, sets)
    shape: dict[str, Any] = {
        "serviceArn": record.arn,
        "serviceName": record.name,
        "clusterArn": arns.cluster_arn(record.scope, record.cluster),
        "loadBalancers": load_balancers(revision.targets if revision is not None else ()),
        "serviceRegistries": [],
        "status": record.status,
        "desiredCount": record.desired,
        "runningCount": running.total(),
        "pendingCount": pending.total(),
        **_rolled_out(record, revision),
        "deploymentConfiguration": configuration(record.percents),
        "deployments": [
            _deployment(record.scope, deployment, running[deployment.id], pending[deployment.id])
            for deployment in (record.deployments if record.status != "INACTIVE" else ())
        ],
        "events": [{"id": e.event, "createdAt": e.at, "message": e.message} for e in reversed(events)],
        "createdAt": record.created_at,
        "placementConstraints": [dict(constraint) for constraint in record.placement.constraints],
        "placementStrategy": [dict(strategy) for strategy in record.placement.strategy],
        "networkConfiguration": network(revision.network) if revision is not None else None,
        "healthCheckGracePeriodSeconds": _grace(record, revision),
        "schedulingStrategy": "DAEMON" if record.daemon else "REPLICA",
        "deploymentController": {"type": record.controller},
        "createdBy": record.created_by or None,
        "enableECSManagedTags": record.managed_tags,
        "propagateTags": record.propagate_tags,
        "enableExecuteCommand": record.execute,
        "availabilityZoneRebalancing": "DISABLED",
        "taskSets": [task_set(one, record, found) for one in sets] if record.controller != "ECS" else None,
        **current(record, found),
        **record.settings,
    }
    return cast(t.Service, present(shape))


def _rolled_out(record: Service, revision: Revision | None) -> dict[str, Any]:
    """What it runs, above all: of a service without a primary task set nothing can be said."""
    if revision is None:
        return {}
    return {
        "launchType": None if revision.capacity else revision.launch_type,
        "capacityProviderStrategy": [dict(item) for item in revision.capacity] or None,
        "platformVersion": revision.platform_version or None,
        "platformFamily": "Linux" if revision.platform_version else None,
        "taskDefinition": definition_arn(record.scope, revision.definition),
    }


def _grace(record: Service, revision: Revision | None) -> int | None:
    balanced = revision is not None and bool(revision.targets)
    return record.grace if record.grace is not None or not balanced else 0


def configuration(percents: Percents) -> dict[str, Any]:
    """The model's DeploymentConfiguration."""
    return {
        "deploymentCircuitBreaker": {
            "enable": percents.breaker,
            "rollback": percents.rollback,
            "resetOnHealthyTask": percents.reset,
            "thresholdConfiguration": {"type": percents.threshold.type, "value": percents.threshold.value},
        },
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
        "taskDefinition": definition_arn(scope, revision.definition),
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
