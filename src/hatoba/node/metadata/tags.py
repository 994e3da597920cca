"""The tags of a task and of its container instance, which only the control plane knows. Asked for when wanted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from hatoba.core.errors import PortError
from hatoba.fleet.model import Workload
from hatoba.node.metadata.views import Tags

QUESTION = "tags"

Ask = Callable[[str, str], Awaitable[bytes]]  # workload, question


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The control plane's answer to the question."""

    task: dict[str, str] = {}
    instance: dict[str, str] = {}


_decode = msgspec.json.Decoder(Told).decode


async def tags(ask: Ask, workload: Workload) -> Tags:
    try:
        told = _decode(await ask(workload.id, QUESTION))
    except PortError as error:
        return Tags(errors=tuple(_error(error, *about) for about in _asked(workload)))
    return Tags(task=told.task, instance=told.instance)


def _asked(workload: Workload) -> list[tuple[str, str]]:
    """The members of the body, and the resources that they are about."""
    meta = workload.metadata
    found = [("ContainerInstanceTags", meta.get("ContainerInstanceARN", "")), ("TaskTags", meta.get("TaskARN", ""))]
    return [(field, arn) for field, arn in found if arn]


def _error(error: PortError, field: str, arn: str) -> dict[str, Any]:
    return {"ErrorField": field, "ErrorCode": error.code, "ErrorMessage": error.message, "ResourceARN": arn}
