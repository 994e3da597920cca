"""A task and its definition → what the node is to run, in the words of the fleet.

The only place where ECS's words become the node's: overrides are applied, secrets and credentials attached, defaults
made explicit. What comes out is compared by golden files.
"""

from __future__ import annotations

from typing import Any

from hatoba.aws.shapes import ecs as t
from hatoba.core import records
from hatoba.fleet.model import (
    ContainerWanted,
    DependsOn,
    DeviceWanted,
    HealthCheckWanted,
    Limit,
    LogWanted,
    MountWanted,
    Workload,
    workloads,
)
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.plan.images import image

MIB = 1 << 20
STOP_TIMEOUT = 30.0


def role(task: Task, definition: Definition) -> str | None:
    """The ARN of the role that the task's processes act as."""
    return task.overrides.get("taskRoleArn") or definition.content.get("taskRoleArn")


def execution_role(task: Task, definition: Definition) -> str | None:
    """The ARN of the role under which the platform pulls the task's images and writes its logs."""
    return task.overrides.get("executionRoleArn") or definition.content.get("executionRoleArn")


def credential_id(task: Task) -> str:
    """In the path of AWS_CONTAINER_CREDENTIALS_RELATIVE_URI."""
    return arns.derived_uuid(task.id, "credentials")


def workload(task: Task, definition: Definition, settings: Settings) -> Workload:
    overrides = {override.get("name"): override for override in task.overrides.get("containerOverrides") or ()}
    containers = tuple(
        _container(c, overrides.get(c["name"], {}), task, definition, settings) for c in definition.containers
    )
    sized = bool(definition.content.get("cpu") or task.overrides.get("cpu"))
    limited = bool(definition.content.get("memory") or task.overrides.get("memory"))
    return Workload(
        key=workloads.key(task.scope, task.id),
        node=task.node,
        network=task.eni.vpc if task.eni else None,
        interface=task.eni.id if task.eni else None,
        containers=containers,
        volumes=tuple(volume["name"] for volume in definition.content["volumes"] if not _host_path(volume)),
        cpu=int(task.cpu) if sized else None,
        memory=int(task.memory) * MIB if limited else None,
        hostname=task.eni.dns if task.eni else "",
        credential=credential_id(task) if role(task, definition) else None,
        region=task.key.region,
        metadata=_metadata(task, definition),
    )


def _metadata(task: Task, definition: Definition) -> dict[str, str]:
    found = {
        "Cluster": arns.cluster_arn(task.scope, task.cluster),
        "TaskARN": task.arn,
        "Family": definition.family,
        "Revision": str(definition.revision),
        "LaunchType": task.launch_type,
        "AvailabilityZone": task.eni.zone if task.eni else "",
        "VPCID": task.eni.vpc if task.eni else "",
        "ServiceName": task.service.partition("/")[2] if task.service else "",
        "Group": task.group,
        "MAC": task.eni.mac if task.eni else "",
        "PrivateDNSName": task.eni.dns if task.eni else "",
    }
    for name in (container.name for container in task.containers):
        found[f"ContainerARN:{name}"] = arns.container_arn(task.scope, task.cluster, task.id, name)
    return {name: value for name, value in found.items() if value}


def _container(
    c: t.ContainerDefinition, override: dict[str, Any], task: Task, definition: Definition, settings: Settings
) -> ContainerWanted:
    linux = c.get("linuxParameters") or {}
    capabilities = linux.get("capabilities") or {}
    memory = override.get("memory", c.get("memory"))
    soft = override.get("memoryReservation", c.get("memoryReservation"))
    swap = linux.get("maxSwap")
    wanted = ContainerWanted(
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
        devices=tuple(_device(d) for d in linux.get("devices") or ()),
        privileged=bool(c.get("privileged")),
        read_only_root=bool(c.get("readonlyRootFilesystem")),
        no_new_privileges="no-new-privileges" in (c.get("dockerSecurityOptions") or ()),
        init=bool(linux.get("initProcessEnabled")),
        terminal=bool(c.get("pseudoTerminal")),
    )
    return records.replace(
        wanted,
        mounts=_mounts(c, definition),
        extra_hosts={host["hostname"]: host["ipAddress"] for host in c.get("extraHosts") or ()},
        dns_servers=tuple(c.get("dnsServers") or ()),
        dns_search=tuple(c.get("dnsSearchDomains") or ()),
        labels=_labels(c, task, definition),
        depends_on=tuple(
            DependsOn(container=d["containerName"], condition=d["condition"]) for d in c.get("dependsOn") or ()
        ),
        start_timeout=float(c["startTimeout"]) if c.get("startTimeout") else None,
        stop_timeout=float(c["stopTimeout"]) if c.get("stopTimeout") is not None else STOP_TIMEOUT,
        restart_after=_restart_after(c),
        restart_not=_restart_not(c),
        health=_health(c),
        log=_log(c, task),
        ports=tuple((p["containerPort"], p["protocol"]) for p in c["portMappings"] if "containerPort" in p),
    )


