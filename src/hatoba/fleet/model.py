"""The node-facing tables. Each has one writer, named in its docstring; observed tables are written by fleet only.

Sizes are bytes, CPU is in units (1024 = one core), times are wall time in seconds. Ids are the ids of the rooms'
resources, so an interface here and the network interface of the `ec2` room are found under the same id.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.core.secret import Secret
from hatoba.store import Index, Table


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value inside a record or a message."""


FLEET = Scope("", "", "")  # nodes belong to the platform, not to an account

# --- nodes ---------------------------------------------------------------------------------------------------------


class Node(Record, frozen=True, kw_only=True):
    """A machine that runs workloads. Writer: fleet, from what the node says of itself."""

    name: str
    number: int  # among all nodes: which part of the address pool is its own
    address: str  # of the node for other nodes ("" when it is the only one)
    cpu: int
    memory: int
    architecture: str = "x86_64"
    attributes: dict[str, str] = msgspec.field(default_factory=dict)
    agent: str = ""  # version
    state: Literal["ready", "lost"] = "ready"  # lost: its lease ran out
    schedulable: bool = True  # the operator
    joined_at: float = 0.0
    seen_at: float = 0.0  # when it last connected


nodes = Table("fleet.nodes", Node)

# --- networks ------------------------------------------------------------------------------------------------------


class Network(Record, frozen=True, kw_only=True):
    """A VPC. Writer: the `ec2` room."""

    cidrs: tuple[str, ...]
    vni: int
    resolver: str  # base + 2


class Interface(Record, frozen=True, kw_only=True):
    """A network interface. Writer: the `ec2` room, which also allocates addresses."""

    network: str
    subnet: str
    address: str
    mac: str
    gateway: str
    prefix: str  # the subnet's block
    groups: tuple[str, ...] = ()
    public: str | None = None  # of the instance's pool
    egress: bool = False  # its subnet's routes lead outside


class Rule(Part, frozen=True, kw_only=True):
    """Allows traffic with networks or members of groups. Ports as in the network engine; None is all."""

    protocol: str = "any"
    from_port: int | None = None
    to_port: int | None = None
    cidrs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class PolicySet(Record, frozen=True, kw_only=True):
    """A security group's rules. Writer: the `ec2` room."""

    network: str
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()


networks = Table("fleet.networks", Network)
interfaces = Table(
    "fleet.interfaces",
    Interface,
    indexes=(
        Index("network", lambda i: (i.key.partition, i.key.account, i.key.region, i.network)),
        Index("subnet", lambda i: i.subnet),
        Index("public", lambda i: i.public),
        Index("has_public", lambda i: True if i.public else None),
        Index("group", lambda i: i.groups, many=True),
        Index("address", lambda i: (i.key.partition, i.key.account, i.key.region, i.network, i.address)),
    ),
)
policy_sets = Table(
    "fleet.policy_sets",
    PolicySet,
    indexes=(Index("network", lambda p: (p.key.partition, p.key.account, p.key.region, p.network)),),
)

# --- workloads -----------------------------------------------------------------------------------------------------


class ImageWanted(Part, frozen=True, kw_only=True):
    """Where an image comes from. `host` "" is the platform's own registry, wherever the node reaches it."""

    name: str  # as the user wrote it
    host: str = ""
    repository: str
    reference: str  # tag or digest
    scheme: Literal["https", "http"] = "https"
    username: str = ""
    password: Secret | None = None


class MountWanted(Part, frozen=True, kw_only=True):
    """Either a volume of the workload by name, a path of the host, or a tmpfs."""

    target: str
    volume: str = ""
    source: str = ""
    tmpfs: bool = False
    size: int | None = None
    read_only: bool = False
    options: tuple[str, ...] = ()


class HealthCheckWanted(Part, frozen=True, kw_only=True):
    command: tuple[str, ...]  # ("CMD", …) or ("CMD-SHELL", "…")
    interval: float = 30.0
    timeout: float = 5.0
    retries: int = 3
    start_period: float = 0.0


class LogWanted(Part, frozen=True, kw_only=True):
    """Where the output goes: `driver` "awslogs" ships it to (account, region, group, stream); "none" drops it."""

    driver: str
    region: str = ""
    group: str = ""
    stream: str = ""
    options: dict[str, str] = {}


class DependsOn(Part, frozen=True, kw_only=True):
    container: str
    condition: Literal["START", "COMPLETE", "SUCCESS", "HEALTHY"]


class Limit(Part, frozen=True, kw_only=True):
    name: str
    soft: int
    hard: int


class DeviceWanted(Part, frozen=True, kw_only=True):
    host_path: str
    container_path: str = ""
    permissions: str = "rwm"


