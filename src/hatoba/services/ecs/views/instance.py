"""A node of the fleet, as one cluster sees it → `ContainerInstance`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast

from hatoba.aws.shapes import ecs as t
from hatoba.core.keys import Scope
from hatoba.fleet.model import Node
from hatoba.placement import Use
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.instance import Instance, gone
from hatoba.services.ecs.model.usage import status_of, where
from hatoba.services.ecs.plan import sites
from hatoba.services.ecs.views import pieces

_MIB = 1 << 20


def status(node: Node, instance: Instance | None) -> str:
    """A node that is lost is still an instance: its agent is not connected."""
    if gone(node, instance):
        return "INACTIVE"
    drained = not node.schedulable or (instance is not None and instance.status == "DRAINING")
    return "DRAINING" if drained else "ACTIVE"


def instance(
    node: Node,
    record: Instance,
    use: Use,
    tags: Mapping[str, str] | None = None,
    include: Collection[str] = (),
    provider: str = "",
) -> t.ContainerInstance:
    """`use`: all that is in use on the node, by whatever cluster: what is left of it is what placement can give.
    `provider`: the capacity provider that the node is of."""
    scope, cluster = record.scope, record.cluster
    place = where(scope, cluster, "EXTERNAL" if sites.external(node) else "EC2")
    shape: dict[str, Any] = {
        "containerInstanceArn": arns.instance_arn(scope, cluster, node.id),
        "ec2InstanceId": node.instance,
        "version": node.version + record.version,
        "versionInfo": {"agentVersion": node.agent},
        "remainingResources": _resources(node.cpu - use.cpu, node.memory - use.memory, use.ports),
        "registeredResources": _resources(node.cpu, node.memory, ()),
        "status": status(node, record),
        "agentConnected": node.state == "ready",
        "runningTasksCount": use.counts.get(status_of(place, "running"), 0),
        "pendingTasksCount": use.counts.get(status_of(place, "pending"), 0),
        "attributes": attributes(node, record, scope),
        "registeredAt": node.joined_at,
        "attachments": [],
        "tags": pieces.tags(tags) if tags and "TAGS" in include else [],
    }
    if provider:
        shape["capacityProviderName"] = provider
    if "CONTAINER_INSTANCE_HEALTH" in include:
        shape["healthStatus"] = {"overallStatus": "OK" if node.state == "ready" else "IMPAIRED", "details": []}
    return cast(t.ContainerInstance, shape)


def attributes(node: Node, record: Instance | None, scope: Scope, target: str | None = None) -> list[t.Attribute]:
    """By name; with the ARN of what they belong to, where it is told with them."""
    return [
        pieces.present(t.Attribute(name=name, value=value or None, targetId=target))  # type: ignore[typeddict-item]
        for name, value in sorted(sites.attributes(node, record, scope.region).items())
    ]


def _resources(cpu: int, memory: int, taken: Collection[tuple[int, str]]) -> list[t.Resource]:
    """Ports are told as those that are taken."""
    return [
        _number("CPU", cpu),
        _number("MEMORY", memory // _MIB),
        _ports("PORTS", sorted(number for number, protocol in taken if protocol == "tcp")),
        _ports("PORTS_UDP", sorted(number for number, protocol in taken if protocol == "udp")),
    ]


def _number(name: str, value: int) -> t.Resource:
    return {"name": name, "type": "INTEGER", "doubleValue": 0.0, "longValue": 0, "integerValue": value}


def _ports(name: str, numbers: list[int]) -> t.Resource:
    return {
        "name": name,
        "type": "STRINGSET",
        "doubleValue": 0.0,
        "longValue": 0,
        "integerValue": 0,
        "stringSetValue": [str(number) for number in numbers],
    }
