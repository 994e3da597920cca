"""Definition → `TaskDefinition`."""

from __future__ import annotations

from typing import Any, cast

from hatoba.aws.shapes import ecs as t
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.views.memo import Memo


def task_definition(record: Definition) -> t.TaskDefinition:
    return _made.of(record, lambda: _make(record))


def _make(record: Definition) -> t.TaskDefinition:
    shape: dict[str, Any] = {
        "taskDefinitionArn": record.arn,
        **record.content,
        "revision": record.revision,
        "status": record.status,
        "requiresAttributes": [{"name": name} for name in record.requires],
        "compatibilities": list(record.compatibilities),
        "registeredAt": record.registered_at,
        "registeredBy": record.registered_by,
    }
    if record.deregistered_at is not None:
        shape["deregisteredAt"] = record.deregistered_at
    if record.delete_requested_at is not None:
        shape["deleteRequestedAt"] = record.delete_requested_at
    return cast(t.TaskDefinition, shape)


_made: Memo[Definition, t.TaskDefinition] = Memo(256)
