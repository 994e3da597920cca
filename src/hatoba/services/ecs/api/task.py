"""Tasks: describe, list, stop."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hatoba.aws.shapes import ecs as t
from hatoba.gateway.call import Call
from hatoba.gateway.continued import small_next_token
from hatoba.gateway.tags import tags_of
from hatoba.services.ecs.api.room import ecs, page
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.cluster import find_cluster
from hatoba.services.ecs.model.service import need_service
from hatoba.services.ecs.model.task import Task, find_task, need_task, tasks
from hatoba.services.ecs.model.task_definition import Definition, definitions
from hatoba.services.ecs.plan import lifecycle
from hatoba.services.ecs.views import pieces
from hatoba.services.ecs.views import task as view
from hatoba.store.store import View

MOST = 100
STOPPED_BY_USER = "Task stopped by user"
LONGEST_REASON = 1024


def definition_of(from_: View, task: Task) -> Definition:
    definition = from_.find(definitions, task.scope, task.definition)
    assert definition is not None, "a definition with tasks is not forgotten"
    return definition


@ecs.operation
async def describe_tasks(req: t.DescribeTasksRequest, call: Call) -> t.DescribeTasksResponse:
    cluster = find_cluster(call.store, call.scope, req.get("cluster")).id
    if not req["tasks"]:
        raise t.InvalidParameterException("Tasks cannot be empty.")
    if len(req["tasks"]) > MOST:
        raise t.InvalidParameterException(f"Tasks cannot exceed {MOST} items.")
    tagged = "TAGS" in (req.get("include") or ())
    found: list[t.Task] = []
    failures: list[t.Failure] = []
    for reference in req["tasks"]:
        task = find_task(call.store, call.scope, cluster, reference)
        if task is None:
            arn = reference if reference.startswith("arn:") else arns.task_arn(call.scope, cluster, reference)
            failures.append(pieces.failure(arn, "MISSING"))
            continue
        shape = view.task(task, definition_of(call.store, task))
        if tagged and (tags := tags_of(call.store, call.scope, task.arn)):
            shape = {**shape, "tags": pieces.tags(tags)}
        found.append(shape)
    return {"tasks": found, "failures": failures}


@ecs.operation
async def stop_task(req: t.StopTaskRequest, call: Call) -> t.StopTaskResponse:
    cluster = find_cluster(call.store, call.scope, req.get("cluster")).id
    reason = (req.get("reason") or STOPPED_BY_USER)[:LONGEST_REASON]
    with call.tx() as tx:
        task = need_task(tx, call.scope, cluster, req["task"])
        stopped = lifecycle.settle(lifecycle.end(task, "UserInitiated", reason, call.principal.arn), call.now)
        if stopped != task:
            task = tx.put(tasks, stopped)
        return {"task": view.task(task, definition_of(tx, task))}


@ecs.operation
async def list_tasks(req: t.ListTasksRequest, call: Call) -> t.ListTasksResponse:
    cluster = find_cluster(call.store, call.scope, req.get("cluster")).id
    found, more = page(call, _matching(req, call, cluster), req, lambda task: task.key.id)
    return {"taskArns": [task.arn for task in found], **small_next_token(more)}


def _matching(req: t.ListTasksRequest, call: Call, cluster: str) -> Iterable[Task]:
    """The tasks that every filter lets pass, found by the narrowest index."""
    if req.get("startedBy") and (req.get("family") or req.get("serviceName")):
        raise t.InvalidParameterException("You cannot specify both a startedBy and another filter.")
    # There are no PENDING wishes: whoever asks for them gets none, as in AWS.
    desired = req.get("desiredStatus") or "RUNNING"
    tests: list[Callable[[Task], bool]] = []
    index, *narrowed = ["cluster"]
    if family := req.get("family"):
        index, narrowed = "family", [family]
        tests.append(lambda task: task.definition.partition(":")[0] == family)
    if started_by := req.get("startedBy"):
        index, narrowed = "started_by", [started_by]
    if name := req.get("serviceName"):
        service = need_service(call.store, call.scope, cluster, name).id
        index, narrowed = "served", [service]
    if launch_type := req.get("launchType"):
        tests.append(lambda task: task.launch_type == launch_type)
    if instance := req.get("containerInstance"):
        node = arns.within(instance, "container-instance", cluster, call.scope)
        tests.append(lambda task: task.node == node and task.launch_type != "FARGATE")
    rows = call.store.index(tasks, index, (call.scope, cluster, desired, *narrowed))
    return (task for task in rows if all(test(task) for test in tests)) if tests else rows
