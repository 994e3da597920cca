"""A service's tasks and their load balancers, by ELB's public operations: who is registered and how they do, who joins,
who leaves and until when.

Targets that are registered or deregistered here are noted in `states`, so that what is decided next knows of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from hatoba.core.clock import Clock
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Door
from hatoba.services.ecs.model.task import Task

DELAY = "deregistration_delay.timeout_seconds"
LONGEST_DELAY = 300.0
_TARGET_GROUP_GONE = "TargetGroupNotFound"

States = dict[tuple[str, str, int], str]  # (target group ARN, address, port) → what DescribeTargetHealth tells


async def states(aws: Door, known: Sequence[Task]) -> tuple[States, States]:
    """The states of everything that is registered where these tasks are; and why, of those that are not well."""
    groups = {x.group for task in known if task.balancing in ("joined", "draining") for x in task.targets}
    found: States = {}
    whys: States = {}
    for group in sorted(groups):
        try:
            answer = await aws.elbv2.describe_target_health(TargetGroupArn=group)
        except AwsError as error:
            if error.code != _TARGET_GROUP_GONE:
                raise
            continue
        for described in answer.get("TargetHealthDescriptions") or []:
            target = described["Target"]
            health, place = described["TargetHealth"], (group, target["Id"], target["Port"])
            found[place] = health["State"]
            if health.get("Description"):
                whys[place] = health["Description"]
    return found, whys


async def register(aws: Door, joining: Sequence[Task], targets: States) -> dict[str, str]:
    """Registers them; the target groups that would not have them, and why."""
    refused: dict[str, str] = {}
    for group, places in _places(joining).items():
        try:
            await aws.elbv2.register_targets(TargetGroupArn=group, Targets=_described(places))
        except AwsError as error:
            if error.status >= 500:
                raise
            refused[group] = error.message
            continue
        for _, address, port in places:
            targets[group, address, port] = "initial"
    return refused


async def deregister(aws: Door, leaving: Sequence[Task], targets: States, clock: Clock) -> dict[str, float]:
    """By task: when its target is drained at the latest."""
    until: dict[str, float] = dict.fromkeys((task.id for task in leaving), clock.now())
    for group, places in _places(leaving).items():
        try:
            await aws.elbv2.deregister_targets(TargetGroupArn=group, Targets=_described(places))
            found = await aws.elbv2.describe_target_group_attributes(TargetGroupArn=group)
        except AwsError as error:
            if error.code != _TARGET_GROUP_GONE:
                raise
            continue
        attributes = {a["Key"]: a["Value"] for a in found.get("Attributes") or []}
        ends = clock.now() + float(attributes.get(DELAY, LONGEST_DELAY))
        for task, address, port in places:
            targets[group, address, port] = "draining"
            until[task] = max(until[task], ends)
    return until


def _places(moving: Iterable[Task]) -> dict[str, list[tuple[str, str, int]]]:
    """By target group: task, address, port."""
    found: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for task in moving:
        for target in task.targets:
            if task.eni is not None:
                found[target.group].append((task.id, task.eni.address, target.port))
    return found


def _described(places: Iterable[tuple[str, str, int]]) -> list[dict[str, Any]]:
    return [{"Id": address, "Port": port} for _, address, port in places]
