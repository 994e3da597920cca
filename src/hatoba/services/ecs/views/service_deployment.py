"""Service deployments and revisions → the model's `ServiceDeployment`, `ServiceDeploymentBrief`, `ServiceRevision`.

Task counts are those of now: what runs of a revision, and what is asked of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from hatoba.aws.shapes import ecs as t
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.hook import Hook
from hatoba.services.ecs.model.service import Service
from hatoba.services.ecs.model.service_deployment import ServiceDeployment, ServiceRevision, number_of
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.plan.shift.stages import shown
from hatoba.services.ecs.views.pieces import counts, definition_arn, load_balancers, network, present


def deployment(
    record: ServiceDeployment, service: Service, tasks: Iterable[Task], runs: Sequence[Hook] = ()
) -> t.ServiceDeployment:
    """`runs`: those of its lifecycle hooks."""
    found = list(tasks)
    sources = [{**_summary(service, number, found), **_weights(record, number)} for number in record.sources]
    shape: dict[str, Any] = {
        **brief(record, service),
        "updatedAt": record.updated_at,
        "stoppedAt": record.stopped_at,
        "sourceServiceRevisions": sources,
        "targetServiceRevision": {**_summary(service, record.target, found), **_weights(record, record.target)},
        "lifecycleStage": shown(record.shift) if record.shift is not None else None,
        "lifecycleHookDetails": [_hook(run) for run in runs] or None,
        "deploymentConfiguration": record.configuration,
        "rollback": _rollback(record),
        "deploymentCircuitBreaker": {
            "status": record.monitor,
            "failureCount": record.failures,
            "threshold": record.threshold,
        },
        "alarms": _alarms(record),
    }
    del shape["targetServiceRevisionArn"]
    return cast(t.ServiceDeployment, present(shape))


def brief(record: ServiceDeployment, service: Service) -> t.ServiceDeploymentBrief:
    shape: dict[str, Any] = {
        "serviceDeploymentArn": record.arn,
        "serviceArn": service.arn,
        "clusterArn": arns.cluster_arn(record.scope, service.cluster),
        "createdAt": record.created_at,
        "startedAt": record.started_at,
        "finishedAt": record.finished_at,
        "targetServiceRevisionArn": _revision_arn(service, record.target),
        "status": record.status,
        "statusReason": record.reason or None,
    }
    return cast(t.ServiceDeploymentBrief, present(shape))


def _weights(record: ServiceDeployment, number: str) -> dict[str, float]:
    """What a revision of a shift was last given: one that is neither the blue nor the green one has nothing."""
    traffic = record.shift.traffic if record.shift is not None else None
    if record.shift is None or traffic is None:
        return {}
    production, test = 0.0, 0.0
    if number == record.target:
        production, test = traffic
    elif number == record.shift.blue:
        production, test = 100.0 - traffic.production, 100.0 - traffic.test
    return {"requestedProductionTrafficWeight": production, "requestedTestTrafficWeight": test}


def _hook(run: Hook) -> t.DeploymentLifecycleHookDetail:
    shape: dict[str, Any] = {
        "hookId": run.hook,
        "targetType": run.type,
        "targetArn": run.target or None,
        "status": run.status,
        "expiresAt": run.expires_at,
        "timeoutAction": run.action,
    }
    return cast(t.DeploymentLifecycleHookDetail, present(shape))


def _alarms(record: ServiceDeployment) -> t.ServiceDeploymentAlarms:
    watch = record.watch
    if watch is None:
        return {"status": "DISABLED"}
    over = "MONITORING" if record.status in ("PENDING", "IN_PROGRESS") else "MONITORING_COMPLETE"
    shape: dict[str, Any] = {
        "status": "TRIGGERED" if watch.triggered else over,
        "alarmNames": list(watch.names),
        "triggeredAlarmNames": list(watch.triggered) or None,
    }
    return cast(t.ServiceDeploymentAlarms, present(shape))


def _rollback(record: ServiceDeployment) -> t.Rollback | None:
    if not record.back_to or record.back_at is None:
        return None
    return {
        "reason": record.back_reason,
        "startedAt": record.back_at,
        "serviceRevisionArn": arns.service_revision_arn(record.scope, f"{record.service}/{record.back_to}"),
    }


def _revision_arn(service: Service, number: str) -> str:
    return arns.service_revision_arn(service.scope, f"{service.id}/{number}")


def _summary(service: Service, number: str, tasks: Iterable[Task]) -> t.ServiceRevisionSummary:
    id_ = f"ecs-svc/{number}"
    running, pending = counts(tasks)
    known = service.deployment(id_)
    return {
        "arn": _revision_arn(service, number),
        "requestedTaskCount": known.desired if known is not None else 0,
        "runningTaskCount": running[id_],
        "pendingTaskCount": pending[id_],
    }


def current(service: Service, tasks: Iterable[Task]) -> dict[str, Any]:
    """What a service says of its deployment: nothing where it has none."""
    if not service.current or service.status == "INACTIVE":
        return {}
    found = list(tasks)
    return {
        "currentServiceDeployment": arns.service_deployment_arn(service.scope, f"{service.id}/{service.current}"),
        "currentServiceRevisions": [_summary(service, number_of(d.id), found) for d in service.deployments],
    }


def revision(record: ServiceRevision, service: Service) -> t.ServiceRevision:
    rolled_out = record.revision
    shape: dict[str, Any] = {
        "serviceRevisionArn": record.arn,
        "serviceArn": service.arn,
        "clusterArn": arns.cluster_arn(record.scope, service.cluster),
        "taskDefinition": definition_arn(record.scope, rolled_out.definition),
        "capacityProviderStrategy": [dict(item) for item in rolled_out.capacity] or None,
        "launchType": None if rolled_out.capacity else rolled_out.launch_type,
        "platformVersion": rolled_out.platform_version or None,
        "platformFamily": "Linux" if rolled_out.platform_version else None,
        "loadBalancers": load_balancers(rolled_out.targets),
        "serviceRegistries": [],
        "networkConfiguration": network(rolled_out.network),
        "containerImages": [
            present({"containerName": one.container, "image": one.image, "imageDigest": one.digest or None})
            for one in record.images
        ],
        "guardDutyEnabled": False,
        "resolvedConfiguration": _resolved(record),
        "createdAt": record.created_at,
    }
    return cast(t.ServiceRevision, present(shape))


def _resolved(record: ServiceRevision) -> t.ResolvedConfiguration | None:
    """Which target groups its tasks really are in, where there was a choice."""
    if not record.groups:
        return None
    pairs = zip(record.revision.targets, record.groups, strict=True)
    return {
        "loadBalancers": [
            {"targetGroupArn": group, "productionListenerRule": target.shifting.production}
            for target, group in pairs
            if target.shifting is not None
        ]
    }
