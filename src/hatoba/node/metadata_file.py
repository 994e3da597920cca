"""The file that tells a container about itself: `$ECS_CONTAINER_METADATA_FILE`, for tasks on instances. Pure.

It is complete when the container starts (`MetadataFileStatus` READY): everything in it is known by then. Off unless the
operator wants it, as on AWS. Source: the developer guide, "Container metadata file".
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from hatoba.fleet.model import ContainerWanted, PortBinding, Workload
from hatoba.runtime.base import Mount

FOLDER = "/opt/ecs/metadata"
NAME = "ecs-container-metadata.json"


def path(workload: str, container: str) -> str:
    """Inside the container."""
    name = hashlib.sha256(f"{workload}/{container}".encode()).hexdigest()[:32]
    return f"{FOLDER}/{name}/{NAME}"


def folder(files: Path, container: str) -> Path:
    """On the node, in the workload's files."""
    return files / container / "metadata"


def mount(workload: str, container: str, files: Path) -> Mount:
    target = path(workload, container).rpartition("/")[0]
    return Mount(target=target, source=str(folder(files, container)), read_only=True)


def text(
    workload: Workload,
    container: ContainerWanted,
    *,
    container_id: str,
    digest: str,
    addresses: tuple[str, ...],
    bindings: tuple[PortBinding, ...] = (),
) -> bytes:
    """`addresses`: the container's own, none on the node's network. `bindings`: of its ports, on the node's bridge."""
    meta = workload.metadata
    family, revision = meta.get("Family", ""), meta.get("Revision", "")
    network: dict[str, Any] = {"NetworkMode": workload.network_mode or ("awsvpc" if workload.interface else "host")}
    for name, own in (
        ("IPv4Addresses", [address for address in addresses if ":" not in address]),
        ("IPv6Addresses", [address for address in addresses if ":" in address]),
    ):
        if own:
            network[name] = own
    told = {
        "Cluster": meta.get("Cluster", "").rpartition("/")[2],
        "ContainerInstanceARN": meta.get("ContainerInstanceARN", ""),
        "TaskARN": meta.get("TaskARN", ""),
        "TaskDefinitionFamily": family,
        "TaskDefinitionRevision": revision,
        "ContainerID": container_id,
        "ContainerName": container.name,
        "DockerContainerName": f"/ecs-{family}-{revision}-{container.name}-{workload.id[:12]}",
        "ImageID": digest,
        "ImageName": container.image.name,
        "PortMappings": _ports(workload, container, bindings),
        "Networks": [network],
        "MetadataFileStatus": "READY",
        "AvailabilityZone": meta.get("AvailabilityZone", ""),
    }
    return msgspec.json.encode({name: value for name, value in told.items() if value})


def _ports(workload: Workload, container: ContainerWanted, bindings: tuple[PortBinding, ...]) -> list[dict[str, Any]]:
    """Where each port is on the node; with an interface of its own a task's ports are what they are."""
    if bindings:
        return [
            _port(binding.container + number, binding.host + number, binding.protocol)
            for binding in bindings
            for number in range(binding.count)
        ]
    if workload.network_mode == "none":
        return []
    return [_port(port, port, protocol) for port, protocol in container.ports]


def _port(container: int, host: int, protocol: str) -> dict[str, Any]:
    return {"ContainerPort": container, "HostPort": host, "BindIp": "0.0.0.0", "Protocol": protocol}
