"""CreateService and UpdateService: what is wanted of a service, checked and written; the controller converges.

Checks that need a neighbour (subnets, target groups) go through the front door before the transaction, those that need
our own records are made inside of it. A change that needs new tasks opens a new deployment; any other leaves the
running one alone.
"""

from __future__ import annotations

from typing import Any, cast

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.ecs.api import external
from hatoba.services.ecs.api import revision as revisions
from hatoba.services.ecs.api.room import checked_tags, ecs
from hatoba.services.ecs.api.service import shape
from hatoba.services.ecs.api.service_checks import (
    NO_COUNT,
    check_daemon,
    check_name,
    check_role,
    checked_count,
    checked_grace,
    checked_percents,
    checked_rebalancing,
    refuse_unsupported,
    told_back,
)
from hatoba.services.ecs.api.service_new import create as create_new
from hatoba.services.ecs.api.strategy import opened
from hatoba.services.ecs.model.cluster import Cluster, find_cluster
from hatoba.services.ecs.model.service import (
    Deployment,
    Percents,
    Revision,
    Service,
    need_service,
    service_id,
    services,
)
from hatoba.services.ecs.model.task import Placement
from hatoba.services.ecs.model.task_definition import definitions, usable_definition
from hatoba.services.ecs.plan import placement
from hatoba.services.ecs.plan.rollout.undo import redeploy
from hatoba.services.ecs.plan.rollout.words import in_progress
from hatoba.store import Conflict, Tx
from hatoba.store.store import View

MOST_TRIES = 8


@ecs.operation
async def create_service(req: t.CreateServiceRequest, call: Call) -> t.CreateServiceResponse:
    controller = external.controller_of(req) or "ECS"
    refuse_unsupported(cast("dict[str, Any]", req))
    if controller == "EXTERNAL":
        return await external.create(req, call)
    check_name(req["serviceName"])
    if not req.get("taskDefinition"):
        raise t.InvalidParameterException("TaskDefinition can not be blank.")
    daemon = req.get("schedulingStrategy") == "DAEMON"
    external.check_fits(req, controller, daemon=daemon)
    if daemon:
        check_daemon(cast("dict[str, Any]", req))
    desired = 0 if daemon else checked_count(req.get("desiredCount"))
    percents = checked_percents(
        Percents(minimum=0, maximum=100) if daemon else Percents(), req.get("deploymentConfiguration"), daemon=daemon
    )
    tags = checked_tags(req.get("tags"))
    cluster = find_cluster(call.store, call.scope, req.get("cluster"))
    definition = usable_definition(call.store, call.scope, req["taskDefinition"])
    check_role(req.get("role"), definition)
    revision = await revisions.wanted(req, call, cluster, definition)
    if daemon and revision.launch_type == "FARGATE":
        raise t.InvalidParameterException("Tasks using the Fargate launch type do not support the DAEMON strategy.")
    wanted = _wanted(req, call, cluster, revision, desired=desired, percents=percents, daemon=daemon)
    service, fresh = checked_rebalancing(wanted, fresh=True), call.ids.hex(21)

    def put(tx: Tx) -> Service:
        usable_definition(tx, call.scope, req["taskDefinition"])
        if controller != "ECS":
            return external.hand_over(tx, service, controller, definition, call.now)
        return tx.put(services, opened(tx, service, definition, fresh, call.now))

    return create_new(req, call, tags, put)


def _wanted(
    req: t.CreateServiceRequest,
    call: Call,
    cluster: Cluster,
    revision: Revision,
    *,
    desired: int,
    percents: Percents,
    daemon: bool,
) -> Service:
    return Service(
        key=services.key(call.scope, service_id(cluster.id, req["serviceName"])),
        cluster=cluster.id,
        name=req["serviceName"],
        desired=desired,
        created_at=call.now,
        created_by=call.principal.arn,
        deployments=(_first(call, revision, desired),),
        percents=percents,
        grace=checked_grace(req.get("healthCheckGracePeriodSeconds"), revision),
        settings=told_back(cast("dict[str, Any]", req)),
        managed_tags=bool(req.get("enableECSManagedTags")),
        propagate_tags=req.get("propagateTags") or "NONE",
        execute=bool(req.get("enableExecuteCommand")),
        daemon=daemon,
        placement=placement.checked(
            req.get("placementStrategy"), req.get("placementConstraints"), revision.launch_type
        ),
    )


