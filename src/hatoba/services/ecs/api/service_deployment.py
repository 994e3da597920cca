"""Service deployments and service revisions: describe, list, stop, continue."""

from __future__ import annotations

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.continued import small_next_token
from hatoba.services.ecs.api.room import ecs, page
from hatoba.services.ecs.model.cluster import find_cluster
from hatoba.services.ecs.model.hook import hooks, hooks_of
from hatoba.services.ecs.model.service import Service, need_service, services
from hatoba.services.ecs.model.service_deployment import (
    STOPPABLE,
    ServiceDeployment,
    by_arn,
    deployments,
    deployments_of,
    revision_by_arn,
)
from hatoba.services.ecs.model.task import tasks_of
from hatoba.services.ecs.plan.rollout.undo import can_go_back
from hatoba.services.ecs.views import pieces
from hatoba.services.ecs.views import service_deployment as view
from hatoba.store.store import View

MOST = 20
_LAST = 10**12


@ecs.operation
async def describe_service_deployments(
    req: t.DescribeServiceDeploymentsRequest, call: Call
) -> t.DescribeServiceDeploymentsResponse:
    arns = _checked(req["serviceDeploymentArns"], "serviceDeploymentArns")
    found: list[t.ServiceDeployment] = []
    failures: list[t.Failure] = []
    for arn in arns:
        record = by_arn(call.store, call.scope, arn)
        if record is None:
            failures.append(pieces.failure(arn, "MISSING"))
        else:
            running = tasks_of(call.store, call.scope, record.service)
            runs = hooks_of(call.store, call.scope, record.id)
            found.append(view.deployment(record, _service(call.store, record), running, runs))
    return {"serviceDeployments": found, "failures": failures}


@ecs.operation
async def describe_service_revisions(
    req: t.DescribeServiceRevisionsRequest, call: Call
) -> t.DescribeServiceRevisionsResponse:
    arns = _checked(req["serviceRevisionArns"], "serviceRevisionArns")
    found: list[t.ServiceRevision] = []
    failures: list[t.Failure] = []
    for arn in arns:
        record = revision_by_arn(call.store, call.scope, arn)
        service = call.store.find(services, call.scope, record.service) if record is not None else None
        if record is None or service is None:
            failures.append(pieces.failure(arn, "MISSING"))
        else:
            found.append(view.revision(record, service))
    return {"serviceRevisions": found, "failures": failures}


@ecs.operation
async def list_service_deployments(
    req: t.ListServiceDeploymentsRequest, call: Call
) -> t.ListServiceDeploymentsResponse:
    cluster = find_cluster(call.store, call.scope, req.get("cluster")).id
    service = need_service(call.store, call.scope, cluster, req["service"])
    created = req.get("createdAt") or {}
    after, before = created.get("after"), created.get("before")
    rows = [
        record
        for record in deployments_of(call.store, call.scope, service.id)
        if (not req.get("status") or record.status in req["status"])
        and (after is None or record.created_at >= after)
        and (before is None or record.created_at <= before)
    ]
    found, more = page(call, rows, req, lambda row: f"{_LAST - row.ordinal:012d}", limit=20)
    return {"serviceDeployments": [view.brief(row, service) for row in found], **small_next_token(more)}


@ecs.operation
async def stop_service_deployment(req: t.StopServiceDeploymentRequest, call: Call) -> t.StopServiceDeploymentResponse:
    arn = req["serviceDeploymentArn"]
    back = req.get("stopType", "ROLLBACK") == "ROLLBACK"
    with call.tx() as tx:
        record = by_arn(tx, call.scope, arn)
        if record is None:
            raise t.ServiceDeploymentNotFoundException("The service deployment was not found.")
        if record.status not in STOPPABLE:
            raise t.ConflictException(f"The service deployment cannot be stopped: its status is {record.status}.")
        if back and not can_go_back(_service(tx, record), record):
            raise t.ConflictException("There is no completed service revision to roll back to.")
        status = "ROLLBACK_REQUESTED" if back else "STOP_REQUESTED"
        tx.put(deployments, replace(record, status=status, updated_at=call.now))
    return {"serviceDeploymentArn": arn}


@ecs.operation
async def continue_service_deployment(
    req: t.ContinueServiceDeploymentRequest, call: Call
) -> t.ContinueServiceDeploymentResponse:
    arn, back = req["serviceDeploymentArn"], req.get("action") == "ROLLBACK"
    with call.tx() as tx:
        record = by_arn(tx, call.scope, arn)
        if record is None:
            raise t.ServiceDeploymentNotFoundException("The service deployment was not found.")
        hook = tx.find(hooks, call.scope, f"{record.id}/{req['hookId']}")
        if hook is None or hook.type != "PAUSE":
            raise t.InvalidParameterException(f"The service deployment has no paused lifecycle hook {req['hookId']}.")
        if hook.status != "AWAITING_ACTION" or not record.under_way:
            raise t.InvalidParameterException(f"The lifecycle hook {req['hookId']} is not awaiting an action.")
        said = "it was told to roll back by ContinueServiceDeployment" if back else ""
        tx.put(hooks, replace(hook, status="FAILED" if back else "SUCCEEDED", reason=said))
    return {"serviceDeploymentArn": arn}


def _checked(arns: list[str], name: str) -> list[str]:
    """Each once, in the order in which they were given."""
    if not arns:
        raise t.InvalidParameterException(f"{name} cannot be empty.")
    if len(arns) > MOST:
        raise t.InvalidParameterException(f"{name} cannot exceed {MOST} items.")
    return list(dict.fromkeys(arns))


def _service(of: View, record: ServiceDeployment) -> Service:
    service = of.find(services, record.scope, record.service)
    assert service is not None, "a service is forgotten with its deployments"
    return service
