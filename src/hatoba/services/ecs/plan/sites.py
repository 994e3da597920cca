"""A node as placement sees it: what it has in all, and the values of everything a query may ask about."""

from __future__ import annotations

import datetime

from hatoba.fleet.model import ZONE, Node
from hatoba.placement import Site
from hatoba.services.ecs.model.instance import Instance

EXTERNAL = "ecs.capability.external"  # the attribute of a node that only takes tasks of the launch type EXTERNAL
_ARCHITECTURES = {"aarch64": "arm64"}


def attributes(node: Node, instance: Instance | None, region: str) -> dict[str, str]:
    """What the platform says of it, what the node says of itself, what was put. "" where there is no value.

    Nodes that do not say in which zone they are count as spread over the region's zones, in the order they joined in.
    """
    return {
        ZONE: node.zone(region),
        "ecs.instance-type": "hatoba",
        "ecs.os-type": "linux",
        "ecs.os-family": "LINUX",
        **node.attributes,
        "ecs.cpu-architecture": _ARCHITECTURES.get(node.architecture, node.architecture),
        **(instance.attributes if instance is not None else {}),
    }


def external(node: Node) -> bool:
    return EXTERNAL in node.attributes


def site(node: Node, instance: Instance | None, region: str) -> Site:
    return Site(
        id=node.id,
        cpu=node.cpu,
        memory=node.memory,
        architecture=node.architecture,
        ready=node.state == "ready",
        draining=not node.schedulable or (instance is not None and instance.status == "DRAINING"),
        labels={
            "agentConnected": str(node.state == "ready").lower(),
            "agentVersion": node.agent,
            "ec2InstanceId": node.instance,
            "registeredAt": datetime.datetime.fromtimestamp(node.joined_at, datetime.UTC).isoformat(),
            **{f"attribute:{name}": value for name, value in attributes(node, instance, region).items()},
        },
    )
