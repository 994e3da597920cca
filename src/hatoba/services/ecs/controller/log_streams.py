"""Where a task's output goes is for its execution role to say: the streams are made under it, before the task starts.

So it is on AWS, where the agent makes them with the role's credentials: a role that may not create a stream in a group
keeps tasks from writing there, whoever has put the group's name into their definition. A group that is not there is
made if the driver is told so, under the same role; else the node finds that out, and says it in the driver's words.

Source: the developer guide, "Send Amazon ECS logs to CloudWatch"; "Amazon ECS stopped tasks error messages".
"""

from __future__ import annotations

import contextlib

from hatoba.aws.shapes import logs as t
from hatoba.core.errors import AwsError
from hatoba.fleet.model import LogWanted
from hatoba.gateway.call import Client, Platform
from hatoba.services.ecs.controller.logins import ExecutionRoles
from hatoba.services.ecs.controller.secrets import Unavailable
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.plan import reasons
from hatoba.services.ecs.plan.workload import execution_role, log_wanted

_TRUE = ("1", "t", "true")


class LogStreams:
    def __init__(self, platform: Platform, executions: ExecutionRoles) -> None:
        self._platform = platform
        self._executions = executions

    async def open(self, task: Task, definition: Definition) -> None:
        """Raises `Unavailable` for what the role may not do. Without a role they are the node's own, as before."""
        found = (log_wanted(container, task, definition) for container in definition.containers)
        wanted = [log for log in found if log is not None and log.driver == "awslogs"]
        who = await self._executions.session(task.scope, execution_role(task, definition), task.arn) if wanted else None
        if who is None:
            return
        for log in wanted:
            logs = self._platform.door(task.scope._replace(region=log.region), "ecs", who).logs
            try:
                await _make(logs, log)
            except AwsError as error:
                if error.status >= 500:
                    raise
                raise Unavailable(reasons.log_stream(error)) from error


async def _make(logs: Client, log: LogWanted) -> None:
    with contextlib.suppress(t.ResourceAlreadyExistsException):  # somebody was quicker, perhaps we ourselves
        try:
            await logs.create_log_stream(logGroupName=log.group, logStreamName=log.stream)
            return
        except t.ResourceNotFoundException:
            if log.options.get("awslogs-create-group", "").lower() not in _TRUE:
                return
        with contextlib.suppress(t.ResourceAlreadyExistsException):
            await logs.create_log_group(logGroupName=log.group)
        await logs.create_log_stream(logGroupName=log.group, logStreamName=log.stream)
