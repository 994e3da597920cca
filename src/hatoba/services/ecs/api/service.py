"""Services: describe, list, delete."""

from __future__ import annotations

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.continued import small_next_token
from hatoba.gateway.tags import tags_of
from hatoba.services.ecs.api.room import ecs, page
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.cluster import find_cluster
from hatoba.services.ecs.model.service import Service, events, find_service, need_service, services
from hatoba.services.ecs.model.task import tasks_of
from hatoba.services.ecs.model.task_set import sets_of, shown_revision
from hatoba.services.ecs.views import pieces
from hatoba.services.ecs.views import service as view
from hatoba.store.store import View

MOST = 10


def shape(from_: View, service: Service) -> t.Service:
    return view.service(
        service,
        tasks_of(from_, service.scope, service.id),
        from_.index(events, "service", (service.scope, service.id)),
        sets_of(from_, service),
    )


@ecs.operation
async def describe_services(req: t.DescribeServicesRequest, call: Call) -> t.DescribeServicesResponse:
    cluster = find_cluster(call.store, call.scope, req.get("cluster")).id
    if not req["services"]:
        raise t.InvalidParameterException("Services cannot be empty.")
    if len(req["services"]) > MOST:
        raise t.InvalidParameterException(f"Services cannot exceed {MOST} items.")
    tagged = "TAGS" in (req.get("include") or ())
    found: list[t.Service] = []
    failures: list[t.Failure] = []
    for reference in dict.fromkeys(req["services"]):
        service = find_service(call.store, call.scope, cluster, reference)
        if service is None:
            name = arns.within(reference, "service", cluster, call.scope)
            failures.append(pieces.failure(arns.service_arn(call.scope, cluster, name), "MISSING"))
            continue
        described = shape(call.store, service)
        if tagged:
            described["tags"] = pieces.tags(tags_of(call.store, call.scope, service.arn))
        found.append(described)
    return {"services": found, "failures": failures}


@ecs.operation
async def list_services(req: t.ListServicesRequest, call: Call) -> t.ListServicesResponse:
    cluster = find_cluster(call.store, call.scope, req.get("cluster")).id
    rows = [
        service
        for service in call.store.index(services, "cluster", (call.scope, cluster))
        if req.get("launchType") in (None, _launch_type(call.store, service))
        and req.get("schedulingStrategy") in (None, "DAEMON" if service.daemon else "REPLICA")
        and req.get("resourceManagementType") in (None, "CUSTOMER")
    ]
    found, more = page(call, rows, req, lambda service: service.id, limit=10)
    return {"serviceArns": [service.arn for service in found], **small_next_token(more)}


def _launch_type(of: View, service: Service) -> str | None:
    revision = shown_revision(of, service)
    return revision.launch_type if revision is not None else None


@ecs.operation
async def delete_service(req: t.DeleteServiceRequest, call: Call) -> t.DeleteServiceResponse:
    cluster = find_cluster(call.store, call.scope, req.get("cluster")).id
    with call.tx() as tx:
        service = need_service(tx, call.scope, cluster, req["service"])
        if service.status == "INACTIVE":
            raise t.ServiceNotFoundException("Service not found.")
        if service.status == "ACTIVE":
            if service.desired > 0 and not service.daemon and not req.get("force"):
                raise t.InvalidParameterException("The service cannot be stopped while it is scaled above 0.")
            service = tx.put(services, replace(service, status="DRAINING", desired=0, steady=False))
        return {"service": shape(tx, service)}
