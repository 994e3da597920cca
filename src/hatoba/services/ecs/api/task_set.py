"""Task sets: create, describe, scale, make primary, delete.

Checks that need a neighbour go through the front door before the transaction, as for services. What is written is what
is wanted of them: their controller converges, and forgets one that was deleted once nothing of it is left.
"""

from __future__ import annotations

from typing import Any

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import tags_of
from hatoba.services.ecs.api import revision as revisions
from hatoba.services.ecs.api.room import checked_tags, checked_token, ecs, tag
from hatoba.services.ecs.api.service_new import LONGEST_TOKEN
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.cluster import find_cluster
from hatoba.services.ecs.model.service import Deployment, Revision, Service, need_service
from hatoba.services.ecs.model.service_deployment import keep_revision
from hatoba.services.ecs.model.task import tasks_of
from hatoba.services.ecs.model.task_definition import usable_definition
from hatoba.services.ecs.model.task_set import (
    MOST,
    TaskSet,
    find_task_set,
    need_task_set,
    sets_of,
    task_set_id,
    task_sets,
    with_scale,
)
from hatoba.services.ecs.plan import placement
from hatoba.services.ecs.plan.task_sets import computed
from hatoba.services.ecs.views import pieces
from hatoba.services.ecs.views import task_set as view
from hatoba.store.store import View


@ecs.operation
async def create_task_set(req: t.CreateTaskSetRequest, call: Call) -> t.CreateTaskSetResponse:
    if req.get("serviceRegistries"):
        raise t.UnsupportedFeatureException("serviceRegistries is not available.")
    tags = checked_tags(req.get("tags"))
    scale = _scale(req.get("scale"), 0.0)
    service = _service(call.store, call, req["cluster"], req["service"])
    revision = await _revision(req, call, service)
    name = f"ecs-svc/{call.ids.digits(19)}"
    token = checked_token(req.get("clientToken"), LONGEST_TOKEN)
    with call.tx() as tx:
        service = _service(tx, call, req["cluster"], req["service"])
        earlier = call.earlier(tx, req, token, mismatch=_not_idempotent)
        if earlier is not None and (made := tx.find(task_sets, call.scope, earlier["id"])) is not None:
            return {"taskSet": _shape(tx, service, made)}
        definition = usable_definition(tx, call.scope, req["taskDefinition"])
        there = len(sets_of(tx, service))
        if there >= MOST:
            raise t.InvalidParameterException(
                f"{there} deployments exist on the service. Unable to create new TaskSet since this exceeds the "
                "maximum limit."
            )
        task_set = TaskSet(
            key=task_sets.key(call.scope, task_set_id(service.id, name)),
            service=service.id,
            deployment=_deployment(name, revision, call.now),
            scale=scale,
            external_id=req.get("externalId") or "",
            started_by="CODE_DEPLOY" if service.controller == "CODE_DEPLOY" else "",
            created_at=call.now,
            updated_at=call.now,
            steady_at=call.now,
        )
        keep_revision(tx, service, task_set.deployment, definition, call.now)
        task_set = tx.put(task_sets, task_set)
        tag(tx, call.scope, task_set.arn, tags)
        call.remember(tx, req, token, {"id": task_set.id})
        return {"taskSet": _shape(tx, service, task_set, tagged=bool(tags))}


@ecs.operation
async def update_task_set(req: t.UpdateTaskSetRequest, call: Call) -> t.UpdateTaskSetResponse:
    scale = _scale(req["scale"], None)
    with call.tx() as tx:
        service = _service(tx, call, req["cluster"], req["service"])
        task_set = _standing(tx, service, req["taskSet"])
        return {"taskSet": _shape(tx, service, tx.put(task_sets, with_scale(task_set, scale, call.now)))}


@ecs.operation
async def update_service_primary_task_set(
    req: t.UpdateServicePrimaryTaskSetRequest, call: Call
) -> t.UpdateServicePrimaryTaskSetResponse:
    with call.tx() as tx:
        service = _service(tx, call, req["cluster"], req["service"])
        chosen = _standing(tx, service, req["primaryTaskSet"])
        if chosen.status != "PRIMARY":
            for other in sets_of(tx, service):
                if other.status == "PRIMARY":
                    tx.put(task_sets, replace(other, status="ACTIVE", updated_at=call.now))
            chosen = tx.put(task_sets, replace(chosen, status="PRIMARY", updated_at=call.now))
        return {"taskSet": _shape(tx, service, chosen)}


