"""The bodies of the task metadata endpoint, versions 2 to 4. Pure.

Source: the container platform's developer guide, "Task metadata endpoint version 4" (and 3, and 2); the open agent for
what the guide leaves open. A member that has no value is absent.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import msgspec

from hatoba.fleet.model import ContainerStatus, ContainerWanted, MountWanted, PortBinding
from hatoba.node.health import Outcome
from hatoba.node.held import Held
from hatoba.node.translate import Place
from hatoba.runtime.base import Usage

_MIB = 1 << 20
_LEAST_CPU = 2  # shares that a container with no CPU of its own gets

_STATES = {
    "pending": "NONE",
    "pulling": "NONE",
    "pulled": "PULLED",
    "created": "CREATED",
    "running": "RUNNING",
    "stopped": "STOPPED",
}
_TASK_STATES = {
    "pending": "NONE",
    "starting": "CREATED",
    "running": "RUNNING",
    "stopping": "RUNNING",
    "stopped": "STOPPED",
    "lost": "RUNNING",
}


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """How far the node's clock may be from the true time, as its kernel knows it."""

    bound: float  # milliseconds
    at: float
    synchronized: bool


class Tags(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of the control plane; `errors` when it could not be had, in the shape of the body."""

    task: Mapping[str, str] = {}
    instance: Mapping[str, str] = {}
    errors: tuple[dict[str, Any], ...] = ()


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known of a task at this moment."""

    held: Held
    place: Place | None = None
    checks: Mapping[str, Outcome] = {}  # by container: how its last health check went
    storage: Usage | None = None
    drift: Drift | None = None
    tags: Tags | None = None

    @property
    def metadata(self) -> dict[str, str]:
        return self.held.workload.metadata


def when(seconds: float | None) -> str | None:
    """RFC 3339 with nanoseconds, as the agent writes it."""
    if seconds is None:
        return None
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06d}000Z"


def _known(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value not in (None, "")}


def _desired(held: Held) -> str:
    """A task whose essential container has ended is wanted no longer, whatever the control plane has said so far."""
    return "STOPPED" if held.stopping or held.workload.want == "stopped" else "RUNNING"


# --- a task --------------------------------------------------------------------------------------------------------


def task(about: About, version: int) -> dict[str, Any]:
    held, meta = about.held, about.metadata
    workload, statuses = held.workload, held.status.containers
    specs = {c.name: c for c in workload.containers}
    body = _known(
        Cluster=meta.get("Cluster"),
        TaskARN=meta.get("TaskARN"),
        Family=meta.get("Family"),
        Revision=meta.get("Revision"),
        DesiredStatus=_desired(held),
        KnownStatus=_TASK_STATES[held.status.state],
        PullStartedAt=when(min((c.pull_started for c in statuses if c.pull_started), default=None)),
        PullStoppedAt=when(max((c.pull_stopped for c in statuses if c.pull_stopped), default=None)),
        ExecutionStoppedAt=when(_over_at(held)),
        AvailabilityZone=meta.get("AvailabilityZone"),
    )
    if limits := _task_limits(held):
        body["Limits"] = limits
    body["Containers"] = [container(about, specs[c.name], c, version) for c in statuses]
    if version >= 4:
        body |= _fourth(about)
    if about.tags is not None:
        body |= _tagged(about.tags, version)
    return body


def _over_at(held: Held) -> float | None:
    """When the last container ended: known once all have."""
    ends = [c.finished for c in held.status.containers]
    over = all(c.state == "stopped" for c in held.status.containers)
    return max((end for end in ends if end is not None), default=held.status.stopped) if over else None


def _task_limits(held: Held) -> dict[str, Any]:
    workload = held.workload
    return _known(
        CPU=workload.cpu / 1024 if workload.cpu else None,
        Memory=workload.memory // _MIB if workload.memory else None,
    )


def _fourth(about: About) -> dict[str, Any]:
    """What came with version 4."""
    meta = about.metadata
    body = _known(
        LaunchType=meta.get("LaunchType"),
        VPCID=meta.get("VPCID"),
        ServiceName=meta.get("ServiceName"),
        Group=meta.get("Group"),
        AvailabilityZoneID=meta.get("AvailabilityZoneID"),
    )
    if about.drift is not None:
        body["ClockDrift"] = _known(
            ClockErrorBound=about.drift.bound,
            ReferenceTimestamp=when(about.drift.at),
            ClockSynchronizationStatus="SYNCHRONIZED" if about.drift.synchronized else "NOT_SYNCHRONIZED",
        )
    if about.storage is not None:
        used, limit = about.storage.used // _MIB, about.storage.limit // _MIB
        body["EphemeralStorageMetrics"] = {"Utilized": used, "Reserved": limit}
    body["FaultInjectionEnabled"] = meta.get("FaultInjectionEnabled") == "true"
    return body


def _tagged(tags: Tags, version: int) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if tags.task:
        body["TaskTags"] = dict(tags.task)
    if tags.instance:
        body["ContainerInstanceTags"] = dict(tags.instance)
    if tags.errors and version >= 4:
        body["Errors"] = list(tags.errors)
    return body