class ContainerWanted(Part, frozen=True, kw_only=True):
    """One container of a workload. What is None or empty follows the image."""

    name: str
    image: ImageWanted
    essential: bool = True
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: dict[str, str] = {}
    secrets: dict[str, Secret] = {}  # environment variables that are never in clear outside the container
    cwd: str = ""
    user: str = ""
    hostname: str = ""
    cpu: int = 0  # units
    memory: int | None = None
    memory_reservation: int | None = None
    swap: int | None = None
    swappiness: int | None = None
    pids: int | None = None
    shm_size: int | None = None
    ulimits: tuple[Limit, ...] = ()
    sysctls: dict[str, str] = {}
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    devices: tuple[DeviceWanted, ...] = ()
    privileged: bool = False
    read_only_root: bool = False
    no_new_privileges: bool = False
    init: bool = False
    terminal: bool = False
    mounts: tuple[MountWanted, ...] = ()
    extra_hosts: dict[str, str] = {}
    dns_servers: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    depends_on: tuple[DependsOn, ...] = ()
    start_timeout: float | None = None
    stop_timeout: float = 30.0
    restart_after: float | None = None  # a process that ends after so many seconds is started again; None: never
    restart_not: tuple[int, ...] = ()  # unless it ends with one of these codes
    health: HealthCheckWanted | None = None
    log: LogWanted | None = None
    ports: tuple[tuple[int, str], ...] = ()  # (container port, protocol), for the metadata endpoint


class Workload(Record, frozen=True, kw_only=True):
    """A group of containers that share a network namespace. Writer: the room that runs it (`ecs`).

    `want` only moves forward. The record is removed by its writer once the status says "stopped".
    """

    node: str
    want: Literal["running", "stopped"] = "running"
    network: str | None = None  # None: the host's network
    interface: str | None = None
    containers: tuple[ContainerWanted, ...] = ()
    volumes: tuple[str, ...] = ()  # scratch volumes that live as long as the workload
    cpu: int | None = None  # of all containers together
    memory: int | None = None
    hostname: str = ""
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


ContainerState = Literal["pending", "pulling", "pulled", "created", "running", "stopped"]
HealthState = Literal["unknown", "healthy", "unhealthy"]


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
workload_statuses = Table(
    "fleet.workload_statuses", WorkloadStatus, indexes=(Index("node", lambda record: record.node),)
)

# --- balancers -----------------------------------------------------------------------------------------------------


class Balancer(Record, frozen=True, kw_only=True):
    """A load balancer on a node. Writer: the `elbv2` room.

    `spec` is the proxy engine's `Wanted` (one balancer and its groups) as MessagePack: fleet carries it unread.
    """

    node: str
    network: str
    interfaces: tuple[str, ...]
    groups: tuple[str, ...] = ()  # the target groups in `spec`: whose targets' health the node may report
    spec: bytes = b""


class BalancerStatus(Record, frozen=True, kw_only=True):
    """What the node says of a balancer; same id, in the scope `FLEET`. Writer: fleet.

    `applied` is the version of `Balancer` in force. `report` counts the node's reports, as for workloads.
    """

    node: str
    applied: int = 0
    error: str = ""
    report: int = 0


class TargetStatus(Record, frozen=True, kw_only=True):
    """A target's health, in the scope `FLEET`; the id is `target_id(group, target)`. Writer: fleet.

    Who wanted the target (`elbv2`) forgets it with the target.
    """

    group: str
    target: str
    state: str
    reason: str = ""
    text: str = ""
    at: float = 0.0
    node: str = ""
    report: int = 0


def target_id(group: str, target: str) -> str:
    return f"{group}|{target}"


balancers = Table(
    "fleet.balancers",
    Balancer,
    indexes=(
        Index("id", lambda b: b.key.id),
        Index("node", lambda b: b.node),
        Index("interface", lambda b: b.interfaces, many=True),
        Index("group", lambda b: b.groups, many=True),
        Index("node_network", lambda b: (b.node, b.network)),
    ),
)
balancer_statuses = Table("fleet.balancer_statuses", BalancerStatus)
target_statuses = Table("fleet.target_statuses", TargetStatus, indexes=(Index("group", lambda t: t.group),))

# --- names ---------------------------------------------------------------------------------------------------------


class Zone(Record, frozen=True, kw_only=True):
    """Names that the resolvers of some networks answer; network "" is everybody. Writers: `elbv2` and DNS rooms.

    The id is the name, lower case, without a trailing dot.
    """

    network: str = ""
    addresses: tuple[str, ...] = ()
    ttl: int = 60


zones = Table("fleet.zones", Zone, indexes=(Index("network", lambda z: z.network),))


class Enrolment(Record, frozen=True, kw_only=True):
    """A join token that has not been used up: the id is its public half. Writer: fleet."""

    digest: bytes
    expires: float


enrolments = Table("fleet.enrolments", Enrolment)

TABLES: tuple[Table[Any], ...] = (
    nodes,
    networks,
    interfaces,
    policy_sets,
    workloads,
    credentials,
    workload_statuses,
    balancers,
    balancer_statuses,
    target_statuses,
    zones,
    enrolments,
)