def _words(words: list[str] | None) -> tuple[str, ...] | None:
    return tuple(words) if words else None


def _environment(c: t.ContainerDefinition, override: dict[str, Any]) -> dict[str, str]:
    pairs = [*(c.get("environment") or ()), *(override.get("environment") or ())]
    return {pair["name"]: pair.get("value", "") for pair in pairs if "name" in pair}


def _device(device: t.Device) -> DeviceWanted:
    letters = {"read": "r", "write": "w", "mknod": "m"}
    permissions = "".join(letters[p] for p in device.get("permissions") or ("read", "write", "mknod"))
    return DeviceWanted(
        host_path=device["hostPath"], container_path=device.get("containerPath") or "", permissions=permissions
    )


def _host_path(volume: t.Volume) -> str:
    return (volume.get("host") or {}).get("sourcePath") or ""


def _mounts(c: t.ContainerDefinition, definition: Definition) -> tuple[MountWanted, ...]:
    by_name = {container["name"]: container for container in definition.containers}
    volumes: dict[str, t.Volume] = {volume["name"]: volume for volume in definition.content["volumes"]}
    found = [(point, bool(point.get("readOnly"))) for point in c["mountPoints"]]
    for source in c["volumesFrom"]:
        other = by_name[source["sourceContainer"]]
        found += [(point, bool(source.get("readOnly"))) for point in other["mountPoints"]]
    mounts = [_mount(point, read_only, volumes[point["sourceVolume"]]) for point, read_only in found]
    for tmpfs in (c.get("linuxParameters") or {}).get("tmpfs") or ():
        options = tuple(tmpfs.get("mountOptions") or ())
        mounts.append(MountWanted(target=tmpfs["containerPath"], tmpfs=True, size=tmpfs["size"] * MIB, options=options))
    return tuple(mounts)


def _mount(point: t.MountPoint, read_only: bool, volume: t.Volume) -> MountWanted:
    path = _host_path(volume)
    return MountWanted(
        target=point["containerPath"], source=path, volume="" if path else volume["name"], read_only=read_only
    )


def _labels(c: t.ContainerDefinition, task: Task, definition: Definition) -> dict[str, str]:
    return {
        **(c.get("dockerLabels") or {}),
        "com.amazonaws.ecs.cluster": arns.cluster_arn(task.scope, task.cluster),
        "com.amazonaws.ecs.container-name": c["name"],
        "com.amazonaws.ecs.task-arn": task.arn,
        "com.amazonaws.ecs.task-definition-family": definition.family,
        "com.amazonaws.ecs.task-definition-version": str(definition.revision),
    }


def _restart_after(c: t.ContainerDefinition) -> float | None:
    policy = c.get("restartPolicy")
    return float(policy.get("restartAttemptPeriod", 300)) if policy and policy.get("enabled") else None


def _restart_not(c: t.ContainerDefinition) -> tuple[int, ...]:
    policy = c.get("restartPolicy")
    return tuple(policy.get("ignoredExitCodes") or ()) if policy else ()


def _health(c: t.ContainerDefinition) -> HealthCheckWanted | None:
    check = c.get("healthCheck")
    if not check or check["command"][0] == "NONE":
        return None
    return HealthCheckWanted(
        command=tuple(check["command"]),
        interval=float(check.get("interval", 30)),
        timeout=float(check.get("timeout", 5)),
        retries=check.get("retries", 3),
        start_period=float(check.get("startPeriod", 0)),
    )


def _log(c: t.ContainerDefinition, task: Task) -> LogWanted | None:
    log = c.get("logConfiguration")
    if not log:
        return None
    options = dict(log.get("options") or {})
    if log["logDriver"] != "awslogs":
        return LogWanted(driver=log["logDriver"], options=options)
    prefix = options.get("awslogs-stream-prefix")
    return LogWanted(
        driver="awslogs",
        region=options.get("awslogs-region") or task.key.region,
        group=options["awslogs-group"],
        # Without a prefix the stream has the container's own id: here the task's, which is as unique.
        stream=f"{prefix}/{c['name']}/{task.id}" if prefix else f"{c['name']}/{task.id}",
        options=options,
    )
