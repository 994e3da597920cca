"""One container of a task: overrides applied, defaults made explicit, in the words of the fleet."""

from __future__ import annotations

from typing import Any

from hatoba.aws.shapes import ecs as t
from hatoba.core import records
from hatoba.fleet.model import ContainerWanted, Limit
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.plan.definition.linux import NO_NEW_PRIVILEGES
from hatoba.services.ecs.plan.images import image
from hatoba.services.ecs.plan.workload.lifecycle import health, restart_after, restart_not
from hatoba.services.ecs.plan.workload.logs import log_wanted
from hatoba.services.ecs.plan.workload.network import depends_on, links, publish
from hatoba.services.ecs.plan.workload.volumes import device, mounts

MIB = 1 << 20
STOP_TIMEOUT = 30.0


def container(
    c: t.ContainerDefinition, override: dict[str, Any], task: Task, definition: Definition, settings: Settings
) -> ContainerWanted:
    return records.replace(
        _process(c, override, task, settings),
        mounts=mounts(c, definition),
        extra_hosts={host["hostname"]: host["ipAddress"] for host in c.get("extraHosts") or ()},
        dns_servers=tuple(c.get("dnsServers") or ()),
        dns_search=tuple(c.get("dnsSearchDomains") or ()),
        labels=_labels(c, task, definition),
        depends_on=depends_on(c),
        start_timeout=float(c["startTimeout"]) if c.get("startTimeout") else None,
        stop_timeout=float(c["stopTimeout"]) if c.get("stopTimeout") is not None else STOP_TIMEOUT,
        restart_after=restart_after(c),
        restart_not=restart_not(c),
        health=health(c),
        log=log_wanted(c, task, definition),
        ports=tuple((p["containerPort"], p["protocol"]) for p in c["portMappings"] if "containerPort" in p),
        publish=publish(c, definition),
        links=links(c),
        offline=bool(c.get("disableNetworking")),
    )


def _process(c: t.ContainerDefinition, override: dict[str, Any], task: Task, settings: Settings) -> ContainerWanted:
    """Its image, its main process, and what that may use."""
    linux = c.get("linuxParameters") or {}
    capabilities = linux.get("capabilities") or {}
    memory = override.get("memory", c.get("memory"))
    soft = override.get("memoryReservation", c.get("memoryReservation"))
    swap = linux.get("maxSwap")
    return ContainerWanted(
        name=c["name"],
        image=image(c["image"], settings.registry_hosts, task.pins.get(c["name"], "")),
        essential=c["essential"],
        entrypoint=tuple(c["entryPoint"]) if c.get("entryPoint") else None,
        command=_words(override.get("command") or c.get("command")),
        environment=_environment(c, override),
        cwd=c.get("workingDirectory") or "",
        user=c.get("user") or "",
        hostname=c.get("hostname") or "",
        cpu=int(override.get("cpu", c["cpu"]) or 0),
        memory=memory * MIB if memory else None,
        memory_reservation=soft * MIB if soft else None,
        swap=swap * MIB if swap is not None else None,
        swappiness=linux.get("swappiness"),
        shm_size=linux["sharedMemorySize"] * MIB if linux.get("sharedMemorySize") else None,
        ulimits=tuple(Limit(name=u["name"], soft=u["softLimit"], hard=u["hardLimit"]) for u in c.get("ulimits") or ()),
        sysctls={s["namespace"]: s["value"] for s in c["systemControls"] if "namespace" in s and "value" in s},
        cap_add=tuple(capabilities.get("add") or ()),
        cap_drop=tuple(capabilities.get("drop") or ()),
        devices=tuple(device(d) for d in linux.get("devices") or ()),
        privileged=bool(c.get("privileged")),
        read_only_root=bool(c.get("readonlyRootFilesystem")),
        no_new_privileges=not set(NO_NEW_PRIVILEGES).isdisjoint(c.get("dockerSecurityOptions") or ()),
        init=bool(linux.get("initProcessEnabled")),
        terminal=bool(c.get("pseudoTerminal")),
        interactive=bool(c.get("interactive")),
    )


def _words(words: list[str] | None) -> tuple[str, ...] | None:
    return tuple(words) if words else None


def _environment(c: t.ContainerDefinition, override: dict[str, Any]) -> dict[str, str]:
    pairs = [*(c.get("environment") or ()), *(override.get("environment") or ())]
    return {pair["name"]: pair.get("value", "") for pair in pairs if "name" in pair}


def _labels(c: t.ContainerDefinition, task: Task, definition: Definition) -> dict[str, str]:
    return {
        **(c.get("dockerLabels") or {}),
        "com.amazonaws.ecs.cluster": arns.cluster_arn(task.scope, task.cluster),
        "com.amazonaws.ecs.container-name": c["name"],
        "com.amazonaws.ecs.task-arn": task.arn,
        "com.amazonaws.ecs.task-definition-family": definition.family,
        "com.amazonaws.ecs.task-definition-version": str(definition.revision),
    }
