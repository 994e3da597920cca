"""What a task takes from its node, and what it is called when no node has it."""

from __future__ import annotations

from typing import Any

from hatoba.placement import Lack, Refusal
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import Reserve
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.plan.definition.requires import special

MIB = 1 << 20
_CODES: dict[Lack, str] = {
    "cpu": "RESOURCE:CPU",
    "memory": "RESOURCE:MEMORY",
    "ports": "RESOURCE:PORTS",
    "architecture": "ATTRIBUTE",
    "feature": "ATTRIBUTE",
    "gpu": "RESOURCE:GPU",
    "condition": "MemberOf placement constraint unsatisfied.",
    "distinct": "DistinctInstance placement constraint unsatisfied.",
    "draining": "INACTIVE",
    "lost": "AGENT",
}


def reserve(definition: Definition, overrides: dict[str, Any], launch_type: str, settings: Settings) -> Reserve:
    """The task's own size where it has one, else the sum of its containers'."""
    content = definition.content
    cpu = int(overrides.get("cpu") or content.get("cpu") or 0)
    memory = int(overrides.get("memory") or content.get("memory") or 0)
    if launch_type == "FARGATE":
        shared = memory * MIB // settings.fargate_memory_share
        return Reserve(cpu=cpu // settings.fargate_cpu_share, memory=shared)
    changed = {override.get("name"): override for override in overrides.get("containerOverrides") or ()}
    sizes = [{**container, **changed.get(container["name"], {})} for container in definition.containers]
    ports = [
        (int(port["hostPort"]), str(port["protocol"]))
        for container in definition.containers
        for port in container["portMappings"]
        if definition.network_mode != "awsvpc" and port.get("hostPort")
    ]
    return Reserve(
        cpu=cpu or sum(int(size.get("cpu") or 0) for size in sizes),
        memory=MIB * (memory or sum(int(size.get("memoryReservation") or size.get("memory") or 0) for size in sizes)),
        ports=tuple(ports),
    )


def architecture(definition: Definition) -> str:
    """What it must run on; "" when it does not say."""
    platform = definition.content.get("runtimePlatform") or {}
    return {"ARM64": "aarch64", "X86_64": "x86_64"}.get(platform.get("cpuArchitecture", ""), "")


def features(definition: Definition) -> frozenset[tuple[str, str]]:
    """What not every node has: it must say so itself."""
    found = {(f"attribute:{name}", "") for name in definition.requires if special(name)}
    family = (definition.content.get("runtimePlatform") or {}).get("operatingSystemFamily", "LINUX")
    if family != "LINUX":
        found.add(("attribute:ecs.os-family", family))
    for container in definition.containers:
        kinds = {requirement["type"] for requirement in container.get("resourceRequirements") or ()} - {"GPU"}
        found.update(("attribute:hatoba.accelerator", kind) for kind in kinds)
    return frozenset(found)


def gpus(definition: Definition, overrides: dict[str, Any]) -> int:
    changed = {override.get("name"): override for override in overrides.get("containerOverrides") or ()}
    sizes = [{**container, **changed.get(container["name"], {})} for container in definition.containers]
    wanted = [r for size in sizes for r in size.get("resourceRequirements") or () if r["type"] == "GPU"]
    return sum(int(requirement["value"]) for requirement in wanted)


def failure_code(refusal: Refusal) -> str:
    """A refusal as a code of `failures[].reason`: what the node lacks that came nearest."""
    if refusal.closest is None:
        return "RESOURCE:*"
    return _CODES[refusal.closest[1]]
