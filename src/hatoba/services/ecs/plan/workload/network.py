"""A container's ports and links, in the words of the fleet."""

from __future__ import annotations

from hatoba.aws.shapes import ecs as t
from hatoba.fleet.model import DependsOn, PortWanted
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.plan.definition.network import linked, span_of


def publish(c: t.ContainerDefinition, definition: Definition) -> tuple[PortWanted, ...]:
    """Where tasks have the node's bridge; elsewhere a port is what it is."""
    if definition.network_mode != "bridge" or c.get("disableNetworking"):
        return ()
    return tuple(_port(port) for port in c["portMappings"])


def _port(port: t.PortMapping) -> PortWanted:
    protocol = port["protocol"]
    if "containerPortRange" in port:
        span = span_of(port["containerPortRange"])
        assert span is not None, "it was checked when it was registered"
        return PortWanted(container=span.first, count=span.last - span.first + 1, protocol=protocol)
    return PortWanted(container=port["containerPort"], host=port.get("hostPort") or 0, protocol=protocol)


def links(c: t.ContainerDefinition) -> tuple[tuple[str, str], ...]:
    return tuple(linked(c))


def depends_on(c: t.ContainerDefinition) -> tuple[DependsOn, ...]:
    """What it says, and that those it is linked to have started."""
    said = [DependsOn(container=d["containerName"], condition=d["condition"]) for d in c.get("dependsOn") or ()]
    known = {need.container for need in said}
    others = dict.fromkeys(name for name, _ in linked(c) if name not in known)
    return (*said, *(DependsOn(container=name, condition="START") for name in others))