# --- a container ---------------------------------------------------------------------------------------------------


def container(about: About, wanted: ContainerWanted, status: ContainerStatus, version: int) -> dict[str, Any]:
    held, meta = about.held, about.metadata
    workload = held.workload
    family, revision = meta.get("Family", ""), meta.get("Revision", "")
    body = _known(
        DockerId=status.runtime_id or f"{workload.id}-{wanted.name}",
        Name=wanted.name,
        DockerName=f"ecs-{family}-{revision}-{wanted.name}-{workload.id[:12]}",
        Image=wanted.image.name,
    )
    body["ImageID"] = status.image_digest
    if ports := _ports(about, wanted, status, version):
        body["Ports"] = ports
    body |= _known(
        Labels={**wanted.labels, **_labels(meta, wanted.name)},
        DesiredStatus=_desired(held),
        KnownStatus=_STATES[status.state],
        ExitCode=status.exit_code,
        Limits=_known(CPU=max(_LEAST_CPU, wanted.cpu), Memory=wanted.memory // _MIB if wanted.memory else None),
        CreatedAt=when(status.created),
        StartedAt=when(status.started),
        FinishedAt=when(status.finished),
        Type="NORMAL",
        Networks=_networks(about, status, version),
    )
    if wanted.health is not None:
        body["Health"] = _health(about, status)
    if volumes := [_volume(mount) for mount in wanted.mounts if not mount.tmpfs]:
        body["Volumes"] = volumes
    if version >= 4:
        if wanted.log is not None:
            body |= {"LogDriver": wanted.log.driver, "LogOptions": dict(wanted.log.options)}
        body |= _known(ContainerARN=meta.get(f"ContainerARN:{wanted.name}"), Snapshotter="overlayfs")
        if wanted.restart_after is not None:
            body["RestartCount"] = status.restarts
    return body


def _labels(meta: dict[str, str], name: str) -> dict[str, str]:
    return {
        "com.amazonaws.ecs.cluster": meta.get("Cluster", ""),
        "com.amazonaws.ecs.container-name": name,
        "com.amazonaws.ecs.task-arn": meta.get("TaskARN", ""),
        "com.amazonaws.ecs.task-definition-family": meta.get("Family", ""),
        "com.amazonaws.ecs.task-definition-version": meta.get("Revision", ""),
    }


def _ports(about: About, wanted: ContainerWanted, status: ContainerStatus, version: int) -> list[dict[str, Any]]:
    """With an interface of its own, a task's ports are what they are; on the bridge, the node says where they are."""
    if about.held.workload.network_mode == "bridge":
        return [port for binding in status.bindings for port in _bound(binding, version)]
    own = bool(about.held.workload.interface)
    found = []
    for port, protocol in wanted.ports:
        shape: dict[str, Any] = {"ContainerPort": port, "Protocol": protocol}
        if own or about.held.workload.network_mode in ("", "host"):
            shape["HostPort"] = port
        if version >= 4 and not own:
            shape["HostIp"] = "0.0.0.0"
        found.append(shape)
    return found


def _bound(binding: PortBinding, version: int) -> list[dict[str, Any]]:
    where = {"HostIp": "0.0.0.0"} if version >= 4 else {}
    return [
        {
            "ContainerPort": binding.container + step,
            "Protocol": binding.protocol,
            "HostPort": binding.host + step,
            **where,
        }
        for step in range(binding.count)
    ]


def _health(about: About, status: ContainerStatus) -> dict[str, Any]:
    last = about.checks.get(status.name)
    body = _known(status=status.health.upper(), statusSince=when(status.health_since))
    if last is not None:
        body |= {"exitCode": last.code, **_known(output=last.output)}
    return body


def _volume(mount: MountWanted) -> dict[str, Any]:
    name = mount.volume or None
    return _known(DockerName=name, Source=mount.source, Destination=mount.target)


def _networks(about: About, status: ContainerStatus, version: int) -> list[dict[str, Any]]:
    place, meta = about.place, about.metadata
    mode = about.held.workload.network_mode or ("awsvpc" if about.held.workload.interface else "host")
    network: dict[str, Any] = {"NetworkMode": mode}
    address = status.address or (place.address if place is not None else "")
    if place is None or not (address or place.address6):
        return [network]
    if address:
        network["IPv4Addresses"] = [address]
    if place.address6:
        network["IPv6Addresses"] = [place.address6]
    if version >= 4 and mode == "awsvpc":
        network |= _known(
            AttachmentIndex=0,
            MACAddress=place.mac or meta.get("MAC"),
            IPv4SubnetCIDRBlock=place.prefix,
            IPv6SubnetCIDRBlock=place.prefix6,
            DomainNameServers=list(place.servers) or None,
            DomainNameSearchList=[place.domain] if place.domain else None,
            PrivateDNSName=meta.get("PrivateDNSName"),
            SubnetGatewayIpv4Address=_gateway(place),
        )
    return [network]


def _gateway(place: Place) -> str | None:
    """With the length of its network, as the agent tells it: `172.31.0.1/20`."""
    return f"{place.gateway}/{place.prefix.rpartition('/')[2]}" if place.gateway and place.prefix else None
