"""Scale-in protection: a task that is busy says so, and is left alone by scaling in and by deployments for a while."""

from __future__ import annotations

from collections.abc import Sequence

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.ecs.api.room import ecs
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.cluster import find_cluster
from hatoba.services.ecs.model.story import Moment, add
from hatoba.services.ecs.model.task import Task, find_task, tasks
from hatoba.services.ecs.views import pieces
from hatoba.services.ecs.views import task as view
from hatoba.store.store import View

MOST_CHANGED = 10
MOST_READ = 100
LONGEST = 2880  # minutes
DEFAULT = 120
NOT_A_SERVICE = "The task is not part of a service."
ENDED = "The task is stopped or about to stop."


@ecs.operation
async def update_task_protection(req: t.UpdateTaskProtectionRequest, call: Call) -> t.UpdateTaskProtectionResponse:
    cluster = find_cluster(call.store, call.scope, req["cluster"]).id
    references = _checked(req["tasks"], MOST_CHANGED)
    minutes = req.get("expiresInMinutes", DEFAULT)
    if not 1 <= minutes <= LONGEST:
        raise t.InvalidParameterException(f"expiresInMinutes must be between 1 and {LONGEST}.")
    until = call.now + 60.0 * minutes if req["protectionEnabled"] else None
    protected: list[t.ProtectedTask] = []
    with call.tx() as tx:
        found, failures = _found(tx, call, cluster, references)
        for task in found:
            if task.protected_until != until:
                told = Moment(call.now, "protected", text=f"{until:.0f}" if until is not None else "")
                task = tx.put(tasks, replace(task, protected_until=until, story=add(task.story, told)))
            protected.append(view.protection(task, call.now))
    return {"protectedTasks": protected, "failures": failures}


@ecs.operation
async def get_task_protection(req: t.GetTaskProtectionRequest, call: Call) -> t.GetTaskProtectionResponse:
    cluster = find_cluster(call.store, call.scope, req["cluster"]).id
    references = _checked(req.get("tasks") or (), MOST_READ)
    found, failures = _found(call.store, call, cluster, references)
    return {"protectedTasks": [view.protection(task, call.now) for task in found], "failures": failures}


def _checked(references: Sequence[str], most: int) -> list[str]:
    if not references:
        raise t.InvalidParameterException("Tasks cannot be empty.")
    if len(references) > most:
        raise t.InvalidParameterException(f"Tasks cannot exceed {most} items.")
    return list(dict.fromkeys(references))


def _found(of: View, call: Call, cluster: str, references: Sequence[str]) -> tuple[list[Task], list[t.Failure]]:
    """The tasks that can be protected, and why the others cannot."""
    found: list[Task] = []
    failures: list[t.Failure] = []
    for reference in references:
        task = find_task(of, call.scope, cluster, reference)
        if task is None:
            arn = reference if reference.startswith("arn:") else arns.task_arn(call.scope, cluster, reference)
            failures.append(pieces.failure(arn, "MISSING"))
        elif task.service is None:
            failures.append(pieces.failure(task.arn, "TASK_NOT_VALID", NOT_A_SERVICE))
        elif task.desired == "STOPPED":
            failures.append(pieces.failure(task.arn, "TASK_NOT_VALID", ENDED))
        else:
            found.append(task)
    return found, failures
