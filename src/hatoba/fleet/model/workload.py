"""Workloads: what is wanted of a node, and the credentials that it hands to them.

`Workload` is written by the room that runs it (`container` has its parts); what the node says became of it is its
`WorkloadStatus` (`status`), under the same id.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hatoba.core.records import Record
from hatoba.core.secret import Secret
from hatoba.fleet.model.container import ContainerWanted
from hatoba.fleet.model.volume import VolumeWanted
from hatoba.store import Index, Table

NetworkMode = Literal["", "awsvpc", "bridge", "host", "none"]


class Workload(Record, frozen=True, kw_only=True):
    """A group of containers that run together. Writer: the room that runs it (`ecs`).

    `network_mode` says whose network they have: an interface of their own in a VPC ("awsvpc"), the node's ("host"), a
    namespace each on the node's bridge ("bridge") or with nothing but loopback ("none"). "" is what came before there
    were others: an interface where one is named, else the node's network.

    `want` only moves forward. The record is removed by its writer once the status says "stopped".
    """

    node: str
    want: Literal["running", "stopped"] = "running"
    network_mode: NetworkMode = ""
    network: str | None = None  # of its interface
    interface: str | None = None
    pid_mode: Literal["", "task", "host"] = ""  # whose processes its containers see; "": each its own
    ipc_mode: Literal["", "task", "host", "none"] = ""  # likewise; "none": not even shared memory of its own
    containers: tuple[ContainerWanted, ...] = ()
    volumes: tuple[str, ...] = ()  # scratch volumes that live as long as the workload
    driver_volumes: tuple[VolumeWanted, ...] = ()  # those that a driver makes, or that stay
    storage: int | None = None  # what its containers write and its own volumes hold, together; None: what there is
    cpu: int | None = None  # of all containers together
    memory: int | None = None
    hostname: str = ""
    execute: bool = False  # processes may be run in its containers from outside
    credential: str | None = None  # id in the path of AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
    region: str = ""
    metadata: dict[str, str] = msgspec.field(
        default_factory=dict
    )  # TaskARN, Cluster, Family, …: what the metadata endpoint says


class Credential(Record, frozen=True, kw_only=True):
    """Short-lived role credentials that a workload may fetch. Writer: the room that runs the workload."""

    workload: str
    node: str
    role: str
    access_key: str
    secret_key: Secret
    token: Secret
    expires: float


workloads = Table(
    "fleet.workloads",
    Workload,
    indexes=(
        Index("id", lambda w: w.key.id),
        Index("node", lambda record: record.node),
        Index("interface", lambda w: w.interface),
        Index("node_network", lambda w: (w.node, w.network) if w.network else None),
    ),
)
credentials = Table(
    "fleet.credentials",
    Credential,
    indexes=(Index("node", lambda record: record.node), Index("workload", lambda c: c.workload)),
)
