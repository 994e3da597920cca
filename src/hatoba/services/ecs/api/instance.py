"""Container instances: every node of the fleet is one, in every cluster."""

from __future__ import annotations

from hatoba.aws.shapes import ecs as t
from hatoba.fleet.model import FLEET, nodes
from hatoba.gateway.call import Call
from hatoba.services.ecs.api.room import ecs, page
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.cluster import find_cluster
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.views import instance as view
from hatoba.services.ecs.views.pieces import failure


@ecs.operation
async def list_container_instances(
    req: t.ListContainerInstancesRequest, call: Call
) -> t.ListContainerInstancesResponse:
    cluster = find_cluster(call.store, call.scope, req.get("cluster")).id
    if req.get("filter"):
        raise t.InvalidParameterException("The cluster query language is not available.")
    wanted = (req["status"],) if "status" in req else ("ACTIVE", "DRAINING")
    rows = (node for node in call.store.scan(nodes, FLEET) if view.status(node) in wanted)
    found, more = page(call, rows, req, lambda node: node.id)
    answer: t.ListContainerInstancesResponse = {
        "containerInstanceArns": [arns.instance_arn(call.scope, cluster, node.id) for node in found]
    }
    if more:
        answer["nextToken"] = more
    return answer


@ecs.operation
async def describe_container_instances(
    req: t.DescribeContainerInstancesRequest, call: Call
) -> t.DescribeContainerInstancesResponse:
    cluster = find_cluster(call.store, call.scope, req.get("cluster")).id
    if not req["containerInstances"]:
        raise t.InvalidParameterException("Container instance cannot be empty.")
    found, failures = [], []
    for reference in req["containerInstances"]:
        id_ = arns.within(reference, "container-instance", cluster)
        node = call.store.find(nodes, FLEET, id_)
        if node is None:
            failures.append(failure(arns.instance_arn(call.scope, cluster, id_), "MISSING"))
            continue
        there = [
            task
            for task in call.store.index(tasks, "node", id_)
            if task.scope == call.scope and task.cluster == cluster
        ]
        found.append(view.instance(node, call.scope, cluster, there))
    return {"containerInstances": found, "failures": failures}
