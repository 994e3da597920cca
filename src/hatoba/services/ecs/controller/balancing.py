"""A service's tasks and their load balancers, by ELB's public operations: who is registered and how they do, who joins,
who leaves and until when.

Tasks without an interface of their own are ports of their instances: ELB knows those by their EC2 ids, here they are
known by their nodes, which keep theirs whatever they call themselves.

Targets that are registered or deregistered here are noted in `states`, so that what is decided next knows of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from hatoba.core.clock import Clock
from hatoba.core.errors import AwsError
from hatoba.fleet.model import FLEET, nodes
from hatoba.gateway.call import Door
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.plan.rollout import Plan, words
from hatoba.services.ecs.plan.rollout.seen import where
from hatoba.store.store import View

DELAY = "deregistration_delay.timeout_seconds"
LONGEST_DELAY = 300.0
_TARGET_GROUP_GONE = "TargetGroupNotFound"

States = dict[tuple[str, str, int], str]  # (target group ARN, address or node, port) → what DescribeTargetHealth tells
Instances = Mapping[str, str]  # node → its EC2 id


def instances_of(view: View, known: Iterable[Task]) -> Instances:
    """Of the nodes of these tasks, where they are known to load balancers by their nodes."""
    ids = {task.node for task in known if task.targets and task.network is None}
    found = (view.find(nodes, FLEET, id_) for id_ in ids)
    return {node.id: node.instance for node in found if node is not None}


async def states(aws: Door, known: Sequence[Task], instances: Instances) -> tuple[States, States]:
    """The states of everything that is registered where these tasks are; and why, of those that are not well."""
    groups = {x.group for task in known if task.balancing in ("joined", "draining") for x in task.targets}
    found: States = {}
    whys: States = {}
    node_of = {instance: node for node, instance in instances.items()}
    for group in sorted(groups):
        try:
            answer = await aws.elbv2.describe_target_health(TargetGroupArn=group)
        except AwsError as error:
            if error.code != _TARGET_GROUP_GONE:
                raise
            continue
        for described in answer.get("TargetHealthDescriptions") or []:
            target = described["Target"]
            id_ = target["Id"]
            health, place = described["TargetHealth"], (group, node_of.get(id_, id_), target["Port"])
            found[place] = health["State"]
            if health.get("Description"):
                whys[place] = health["Description"]
    return found, whys


class Balanced(NamedTuple):
    """What was done at the load balancers, before the transaction that takes note of it."""

    joined: Sequence[Task]
    drained_at: Mapping[str, float]  # by task: when its target is drained at the latest
    problems: Sequence[str]  # target groups that would not have a task, in words


async def follow(aws: Door, step: Plan, targets: States, clock: Clock, instances: Instances) -> Balanced:
    """Registers and deregisters what a plan asks for."""
    refused = await _register(aws, step.register, targets, instances)
    joined = [task for task in step.register if not any(target.group in refused for target in task.targets)]
    drained_at = await _deregister(aws, step.deregister, targets, clock, instances)
    return Balanced(joined, drained_at, [words.not_registered(group, why) for group, why in refused.items()])


async def _register(aws: Door, joining: Sequence[Task], targets: States, instances: Instances) -> dict[str, str]:
    """Registers them; the target groups that would not have them, and why."""
    refused: dict[str, str] = {}
    for group, places in _places(joining).items():
        try:
            await aws.elbv2.register_targets(TargetGroupArn=group, Targets=_described(places, instances))
        except AwsError as error:
            if error.status >= 500:
                raise
            refused[group] = error.message
            continue
        for _, address, port in places:
            targets[group, address, port] = "initial"
    return refused


async def _deregister(
    aws: Door, leaving: Sequence[Task], targets: States, clock: Clock, instances: Instances
) -> dict[str, float]:
    """By task: when its target is drained at the latest."""
    until: dict[str, float] = dict.fromkeys((task.id for task in leaving), clock.now())
    for group, places in _places(leaving).items():
        try:
            await aws.elbv2.deregister_targets(TargetGroupArn=group, Targets=_described(places, instances))
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
            address, port = where(task, target)
            if address:
                found[target.group].append((task.id, address, port))
    return found


def _described(places: Iterable[tuple[str, str, int]], instances: Instances) -> list[dict[str, Any]]:
    return [{"Id": instances.get(address, address), "Port": port} for _, address, port in places]
