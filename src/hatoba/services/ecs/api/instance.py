"""Container instances: every node of the fleet is one, in every cluster (`model/instance` says why)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, cast

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.fleet.model import Node
from hatoba.gateway.call import Call
from hatoba.gateway.continued import small_next_token
from hatoba.gateway.tags import tags_of
from hatoba.services.ecs.api.room import ecs, page
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.capacity_provider import GROUP, capacity_providers
from hatoba.services.ecs.model.cluster import find_cluster
from hatoba.services.ecs.model.instance import Instance, find_instance, gone, instances, registered
from hatoba.services.ecs.model.task import Task, tasks
from hatoba.services.ecs.model.usage import Usage, where
from hatoba.services.ecs.plan import lifecycle
from hatoba.services.ecs.plan.placement import Member
from hatoba.services.ecs.plan.query import unreadable
from hatoba.services.ecs.plan.sites import attributes, site
from hatoba.services.ecs.views import instance as view
from hatoba.services.ecs.views.pieces import failure
from hatoba.store import Tx
from hatoba.store.store import View

MOST_CHANGED = 10
MOST_DESCRIBED = 100
FORCED = "Container instance deregistration forced by user"


@ecs.operation
async def list_container_instances(
    req: t.ListContainerInstancesRequest, call: Call
) -> t.ListContainerInstancesResponse:
    cluster = find_cluster(call.store, call.scope, req.get("cluster")).id
    passes = matching(call.store, call, cluster, req.get("filter"))
    wanted = req.get("status")
    every = registered(call.store, call.scope, cluster)
    rows = (node for node, record in every if wanted in (None, view.status(node, record)) and passes(node, record))
    found, more = page(call, rows, req, lambda node: node.id)
    return {
        "containerInstanceArns": [arns.instance_arn(call.scope, cluster, node.id) for node in found],
        **small_next_token(more),
    }


def matching(from_: View, call: Call, cluster: str, expression: str | None) -> Callable[[Node, Instance | None], bool]:
    """Which instances a query of the cluster query language is about. Raises when it is not one."""
    if not expression:
        return lambda node, record: True
    if (why := unreadable(expression)) is not None:
        raise t.InvalidParameterException(why)
    usage = from_.tally(tasks, Usage)
    member = Member(expression, where(call.scope, cluster, "EC2"))
    return lambda node, record: member.holds(site(node, record, call.scope.region), usage.on(node.id))


@ecs.operation
async def describe_container_instances(
    req: t.DescribeContainerInstancesRequest, call: Call
) -> t.DescribeContainerInstancesResponse:
    cluster = find_cluster(call.store, call.scope, req.get("cluster")).id
    if not req["containerInstances"]:
        raise t.InvalidParameterException("Container instance cannot be empty.")
    if len(req["containerInstances"]) > MOST_DESCRIBED:
        raise t.InvalidParameterException(f"Container instances cannot exceed {MOST_DESCRIBED} items.")
    found, failures = [], []
    for reference in req["containerInstances"]:
        known = find_instance(call.store, call.scope, cluster, reference)
        if known is None:
            failures.append(_missing(call, cluster, reference))
        else:
            found.append(shape(call.store, *known, req.get("include") or ()))
    return {"containerInstances": found, "failures": failures}


def _missing(call: Call, cluster: str, reference: str, reason: str = "MISSING") -> t.Failure:
    id_ = arns.within(reference, "container-instance", cluster, call.scope)
    return failure(arns.instance_arn(call.scope, cluster, id_), reason)


def shape(from_: View, node: Node, record: Instance, include: Collection[str] = ()) -> t.ContainerInstance:
    tags = tags_of(from_, record.scope, arns.instance_arn(record.scope, record.cluster, node.id))
    group = attributes(node, record, record.scope.region).get(GROUP)
    provider = next((one.id for one in from_.scan(capacity_providers, record.scope) if one.group == group), "")
    return view.instance(node, record, from_.tally(tasks, Usage).on(node.id), tags, include, provider)


@ecs.operation
async def update_container_instances_state(
    req: t.UpdateContainerInstancesStateRequest, call: Call
) -> t.UpdateContainerInstancesStateResponse:
    """DRAINING: no new tasks, and services move theirs away, within their percentages. Other tasks run on."""
    wanted = req["status"]
    if wanted not in ("ACTIVE", "DRAINING"):
        raise t.InvalidParameterException("Container instance status should be one of [ACTIVE, DRAINING].")
    if not 1 <= len(req["containerInstances"]) <= MOST_CHANGED:
        raise t.InvalidParameterException(f"From 1 to {MOST_CHANGED} container instances can be updated at once.")
    found, failures = [], []
    with call.tx() as tx:
        cluster = find_cluster(tx, call.scope, req.get("cluster")).id
        for reference in dict.fromkeys(req["containerInstances"]):
            known = find_instance(tx, call.scope, cluster, reference)
            if known is None:
                failures.append(_missing(call, cluster, reference))
            elif gone(*known):
                failures.append(_missing(call, cluster, reference, "INACTIVE"))
            else:
                node, record = known
                record = tx.put(instances, replace(record, status=cast(Any, wanted)))
                for task in _tasks_on(tx, record):
                    if task.service and task.desired == "RUNNING" and task.leaving != (wanted == "DRAINING"):
                        tx.put(tasks, replace(task, leaving=wanted == "DRAINING"))
                found.append(shape(tx, node, record))
    return {"containerInstances": found, "failures": failures}


def _tasks_on(view_: View, record: Instance) -> list[Task]:
    """The cluster's own tasks there that are not over. Fargate's are on no instance."""
    return [
        task
        for task in view_.index(tasks, "node", record.node)
        if task.scope == record.scope and task.cluster == record.cluster and task.launch_type != "FARGATE"
    ]


@ecs.operation
async def deregister_container_instance(
    req: t.DeregisterContainerInstanceRequest, call: Call
) -> t.DeregisterContainerInstanceResponse:
    """Until its agent connects anew. With `force`, what the cluster runs there is stopped."""
    with call.tx() as tx:
        cluster = find_cluster(tx, call.scope, req.get("cluster")).id
        node, record = need_instance(tx, call, cluster, req["containerInstance"])
        there = [task for task in _tasks_on(tx, record) if task.desired == "RUNNING"]
        if there and not req.get("force"):
            raise t.InvalidParameterException("Found running tasks on the instance.")
        for task in there:
            _end(tx, task, call)
        # What was decided about it goes with it: it comes back as new.
        new = Instance(key=record.key, version=record.version, cluster=cluster, node=node.id)
        record = tx.put(instances, replace(new, deregistered_at=max(call.now, node.seen_at)))
        return {"containerInstance": shape(tx, node, record)}


def _end(tx: Tx, task: Task, call: Call) -> None:
    ended = lifecycle.end(task, "TerminationNotice", FORCED, call.principal.arn)
    tx.put(tasks, lifecycle.settle(ended, call.now))


def need_instance(from_: View, call: Call, cluster: str, reference: str) -> tuple[Node, Instance]:
    known = find_instance(from_, call.scope, cluster, reference)
    if known is None or gone(*known):
        raise t.InvalidParameterException("Referenced container instance not found.")
    return known
