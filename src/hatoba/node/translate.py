"""What is wanted of a container → what the runtime is told. Pure; golden-tested.

The environment that tasks rely on (credentials, metadata, region) is added here; the image's defaults are merged as
`docker run` does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from hatoba.fleet.model import ContainerWanted, ImageWanted, MountWanted, VolumeWanted, Workload, container_id
from hatoba.node import metadata_file
from hatoba.node.router import ROUTER_PORT, router_mounts
from hatoba.runtime import merge
from hatoba.runtime.base import (
    ContainerSpec,
    Credentials,
    Device,
    ImageConfig,
    ImageSource,
    Mount,
    Resources,
    Shared,
    Stdio,
    Ulimit,
    Volume,
)

PERIOD = 100_000  # microseconds: the period of CPU quotas
METADATA = "169.254.170.2"
SHM_SIZE = 64 << 20  # of /dev/shm, where nobody says otherwise
SHARED_MEMORY = "dev.shm"  # no volume of a user's has such a name
FARGATE_FILES = Ulimit(name="nofile", soft=65535, hard=65535)  # as Fargate documents its default


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """What containers on the host's network have in common with it."""

    name: str
    hosts: str  # its /etc/hosts
    resolv: str  # its /etc/resolv.conf


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """A container's place on the node's bridge."""

    netns: str
    address: str


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where this node put what a container needs."""

    netns: str  # of all containers; those that have a seat are there
    address: str  # of its interface; "" on the host's network, and where it has IPv6 only
    files: Path  # the workload's folder: hosts, resolv.conf
    registry: str  # "host:port" of the platform's own registry
    endpoint: str = ""  # URL under which SDKs reach the platform; "": they are not told
    servers: tuple[str, ...] = ()  # whom it asks for names
    domain: str = ""  # where it looks for short ones
    mac: str = ""
    gateway: str = ""
    prefix: str = ""  # the block of its interface's subnet
    address6: str = ""
    prefix6: str = ""
    local: str = ""  # without an IPv4 address: what its node's services know it by
    told_by_file: bool = False  # containers on instances find a file about themselves
    seats: Mapping[str, Seat] = msgspec.field(default_factory=dict)  # by container
    host: Host | None = None  # on the host's network

    def netns_of(self, container: ContainerWanted) -> str:
        if container.offline:
            return ""
        seat = self.seats.get(container.name)
        return seat.netns if seat is not None else self.netns

    def addresses_of(self, container: str) -> tuple[str, ...]:
        """None where it is the host's, or none."""
        if container in self.seats:
            return (self.seats[container].address,)
        return tuple(address for address in (self.address, self.address6) if address)


def image_source(image: ImageWanted, registry: str) -> ImageSource:
    """Where to pull from: our own registry is plain HTTP, wherever the node reaches it."""
    credentials = Credentials(username=image.username, password=image.password) if image.password else None
    return ImageSource(
        name=image.name,
        host=image.host or registry,
        repository=image.repository,
        reference=image.reference,
        scheme=image.scheme if image.host else "http",
        credentials=credentials,
    )


def task_resources(workload: Workload) -> Resources:
    """The limits of all containers together: what a task's `cpu` and `memory` say."""
    return Resources(
        cpu_shares=max(2, workload.cpu) if workload.cpu else None,
        cpu_quota=workload.cpu * PERIOD // 1024 if workload.cpu else None,
        cpu_period=PERIOD,
        memory=workload.memory,
    )


def has_file(workload: Workload, place: Place) -> bool:
    return place.told_by_file and workload.metadata.get("LaunchType") != "FARGATE"


