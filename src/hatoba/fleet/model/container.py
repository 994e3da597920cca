"""What is wanted of one container of a workload. What is None or empty in a `ContainerWanted` follows the image."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from hatoba.core.secret import Secret
from hatoba.fleet.model.part import Part


def container_id(workload: str, container: str) -> str:
    """Derived from the task's id, so that starting twice finds the first; at most 76 characters."""
    name = f"{workload}-{container}"
    return name if len(name) <= 76 else f"{workload}-{hashlib.sha256(container.encode()).hexdigest()[:16]}"


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
    """Where the output goes: `driver` "awslogs" ships it to (account, region, group, stream); "none" drops it; others
    take it by their options. `router`: the container of the same workload whose socket it goes to."""

    driver: str
    region: str = ""
    group: str = ""
    stream: str = ""
    options: dict[str, str] = msgspec.field(default_factory=dict)
    secrets: dict[str, Secret] = msgspec.field(default_factory=dict)  # options that are never in clear on a disk
    router: str = ""


class RouterWanted(Part, frozen=True, kw_only=True):
    """The container takes the others' output: it finds these files, read-only and by their paths inside, and opens
    `socket` in a folder that the node sees."""

    files: dict[str, str] = msgspec.field(default_factory=dict)
    sealed: dict[str, Secret] = msgspec.field(default_factory=dict)
    socket: str = "/var/run/fluent.sock"


class FilesWanted(Part, frozen=True, kw_only=True):
    """Files in memory for the container's user alone, by their paths inside. While it runs they are replaced whenever
    `version` has grown."""

    version: int = 1
    contents: dict[str, Secret] = msgspec.field(default_factory=dict)


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


class PortWanted(Part, frozen=True, kw_only=True):
    """`count` ports from `container` on, published on the node from `host` on; 0: the node chooses."""

    container: int
    host: int = 0
    count: int = 1
    protocol: Literal["tcp", "udp"] = "tcp"


class ContainerWanted(Part, frozen=True, kw_only=True):
    """One container of a workload. What is None or empty follows the image."""

    name: str
    image: ImageWanted
    essential: bool = True
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    secrets: dict[str, Secret] = msgspec.field(
        default_factory=dict
    )  # environment variables that are never in clear outside the container
    files: FilesWanted | None = None
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
    sysctls: dict[str, str] = msgspec.field(default_factory=dict)
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    devices: tuple[DeviceWanted, ...] = ()
    privileged: bool = False
    read_only_root: bool = False
    no_new_privileges: bool = False
    init: bool = False
    terminal: bool = False
    interactive: bool = False  # its standard input stays open, though nobody writes to it
    mounts: tuple[MountWanted, ...] = ()
    extra_hosts: dict[str, str] = msgspec.field(default_factory=dict)
    dns_servers: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    depends_on: tuple[DependsOn, ...] = ()
    start_timeout: float | None = None
    stop_timeout: float = 30.0
    restart_after: float | None = None  # a process that ends after so many seconds is started again; None: never
    restart_not: tuple[int, ...] = ()  # unless it ends with one of these codes
    health: HealthCheckWanted | None = None
    log: LogWanted | None = None
    router: RouterWanted | None = None
    ports: tuple[tuple[int, str], ...] = ()  # (container port, protocol), for the metadata endpoint
    publish: tuple[PortWanted, ...] = ()  # on the node's bridge only
    links: tuple[tuple[str, str], ...] = ()  # (container, further name for it), on the node's bridge only
    offline: bool = False  # nothing but loopback, whatever the workload has
