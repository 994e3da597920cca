"""What a node says of its workloads. Written by fleet from the node's reports; a status has its workload's id."""

from __future__ import annotations

from typing import Literal

from hatoba.core.records import Record
from hatoba.fleet.model.part import Part
from hatoba.store import Index, Table

ContainerState = Literal["pending", "pulling", "pulled", "created", "running", "stopped"]
HealthState = Literal["unknown", "healthy", "unhealthy"]


class PortBinding(Part, frozen=True, kw_only=True):
    """`count` ports of the node, from `host` on, that lead to those of a container, from `container` on."""

    container: int
    host: int
    count: int = 1
    protocol: Literal["tcp", "udp"] = "tcp"


class ContainerStatus(Part, frozen=True, kw_only=True):
    name: str
    state: ContainerState = "pending"
    runtime_id: str = ""
    image_digest: str = ""
    pull_started: float | None = None
    pull_stopped: float | None = None
    created: float | None = None
    started: float | None = None
    finished: float | None = None
    exit_code: int | None = None
    oom: bool = False
    error: str = ""  # a code of the runtime's or the agent's, "" when nothing failed
    detail: str = ""  # what it said
    health: HealthState = "unknown"
    health_since: float | None = None
    restarts: int = 0
    last_exit: int | None = None  # the code that the process before the present one ended with
    signalled: float | None = None  # when it was asked to stop
    address: str = ""  # on the node's bridge, "" elsewhere
    bindings: tuple[PortBinding, ...] = ()


class WorkloadStatus(Record, frozen=True, kw_only=True):
    """What the node says of a workload; same id. Writer: fleet.

    `report` counts the node's reports, so that an old one is known. "lost": the node's lease ran out.
    """

    node: str
    state: Literal["pending", "starting", "running", "stopping", "stopped", "lost"] = "pending"
    containers: tuple[ContainerStatus, ...] = ()
    connected: float | None = None  # when its interface was ready
    stopped: float | None = None
    error: str = ""  # of the workload as a whole: its network could not be made …
    detail: str = ""
    report: int = 0


workload_statuses = Table(
    "fleet.workload_statuses", WorkloadStatus, indexes=(Index("node", lambda record: record.node),)
)