def environment(workload: Workload, container: ContainerWanted, place: Place) -> dict[str, str]:
    """What the user wrote, then what every task finds: names that the user set are left alone."""
    given = {
        "ECS_CONTAINER_METADATA_URI": f"http://{METADATA}/v3/{endpoint_id(workload.id, container.name)}",
        "ECS_CONTAINER_METADATA_URI_V4": f"http://{METADATA}/v4/{endpoint_id(workload.id, container.name)}",
        "ECS_AGENT_URI": f"http://{METADATA}/api/{endpoint_id(workload.id, container.name)}",
        "AWS_REGION": workload.region,
        "AWS_DEFAULT_REGION": workload.region,
    }
    if place.endpoint:
        given["AWS_ENDPOINT_URL"] = place.endpoint
    if has_file(workload, place):
        given["ECS_CONTAINER_METADATA_FILE"] = metadata_file.path(workload.id, container.name)
    if workload.credential:
        given["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = f"/v2/credentials/{workload.credential}"
    if launch_type := workload.metadata.get("LaunchType"):
        given["AWS_EXECUTION_ENV"] = f"AWS_ECS_{launch_type}"
    return given | container.environment


def _router(workload: Workload, container: ContainerWanted, place: Place) -> dict[str, str]:
    """Where a container whose logs are routed can speak to the router itself."""
    if container.log is None or not container.log.router:
        return {}
    seat = place.seats.get(container.log.router)
    host = seat.address if seat is not None else "127.0.0.1" if workload.interface else ""
    return {"FLUENT_HOST": host, "FLUENT_PORT": ROUTER_PORT} if host else {}


def endpoint_id(workload: str, container: str) -> str:
    """The name of a container at the metadata endpoint: `<task id>-<ten digits>`, as ECS agents make them."""
    digits = int.from_bytes(hashlib.sha256(container.encode()).digest()[:8], "big") % 10**10
    return f"{workload}-{digits:010d}"


def volumes(workload: Workload, container: ContainerWanted, image: ImageConfig) -> tuple[VolumeWanted, ...]:
    """Those that a container mounts; a plain one is a folder that goes with the workload."""
    known = {volume.name: volume for volume in workload.driver_volumes}
    mounts = (*container.mounts, *_image_volumes(container, image))
    names = dict.fromkeys(mount.volume for mount in mounts if mount.volume)
    found = tuple(known.get(name) or VolumeWanted(name=name) for name in names)
    return (*found, _shared_memory(workload)) if workload.ipc_mode == "task" else found


def _shared_memory(workload: Workload) -> VolumeWanted:
    """As large as the container with the largest wants it."""
    size = max(container.shm_size or SHM_SIZE for container in workload.containers)
    return VolumeWanted(name=SHARED_MEMORY, filesystem="tmpfs", device="tmpfs", options=f"mode=1777,size={size}")


def _image_volumes(container: ContainerWanted, image: ImageConfig) -> tuple[MountWanted, ...]:
    """What an image calls a volume can be written to, also where its root cannot."""
    taken = {mount.target.rstrip("/") for mount in container.mounts}
    paths = image.volumes if container.read_only_root else ()
    named = {path: hashlib.sha256(f"{container.name}:{path}".encode()).hexdigest()[:16] for path in paths}
    return tuple(
        MountWanted(target=path, volume=f"image-{name}")
        for path, name in named.items()
        if path.rstrip("/") not in taken
    )


def volume(wanted: VolumeWanted, workload: str) -> Volume:
    return Volume(
        name=wanted.name,
        group="" if wanted.shared else workload,
        filesystem=wanted.filesystem,
        device=wanted.device,
        options=wanted.options,
        labels=wanted.labels,
    )


def _mount(wanted: MountWanted) -> Mount:
    if wanted.tmpfs:
        return Mount(target=wanted.target, kind="tmpfs", size=wanted.size, options=wanted.options)
    kind: Literal["bind", "volume"] = "volume" if wanted.volume else "bind"
    source = wanted.volume or wanted.source
    return Mount(target=wanted.target, kind=kind, source=source, read_only=wanted.read_only, options=wanted.options)


def _mounts(workload: Workload, container: ContainerWanted, image: ImageConfig, place: Place) -> tuple[Mount, ...]:
    """What everything has, unless something of its own is to be there; then that."""
    files = place.files
    own = [
        Mount(target=f"/etc/{name}", source=str(files / container.name / name))
        for name in ("hosts", "resolv.conf", "hostname")
    ]
    if has_file(workload, place):
        own.append(metadata_file.mount(workload.id, container.name, files))
    if workload.ipc_mode == "task":
        own.append(Mount(target="/dev/shm", kind="volume", source=SHARED_MEMORY, options=("nosuid", "nodev", "noexec")))
    mounts = tuple(_mount(mount) for mount in (*container.mounts, *_image_volumes(container, image)))
    if container.router is not None:
        mounts += router_mounts(container.router, files)
    taken = {mount.target for mount in mounts}
    return tuple(mount for mount in own if mount.target not in taken) + mounts


def _limits(container: ContainerWanted) -> Resources:
    return Resources(
        cpu_shares=max(2, container.cpu) if container.cpu else None,
        memory=container.memory,
        memory_reservation=container.memory_reservation,
        memory_swap=container.memory + container.swap if container.memory and container.swap is not None else None,
        swappiness=container.swappiness,
        pids=container.pids,
    )


def _ulimits(workload: Workload, container: ContainerWanted) -> tuple[Ulimit, ...]:
    given = [FARGATE_FILES] if workload.metadata.get("LaunchType") == "FARGATE" else []
    given += [Ulimit(name=u.name, soft=u.soft, hard=u.hard) for u in container.ulimits]
    return tuple({limit.name: limit for limit in given}.values())


def hostname_of(workload: Workload, container: ContainerWanted, place: Place) -> str:
    if container.hostname or workload.hostname:
        return container.hostname or workload.hostname
    return place.host.name if place.host is not None else container_id(workload.id, container.name)[:12]


def _space(mode: str, shared: str) -> str:
    """As `ContainerSpec` names it: the workload's, the host's, or (of each) its own."""
    return {"host": "host", "task": shared}.get(mode, "")


def stdin(container: ContainerWanted, place: Place) -> Path:
    """A FIFO that nobody writes to."""
    return place.files / container.name / "stdin"


def container_spec(
    workload: Workload,
    container: ContainerWanted,
    image: ImageConfig,
    digest: str,
    place: Place,
    stdio: Stdio,
    shared: Shared | None = None,
) -> ContainerSpec:
    """`shared` are the namespaces of the workload, where its modes ask for them."""
    hostname = hostname_of(workload, container, place)
    return ContainerSpec(
        id=container_id(workload.id, container.name),
        image=digest,
        args=merge.args(image, container.entrypoint, container.command),
        env=merge.env(
            image,
            _router(workload, container, place) | environment(workload, container, place),
            hostname=hostname,
        ),
        secrets=container.secrets,
        files=container.files.contents if container.files is not None else {},
        cwd=container.cwd or image.cwd,
        user=container.user or image.user,
        labels={**container.labels, "hatoba.workload": workload.id, "hatoba.container": container.name},
        group=workload.id,
        netns=place.netns_of(container),
        pidns=_space(workload.pid_mode, shared.pidns if shared else ""),
        ipcns=_space(workload.ipc_mode, shared.ipcns if shared else ""),
        hostname=hostname,
        mounts=_mounts(workload, container, image, place),
        shm_size=0 if workload.ipc_mode == "none" else container.shm_size or SHM_SIZE,
        stdio=msgspec.structs.replace(stdio, stdin=str(stdin(container, place))) if container.interactive else stdio,
        resources=_limits(container),
        ulimits=_ulimits(workload, container),
        sysctls=container.sysctls,
        devices=tuple(
            Device(host_path=d.host_path, container_path=d.container_path, permissions=d.permissions)
            for d in container.devices
        ),
        cap_add=container.cap_add,
        cap_drop=container.cap_drop,
        privileged=container.privileged,
        no_new_privileges=container.no_new_privileges,
        read_only_root=container.read_only_root,
        init=container.init,
    )
