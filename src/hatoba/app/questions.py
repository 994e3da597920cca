"""What nodes ask about their workloads, answered by the rooms.

tags    of the task and of its container instance, by the room's public operation: as true as what its users see
"""

from __future__ import annotations

import msgspec

from hatoba.core.errors import AwsError
from hatoba.fleet.model import Workload
from hatoba.gateway.call import Door, Platform
from hatoba.node.metadata.tags import QUESTION, Told


async def answer(platform: Platform, workload: Workload, what: str) -> bytes:
    """Raises `AwsError`. `fleet` has made sure that the workload is the node's own."""
    if what != QUESTION:
        raise AwsError(f"Nobody knows about {what}.", code="InvalidParameterException")
    door = platform.door(workload.scope, "ecs")
    meta = workload.metadata
    told = Told(
        task=await _tags(door, meta.get("TaskARN", "")),
        instance=await _tags(door, meta.get("ContainerInstanceARN", "")),
    )
    return msgspec.json.encode(told)


async def _tags(door: Door, arn: str) -> dict[str, str]:
    if not arn:
        return {}
    found = await door.ecs.list_tags_for_resource(resourceArn=arn)
    return {tag["key"]: tag["value"] for tag in found.get("tags") or ()}
