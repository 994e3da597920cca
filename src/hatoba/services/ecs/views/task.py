"""Task → `Task`. Made once per version of the record; tags are added where they were asked for."""

from __future__ import annotations

from typing import Any, cast

from hatoba.aws.shapes import ecs as t
from hatoba.fleet.model import PortBinding
from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.task import RANK, Container, Eni, Task
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.plan import lifecycle
from hatoba.services.ecs.plan.execute import AGENT
from hatoba.services.ecs.plan.workload.volumes import storage
from hatoba.services.ecs.views.memo import Memo
from hatoba.services.ecs.views.pieces import present


def task(record: Task, definition: Definition) -> t.Task:
    return _made.of(record, lambda: _make(record, definition))


_made: Memo[Task, t.Task] = Memo(4096)


def _make(record: Task, definition: Definition) -> t.Task:
    shape: dict[str, Any] = {
        "attachments": [_attachment(record)] if record.network is not None else [],
        "attributes": [{"name": "ecs.cpu-architecture", "value": _architecture(definition)}],
        "availabilityZone": (record.eni.zone if record.eni else record.zone) or None,
        "capacityProviderName": record.capacity_provider or None,
        "clusterArn": arns.cluster_arn(record.scope, record.cluster),
        "connectivity": "CONNECTED" if record.connected_at is not None else None,
        "connectivityAt": record.connected_at,
        "containerInstanceArn": _instance(record),
        "containers": _containers(record, definition),
        "cpu": record.cpu,
        "createdAt": record.created_at,
        "desiredStatus": record.desired,
        "enableExecuteCommand": record.execute,
        "executionStoppedAt": record.execution_stopped_at,
        "group": record.group,
        "healthStatus": lifecycle.health(record),
        "lastStatus": record.status,
        "launchType": record.launch_type,
        "memory": record.memory,
        "overrides": {"inferenceAcceleratorOverrides": [], **_overrides(record)},
        "pullStartedAt": record.pull_started_at,
        "pullStoppedAt": record.pull_stopped_at,
        "startedAt": record.started_at,
        "startedBy": record.started_by or None,
        "stopCode": record.stop_code or None,
        "stoppedAt": record.stopped_at,
        "stoppedReason": record.stopped_reason or None,
        "stoppingAt": record.stopping_at,
        "tags": [],
        "taskArn": record.arn,
        "taskDefinitionArn": definition.arn,
        "version": record.version,
    }
    if (gib := storage(record, definition)) is not None:
        shape["platformVersion"] = record.platform_version
        shape["platformFamily"] = "Linux"
        shape["ephemeralStorage"] = {"sizeInGiB": gib}
        shape["fargateEphemeralStorage"] = {"sizeInGiB": gib}
    return cast(t.Task, present(shape))


def protection(record: Task, now: float) -> t.ProtectedTask:
    shape: t.ProtectedTask = {"taskArn": record.arn, "protectionEnabled": record.protected(now)}
    if record.protected_until is not None and record.protected(now):
        shape["expirationDate"] = record.protected_until
    return shape


def _architecture(definition: Definition) -> str:
    platform = definition.content.get("runtimePlatform") or {}
    return "arm64" if platform.get("cpuArchitecture") == "ARM64" else "x86_64"


def _instance(record: Task) -> str | None:
    if record.launch_type == "FARGATE" or not record.node:
        return None
    return arns.instance_arn(record.scope, record.cluster, record.node)


def _overrides(record: Task) -> dict[str, Any]:
    given = {override.get("name"): override for override in record.overrides.get("containerOverrides") or ()}
    return {
        **record.overrides,
        "containerOverrides": [given.get(c.name, {"name": c.name}) for c in record.containers],
    }


def _attachment(record: Task) -> t.Attachment:
    return {
        "id": record.attachment,
        "type": "ElasticNetworkInterface",
        "status": _attached(record),
        "details": _details(record.eni) if record.eni else [{"name": "subnetId", "value": record.subnet}],
    }


