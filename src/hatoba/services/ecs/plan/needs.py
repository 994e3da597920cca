"""What a task takes from its node, and the nodes as placement sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from hatoba.core.records import replace
from hatoba.fleet.model import Node
from hatoba.placement import Candidate, Needs, Refusal
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import Reserve, Task
from hatoba.services.ecs.model.task_definition import Definition

MIB = 1 << 20
_CODES = {"cpu": "RESOURCE:CPU", "memory": "RESOURCE:MEMORY", "ports": "RESOURCE:PORTS", "architecture": "ATTRIBUTE"}


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


def needs(taken: Reserve, group: str, architecture: str = "") -> Needs:
    return Needs(
        cpu=taken.cpu, memory=taken.memory, ports=frozenset(taken.ports), group=group, architecture=architecture
    )


def candidate(node: Node, tasks: Iterable[Task]) -> Candidate:
    """A node with what the tasks on it leave free."""
    empty = Candidate(
        id=node.id,
        cpu=node.cpu,
        memory=node.memory,
        architecture=node.architecture,
        ready=node.state == "ready",
        draining=not node.schedulable,
    )
    cpu = memory = running = 0
    ports: set[tuple[int, str]] = set()
    groups: Counter[str] = Counter()
    for task in tasks:
        cpu += task.reserve.cpu
        memory += task.reserve.memory
        ports.update(task.reserve.ports)
        groups[task.group] += 1
        running += 1
    return replace(
        empty, cpu=node.cpu - cpu, memory=node.memory - memory, ports=frozenset(ports), running=running, groups=groups
    )


def architecture(definition: Definition) -> str:
    """What it must run on; "" when it does not say."""
    platform = definition.content.get("runtimePlatform") or {}
    return {"ARM64": "aarch64", "X86_64": "x86_64"}.get(platform.get("cpuArchitecture", ""), "")


def failure_code(refusal: Refusal) -> str:
    """A refusal as a code of `failures[].reason`: what the node lacks that came nearest."""
    if refusal.closest is None:
        return "RESOURCE:*"
    return _CODES.get(refusal.closest[1], "AGENT")