@ecs.operation
async def delete_task_set(req: t.DeleteTaskSetRequest, call: Call) -> t.DeleteTaskSetResponse:
    with call.tx() as tx:
        service = _service(tx, call, req["cluster"], req["service"])
        task_set = need_task_set(tx, service, req["taskSet"])
        if task_set.status != "DRAINING":
            if not req.get("force"):
                _may_go(task_set, service)
            task_set = tx.put(task_sets, replace(task_set, status="DRAINING", updated_at=call.now, steady=False))
        return {"taskSet": _shape(tx, service, task_set)}


@ecs.operation
async def describe_task_sets(req: t.DescribeTaskSetsRequest, call: Call) -> t.DescribeTaskSetsResponse:
    service = _service(call.store, call, req["cluster"], req["service"])
    tagged = "TAGS" in (req.get("include") or ())
    failures: list[t.Failure] = []
    found: list[TaskSet] = []
    for reference in dict.fromkeys(req.get("taskSets") or ()):
        task_set = find_task_set(call.store, service, reference)
        if task_set is not None:
            found.append(task_set)
        else:
            arn = reference if reference.startswith("arn:") else arns.task_set_arn(call.scope, service.id, reference)
            failures.append(pieces.failure(arn, "MISSING"))
    if not req.get("taskSets"):
        found = sets_of(call.store, service)
    return {"taskSets": [_shape(call.store, service, one, tagged=tagged) for one in found], "failures": failures}


# --- checks --------------------------------------------------------------------------------------------------------


def _service(of: View, call: Call, cluster: str, reference: str) -> Service:
    service = need_service(of, call.scope, find_cluster(of, call.scope, cluster).id, reference)
    if service.status != "ACTIVE":
        raise t.ServiceNotActiveException("Service was not ACTIVE.")
    if service.controller == "ECS":
        raise t.InvalidParameterException(
            "Amazon ECS only supports task set management on services configured to use external deployment "
            "controllers."
        )
    return service


def _standing(of: View, service: Service, reference: str) -> TaskSet:
    task_set = need_task_set(of, service, reference)
    if task_set.status == "DRAINING":
        raise t.InvalidParameterException(f"The task set {task_set.name} is DRAINING: it can no longer be changed.")
    return task_set


def _may_go(task_set: TaskSet, service: Service) -> None:
    if task_set.status == "PRIMARY":
        raise t.InvalidParameterException(
            f"The task set {task_set.name} is the primary task set of its service. Make another one primary, or use "
            "force to delete it."
        )
    if computed(service.desired, task_set.scale) > 0:
        raise t.InvalidParameterException(
            f"The task set {task_set.name} is scaled above 0. Scale it to 0 percent, or use force to delete it."
        )


def _scale(given: t.Scale | None, default: float | None) -> float:
    value = (given or {}).get("value", default)
    if value is None or not 0 <= value <= 100:
        raise t.InvalidParameterException("The value of scale must be between 0 and 100 percent.")
    return float(value)


def _not_idempotent() -> t.InvalidParameterException:
    return t.InvalidParameterException("Creation of task set was not idempotent.")


# --- what it runs, and how it is shown ------------------------------------------------------------------------------


async def _revision(req: t.CreateTaskSetRequest, call: Call, service: Service) -> Revision:
    definition = usable_definition(call.store, call.scope, req["taskDefinition"])
    cluster = find_cluster(call.store, call.scope, req["cluster"])
    chosen = revisions.chosen_capacity(req, cluster, definition)
    if chosen.launch_type == "FARGATE" and (service.placement.strategy or service.placement.constraints):
        wanted: Any = service.placement
        placement.checked(wanted.strategy, wanted.constraints, chosen.launch_type)
    if len(req.get("loadBalancers") or ()) > 1:
        raise t.InvalidParameterException("Multiple target groups are not supported for task sets.")
    return await revisions.on(chosen, req, call, definition)


def _deployment(name: str, revision: Revision, now: float) -> Deployment:
    return Deployment(id=name, status="PRIMARY", revision=revision, desired=0, created_at=now, updated_at=now)


def _shape(of: View, service: Service, task_set: TaskSet, *, tagged: bool = False) -> t.TaskSet:
    tags = tags_of(of, service.scope, task_set.arn) if tagged else None
    return view.task_set(task_set, service, tasks_of(of, service.scope, service.id), tags)