@ecs.operation
async def update_service(req: t.UpdateServiceRequest, call: Call) -> t.UpdateServiceResponse:
    refuse_unsupported(cast("dict[str, Any]", req))
    cluster = find_cluster(call.store, call.scope, req.get("cluster"))
    fresh, story = f"ecs-svc/{call.ids.digits(19)}", call.ids.hex(21)
    for _ in range(MOST_TRIES):
        known = _active(call.store, call, cluster, req["service"])
        if external.stays_outside(known, req):
            return external.update(req, call, known)
        base = external.owned(call.store, known).primary.revision
        revision = await revisions.changed(req, call, cluster, base)
        with call.tx() as tx:
            known = _active(tx, call, cluster, req["service"])
            service = external.owned(tx, known)
            if service.primary.revision != base:
                continue  # somebody else changed it while the neighbours were asked: look again
            after = _changed(req, service, revision)
            if revision != base or req.get("forceNewDeployment"):
                after = redeploy(after, fresh, revision, call.now)
                definition = tx.find(definitions, call.scope, revision.definition)
                assert definition is not None, "a definition with services is not forgotten"
                after = opened(tx, after, definition, story, call.now)
            if after != known:
                external.let_go(tx, known)
                after = tx.put(services, after)
            return {"service": shape(tx, after)}
    raise Conflict("the service was changed each time while its network and target groups were looked up")


def _active(view: View, call: Call, cluster: Cluster, reference: str) -> Service:
    service = need_service(view, call.scope, cluster.id, reference)
    if service.status != "ACTIVE":
        raise t.ServiceNotActiveException("Service was not ACTIVE.")
    return service


def _changed(req: t.UpdateServiceRequest, service: Service, revision: Revision) -> Service:
    """What takes effect without a new deployment."""
    if "desiredCount" in req:
        if service.daemon:
            raise t.InvalidParameterException(NO_COUNT)
        service = replace(service, desired=checked_count(req["desiredCount"]), steady=False)
    if "healthCheckGracePeriodSeconds" in req:
        service = replace(service, grace=checked_grace(req["healthCheckGracePeriodSeconds"], revision))
    if "enableExecuteCommand" in req:
        service = replace(service, execute=req["enableExecuteCommand"])
    if "enableECSManagedTags" in req:
        service = replace(service, managed_tags=req["enableECSManagedTags"])
    if "propagateTags" in req:
        service = replace(service, propagate_tags=req["propagateTags"])
    changed = replace(
        service,
        placement=_placement(req, service, revision),
        percents=checked_percents(service.percents, req.get("deploymentConfiguration"), daemon=service.daemon),
        settings={**service.settings, **told_back(cast("dict[str, Any]", req))},
    )
    return checked_rebalancing(changed, fresh=False)


def _placement(req: t.UpdateServiceRequest, service: Service, revision: Revision) -> Placement:
    """For the tasks that are placed from now on: those that run stay where they are."""
    asked = placement.checked(req.get("placementStrategy"), req.get("placementConstraints"), revision.launch_type)
    now = service.placement if revision.launch_type != "FARGATE" else Placement()
    return Placement(
        strategy=asked.strategy if "placementStrategy" in req else now.strategy,
        constraints=asked.constraints if "placementConstraints" in req else now.constraints,
    )


# --- what is rolled out --------------------------------------------------------------------------------------------


def _first(call: Call, revision: Revision, desired: int) -> Deployment:
    id_ = f"ecs-svc/{call.ids.digits(19)}"
    return Deployment(
        id=id_,
        status="PRIMARY",
        revision=revision,
        desired=desired,
        created_at=call.now,
        updated_at=call.now,
        reason=in_progress(id_),
    )
