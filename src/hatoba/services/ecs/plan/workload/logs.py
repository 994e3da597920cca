"""Where a container's output goes, in the words of the fleet."""

from __future__ import annotations

from hatoba.aws.shapes import ecs as t
from hatoba.fleet.model import LogWanted, container_id
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.plan.workload import firelens


def log_wanted(c: t.ContainerDefinition, task: Task, definition: Definition) -> LogWanted | None:
    log = c.get("logConfiguration")
    if not log:
        return None
    if log["logDriver"] == firelens.DRIVER:
        router = firelens.router(definition)
        return firelens.log(c, task, router) if router is not None else LogWanted(driver=firelens.DRIVER)
    options = dict(log.get("options") or {})
    if task.log_mode:
        options.setdefault("mode", task.log_mode)
    if log["logDriver"] != "awslogs":
        return LogWanted(driver=log["logDriver"], options=options)
    prefix = options.get("awslogs-stream-prefix")
    return LogWanted(
        driver="awslogs",
        region=options.get("awslogs-region") or task.key.region,
        group=options["awslogs-group"],
        # Without a prefix the stream has the container's own id.
        stream=f"{prefix}/{c['name']}/{task.id}"
        if prefix
        else options.get("awslogs-stream") or container_id(task.id, c["name"]),
        options=options,
    )
