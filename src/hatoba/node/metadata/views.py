"""The bodies of the task metadata endpoint, versions 3 and 4. Pure.

Source: the container platform's developer guide, "Task metadata endpoint version 4" and "version 3"; stats are in the
shape of Docker's container stats.
"""

from __future__ import annotations

import datetime
from typing import Any

from hatoba.core import arn
from hatoba.fleet.model import ContainerStatus, ContainerWanted, Workload, WorkloadStatus
from hatoba.node.translate import Place
from hatoba.runtime.base import Stats, Usage

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


def when(seconds: float | None) -> str | None:
    """RFC 3339 with nanoseconds, as the agent writes it."""
    if seconds is None:
        return None
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06d}000Z"


def _known(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def container(
    workload: Workload, wanted: ContainerWanted, status: ContainerStatus, place: Place | None, version: int
) -> dict[str, Any]:
    meta = workload.metadata
    task_arn = meta.get("TaskARN", "")
    labels = {
        "com.amazonaws.ecs.cluster": meta.get("Cluster", ""),
        "com.amazonaws.ecs.container-name": wanted.name,
        "com.amazonaws.ecs.task-arn": task_arn,
        "com.amazonaws.ecs.task-definition-family": meta.get("Family", ""),
        "com.amazonaws.ecs.task-definition-version": meta.get("Revision", ""),
    }
    body = _known(
        DockerId=status.runtime_id or f"{workload.id}-{wanted.name}",
        Name=wanted.name,
        DockerName=f"ecs-{meta.get('Family', '')}-{meta.get('Revision', '')}-{wanted.name}-{workload.id[:12]}",
        Image=wanted.image.name,
        ImageID=status.image_digest,
        Labels={**wanted.labels, **labels},
        DesiredStatus=workload.want.upper(),
        KnownStatus=_STATES[status.state],
        ExitCode=status.exit_code,
        Limits=_known(CPU=wanted.cpu, Memory=(wanted.memory or 0) // 2**20 or None),
        CreatedAt=when(status.created),
        StartedAt=when(status.started),
        FinishedAt=when(status.finished),
        Type="NORMAL",
        Networks=_networks(meta, place, version),
    )
    if wanted.health is not None:
        body["Health"] = _known(status=status.health.upper(), statusSince=when(status.health_since))
    if version >= 4:
        body |= _known(ContainerARN=_container_arn(meta, wanted.name), Snapshotter="overlayfs")
        body["RestartCount"] = status.restarts
        if wanted.log is not None:
            body |= {"LogDriver": wanted.log.driver, "LogOptions": dict(wanted.log.options)}
    return body


def _container_arn(meta: dict[str, str], name: str) -> str | None:
    return meta.get(f"ContainerARN:{name}")


def _networks(meta: dict[str, str], place: Place | None, version: int) -> list[dict[str, Any]]:
    if place is None or not place.address:
        return [{"NetworkMode": "host"}]
    network: dict[str, Any] = {"NetworkMode": "awsvpc", "IPv4Addresses": [place.address]}
    if version >= 4:
        network |= _known(
            AttachmentIndex=0,
            MACAddress=meta.get("MAC"),
            IPv4SubnetCIDRBlock=meta.get("SubnetCIDR"),
            DomainNameServers=[place.resolver],
            PrivateDNSName=meta.get("PrivateDNSName"),
            SubnetGatewayIpv4Address=meta.get("SubnetGateway"),
        )
    return [network]


def task(
    workload: Workload,
    status: WorkloadStatus,
    place: Place | None,
    version: int,
    tags: dict[str, str] | None = None,
    storage: Usage | None = None,
) -> dict[str, Any]:
    meta = workload.metadata
    specs = {c.name: c for c in workload.containers}
    parsed = arn.parse(meta.get("TaskARN", ""))
    body = _known(
        Cluster=meta.get("Cluster", ""),
        TaskARN=meta.get("TaskARN", ""),
        Family=meta.get("Family", ""),
        Revision=meta.get("Revision", ""),
        DesiredStatus=workload.want.upper(),
        KnownStatus=_TASK_STATES[status.state],
        Limits=_known(
            CPU=workload.cpu / 1024 if workload.cpu else None,
            Memory=workload.memory // 2**20 if workload.memory else None,
        ),
        PullStartedAt=when(min((c.pull_started for c in status.containers if c.pull_started), default=None)),
        PullStoppedAt=when(max((c.pull_stopped for c in status.containers if c.pull_stopped), default=None)),
        ExecutionStoppedAt=when(status.stopped),
        AvailabilityZone=meta.get("AvailabilityZone", f"{parsed.region}a" if parsed else None),
        Containers=[container(workload, specs[c.name], c, place, version) for c in status.containers],
        TaskTags=tags or None,
    )
    if version >= 4:
        body |= _known(LaunchType=meta.get("LaunchType"), VPCID=workload.network, ServiceName=meta.get("ServiceName"))
        if storage is not None:
            body["EphemeralStorageMetrics"] = {"Utilized": storage.used // 2**20, "Reserved": storage.limit // 2**20}
    return body


def stats(sample: Stats, name: str, runtime_id: str) -> dict[str, Any]:
    """One container's usage, in the shape of Docker's stats."""
    return {
        "read": when(sample.at),
        "name": name,
        "id": runtime_id,
        "num_procs": 0,
        "pids_stats": _known(current=sample.pids, limit=sample.pids_limit),
        "blkio_stats": {
            "io_service_bytes_recursive": [
                {"major": 0, "minor": 0, "op": "read", "value": sample.read_bytes},
                {"major": 0, "minor": 0, "op": "write", "value": sample.write_bytes},
            ],
        },
        "cpu_stats": {
            "cpu_usage": {
                "total_usage": sample.cpu_ns,
                "percpu_usage": list(sample.per_cpu_ns),
                "usage_in_usermode": sample.cpu_user_ns,
                "usage_in_kernelmode": sample.cpu_system_ns,
            },
            "throttling_data": {
                "throttled_periods": sample.throttled_periods,
                "throttled_time": sample.throttled_ns,
            },
        },
        "memory_stats": _known(
            usage=sample.memory,
            max_usage=sample.memory_max,
            limit=sample.memory_limit,
            stats={
                "cache": sample.memory_cache,
                "rss": sample.memory_rss,
                "inactive_file": sample.memory_inactive_file,
            },
        ),
    }
