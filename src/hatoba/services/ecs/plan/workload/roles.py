"""Which roles a task acts under, and where it finds their credentials."""

from __future__ import annotations

from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.model.task_definition import Definition


def role(task: Task, definition: Definition) -> str | None:
    """The ARN of the role that the task's processes act as."""
    return task.overrides.get("taskRoleArn") or definition.content.get("taskRoleArn")


def execution_role(task: Task, definition: Definition) -> str | None:
    """The ARN of the role under which the platform pulls the task's images and writes its logs."""
    return task.overrides.get("executionRoleArn") or definition.content.get("executionRoleArn")


def credential_id(task: Task) -> str:
    """In the path of AWS_CONTAINER_CREDENTIALS_RELATIVE_URI."""
    return arns.derived_uuid(task.id, "credentials")
