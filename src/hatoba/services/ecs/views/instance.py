"""A node of the fleet → `ContainerInstance`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from hatoba.aws.shapes import ecs as t
from hatoba.core.keys import Scope
from hatoba.fleet.model import Node
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.task import RANK, Task

_MIB = 1 << 20


def status(node: Node) -> str:
    if node.state != "ready":
        return "INACTIVE"
    return "ACTIVE" if node.schedulable else "DRAINING"


def instance(node: Node, scope: Scope, cluster: str, tasks: Sequence[Task]) -> t.ContainerInstance:
    """`tasks`: those that are on the node and not over, of this cluster."""
    mine = [task for task in tasks if task.launch_type == "EC2"]
    free_cpu = node.cpu - sum(task.reserve.cpu for task in mine)
    free_memory = node.memory - sum(task.reserve.memory for task in mine)
    taken = sorted(str(number) for task in mine for number, protocol in task.reserve.ports if protocol == "tcp")
    attributes = {
        "ecs.cpu-architecture": node.architecture,
        "ecs.instance-type": "hatoba",
        "ecs.os-type": "linux",
        **node.attributes,
    }
    shape: dict[str, Any] = {
        "containerInstanceArn": arns.instance_arn(scope, cluster, node.id),
        "ec2InstanceId": node.name,
        "version": node.version,
        "versionInfo": {"agentVersion": node.agent},
        "remainingResources": _resources(free_cpu, free_memory, taken),
        "registeredResources": _resources(node.cpu, node.memory, []),
        "status": status(node),
        "agentConnected": node.state == "ready",
        "runningTasksCount": sum(task.status == "RUNNING" for task in mine),
        "pendingTasksCount": sum(RANK[task.status] < RANK["RUNNING"] for task in mine),
        "attributes": [{"name": name, "value": value} for name, value in sorted(attributes.items()) if value],
        "registeredAt": node.joined_at,
        "attachments": [],
        "tags": [],
    }
    return cast(t.ContainerInstance, shape)


def _resources(cpu: int, memory: int, ports: list[str]) -> list[t.Resource]:
    return [
        _number("CPU", cpu),
        _number("MEMORY", memory // _MIB),
        t.Resource(name="PORTS", type="STRINGSET", doubleValue=0.0, longValue=0, integerValue=0, stringSetValue=ports),
    ]


def _number(name: str, value: int) -> t.Resource:
    return {"name": name, "type": "INTEGER", "doubleValue": 0.0, "longValue": 0, "integerValue": value}
