"""Task set, its service and the service's tasks → `TaskSet`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from hatoba.aws.shapes import ecs as t
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.service import Service
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.model.task_set import TaskSet
from hatoba.services.ecs.plan.task_sets import alone
from hatoba.services.ecs.views.pieces import counts, definition_arn, load_balancers, network, present, tags


def task_set(
    record: TaskSet, service: Service, tasks: Iterable[Task], tagged: Mapping[str, str] | None = None
) -> t.TaskSet:
    """`tasks`: those of the service that are not over; `tagged`: its tags, where they are asked for."""
    revision = record.deployment.revision
    running, pending = counts(tasks)
    wanted = alone(service, record).desired
    # What was found steady may be asked for more since then.
    steady = record.steady and running[record.name] == wanted and not pending[record.name]
    shape: dict[str, Any] = {
        "id": record.name,
        "taskSetArn": record.arn,
        "serviceArn": service.arn,
        "clusterArn": arns.cluster_arn(record.scope, service.cluster),
        "startedBy": record.started_by or None,
        "externalId": record.external_id or None,
        "status": record.status,
        "taskDefinition": definition_arn(record.scope, revision.definition),
        "computedDesiredCount": wanted,
        "pendingCount": pending[record.name],
        "runningCount": running[record.name],
        "createdAt": record.created_at,
        "updatedAt": record.updated_at,
        "launchType": None if revision.capacity else revision.launch_type,
        "capacityProviderStrategy": [dict(item) for item in revision.capacity] or None,
        "platformVersion": revision.platform_version or None,
        "platformFamily": "Linux" if revision.platform_version else None,
        "networkConfiguration": network(revision.network),
        "loadBalancers": load_balancers(revision.targets),
        "serviceRegistries": [],
        "scale": {"value": record.scale, "unit": "PERCENT"},
        "stabilityStatus": "STEADY_STATE" if steady else "STABILIZING",
        "stabilityStatusAt": record.steady_at,
        "tags": tags(tagged) if tagged else None,
    }
    return cast(t.TaskSet, present(shape))