def _attached(record: Task) -> str:
    if record.status == "STOPPED":
        return "DELETED"
    if record.eni is None:
        return "PRECREATED"
    if record.launched and RANK[record.status] < RANK["DEPROVISIONING"]:
        return "ATTACHED" if record.connected_at is not None else "ATTACHING"
    return "DETACHED" if record.connected_at is not None else "CREATED"


def _details(eni: Eni) -> list[t.KeyValuePair]:
    found = {
        "subnetId": eni.subnet,
        "networkInterfaceId": eni.id,
        "macAddress": eni.mac,
        "privateDnsName": eni.dns,
        "privateIPv4Address": eni.address,
        "ipv6Address": eni.address6,
    }
    return [{"name": name, "value": value} for name, value in found.items() if value]


def _containers(record: Task, definition: Definition) -> list[t.Container]:
    by_name = {container["name"]: container for container in definition.containers}
    overrides = {override.get("name"): override for override in record.overrides.get("containerOverrides") or ()}
    return [_container(record, c, by_name[c.name], overrides.get(c.name, {})) for c in record.containers]


def _container(
    record: Task, container: Container, definition: t.ContainerDefinition, override: dict[str, Any]
) -> t.Container:
    size = {name: override.get(name, definition.get(name)) for name in ("cpu", "memory", "memoryReservation")}
    shape: dict[str, Any] = {
        "containerArn": arns.container_arn(record.scope, record.cluster, record.id, container.name),
        "taskArn": record.arn,
        "name": container.name,
        "image": definition["image"],
        "imageDigest": container.digest or None,
        "runtimeId": container.runtime_id or None,
        "lastStatus": container.status,
        "exitCode": container.exit_code,
        "reason": container.reason or None,
        "networkBindings": _bindings(record, container, definition),
        "networkInterfaces": _interfaces(record),
        "healthStatus": container.health,
        "managedAgents": _agents(record, container) if record.execute else None,
        **{name: str(value) for name, value in size.items() if value is not None},
    }
    return cast(t.Container, present(shape))


def _agents(record: Task, container: Container) -> list[dict[str, Any]]:
    """What ExecuteCommand goes through. It is the node, and nothing inside the container: it runs as long as that."""
    agent = {"name": AGENT, "lastStatus": container.status}
    return [agent | {"lastStartedAt": record.started_at}] if record.started_at is not None else [agent]


def _interfaces(record: Task) -> list[t.NetworkInterface]:
    if record.eni is None:
        return []
    shape: t.NetworkInterface = {"attachmentId": record.attachment}
    if record.eni.address:
        shape["privateIpv4Address"] = record.eni.address
    if record.eni.address6:
        shape["ipv6Address"] = record.eni.address6
    return [shape]


def _bindings(record: Task, container: Container, definition: t.ContainerDefinition) -> list[t.NetworkBinding]:
    """Where the ports are on the node: what the node chose on its bridge, what was asked for on its own network."""
    if record.network is not None or container.status != "RUNNING":
        return []
    return [_binding(binding) for binding in container.bindings or _own(definition)]


def _own(definition: t.ContainerDefinition) -> list[PortBinding]:
    return [
        PortBinding(container=port["containerPort"], host=port["hostPort"], protocol=port["protocol"])
        for port in definition["portMappings"]
        if port.get("hostPort")
    ]


def _binding(binding: PortBinding) -> t.NetworkBinding:
    where: t.NetworkBinding = {"bindIP": "0.0.0.0", "protocol": binding.protocol}
    if binding.count == 1:
        return {**where, "containerPort": binding.container, "hostPort": binding.host}
    last = binding.count - 1
    return {
        **where,
        "containerPortRange": f"{binding.container}-{binding.container + last}",
        "hostPortRange": f"{binding.host}-{binding.host + last}",
    }
