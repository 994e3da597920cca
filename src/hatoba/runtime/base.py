"""The port between a node agent and whatever runs its containers.

Two implementations keep the same promises (tests/contract/runtime): `containerd` and `simulated`. Ids are given by the
caller, so that doing a thing twice finds the first: `create` of a known id answers as if it had just been made,
`delete` of an unknown one is done already. Sizes are bytes, times are seconds (wall time where not said otherwise).

What goes wrong is one of `failures`; nothing else leaves an implementation.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from hatoba.core.secret import Secret

# --- images ------------------------------------------------------------------------------------------------------


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    os: str = "linux"
    architecture: str = "amd64"
    variant: str = ""


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What a registry asks for: basic, or exchanged for a bearer token when the registry says so."""

    username: str
    password: Secret


class ImageSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where an image is fetched from, all names resolved by the caller."""

    name: str  # what the user wrote; the image is listed under it
    host: str  # "localhost:4566"
    repository: str  # "library/web"
    reference: str  # a tag, or a digest "sha256:…"
    scheme: Literal["https", "http"] = "https"
    credentials: Credentials | None = None
    ca_file: str = ""  # trusted beside the system's authorities


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True):
    """An image's defaults for the containers made from it."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[str, ...] = ()  # "NAME=value"
    user: str = ""
    cwd: str = ""
    stop_signal: str = ""  # "SIGTERM", or "" for the default
    exposed_ports: tuple[str, ...] = ()  # "80/tcp"
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image that is unpacked and ready. Its digest is what the reference resolved to (an index or a manifest)."""

    digest: str
    names: tuple[str, ...]
    config: ImageConfig
    platform: Platform
    size: int  # of the compressed layers and the config
    pulled_at: float


# --- containers --------------------------------------------------------------------------------------------------


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    target: str
    kind: Literal["bind", "volume", "tmpfs"] = "bind"
    source: str = ""  # bind: a path of the host that exists; volume: its name, of the container's group or of nobody
    read_only: bool = False
    size: int | None = None  # tmpfs
    options: tuple[str, ...] = ()  # more of mount(8)'s: "noexec", "mode=1770", "rshared"


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one container or of a group of them. None: not limited here."""

    cpu_shares: int | None = None  # 1024 is one share; the weight of cgroup v2 derives from it
    cpu_quota: int | None = None  # microseconds per period
    cpu_period: int = 100_000
    cpuset: str = ""  # "0-1,3"
    memory: int | None = None  # hard
    memory_reservation: int | None = None  # soft
    memory_swap: int | None = None  # memory and swap together; -1: as much swap as there is; None: no swap
    swappiness: int | None = None  # cgroup v1 only
    pids: int | None = None


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that containers share. Into an empty one goes what an image has at the place where it is mounted."""

    name: str  # [A-Za-z0-9_.-]
    group: str = ""  # whose containers see it, and with which it goes; "": everybody's, and it stays
    filesystem: str = ""  # as mount(8) takes it, with the device and the options; "": a folder of the disk
    device: str = ""
    options: str = ""
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """Namespaces that a group's containers share: paths for `ContainerSpec.pidns` and `ipcns`."""

    pidns: str
    ipcns: str


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Of a group's storage, in bytes."""

    used: int
    limit: int


class Ulimit(msgspec.Struct, frozen=True, kw_only=True):
    name: str  # "nofile"
    soft: int  # -1: unlimited
    hard: int


class Device(msgspec.Struct, frozen=True, kw_only=True):
    host_path: str
    container_path: str = ""  # "": the same
    permissions: str = "rwm"


class Stdio(msgspec.Struct, frozen=True, kw_only=True):
    """Paths of FIFOs that the caller made and reads; "" means /dev/null. With a terminal all output is on stdout."""

    stdin: str = ""
    stdout: str = ""
    stderr: str = ""
    terminal: bool = False


class ContainerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A container, with image defaults and the user's wishes already merged (`runtime.merge` does it)."""

    id: str  # [A-Za-z0-9_.-], at most 76 characters
    image: str  # digest of an image that was pulled; "": nothing but what pauses (for `share`)
    args: tuple[str, ...]
    env: tuple[str, ...] = ()  # "NAME=value"
    secrets: Mapping[str, Secret] = msgspec.field(default_factory=dict)  # more of it, never in clear on a disk
    files: Mapping[str, Secret] = msgspec.field(default_factory=dict)  # its user's, in memory only (`placed`)
    cwd: str = ""  # "": the root
    user: str = ""  # "name", "uid", "name:group", "uid:gid"; "": root
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    group: str = ""  # the cgroup it belongs to, as given to `set_group`; "": directly below the instance's

    netns: str = ""  # path of a network namespace; "": one of its own, with nothing but loopback; "host"
    pidns: str = ""  # likewise
    ipcns: str = ""
    hostname: str = ""
    mounts: tuple[Mount, ...] = ()
    shm_size: int = 64 << 20  # of /dev/shm; 0: there is none
    stdio: Stdio = Stdio()

    resources: Resources = Resources()
    ulimits: tuple[Ulimit, ...] = ()
    sysctls: Mapping[str, str] = msgspec.field(default_factory=dict)
    devices: tuple[Device, ...] = ()

    cap_add: tuple[str, ...] = ()  # "NET_ADMIN", or "ALL"
    cap_drop: tuple[str, ...] = ()
    privileged: bool = False
    no_new_privileges: bool = False
    seccomp: Literal["default", "unconfined"] = "default"
    read_only_root: bool = False
    init: bool = False  # a small init process reaps zombies and passes signals on


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    code: int  # 128 + n when signal n ended it
    at: float
    oom: bool = False  # the kernel killed one of its processes for want of memory


State = Literal["created", "running", "stopped"]


class Container(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    image: str
    labels: Mapping[str, str]
    state: State
    pid: int = 0
    exit: Exit | None = None  # when stopped


class Exited(msgspec.Struct, frozen=True, kw_only=True, tag="exited"):
    """A container's main process ended."""

    id: str
    exit: Exit


class OutOfMemory(msgspec.Struct, frozen=True, kw_only=True, tag="oom"):
    """The kernel killed a process of the container; the container itself may live on."""

    id: str
    at: float


Event = Exited | OutOfMemory


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Counters since the container started, and levels now."""

    at: float
    cpu_ns: int
    cpu_user_ns: int
    cpu_system_ns: int
    per_cpu_ns: tuple[int, ...]  # empty where the kernel does not tell (cgroup v2)
    throttled_periods: int
    throttled_ns: int
    periods: int = 0  # of the CPU quota, throttled or not
    memory: int  # used, page cache included
    memory_cache: int
    memory_rss: int
    memory_inactive_file: int  # memory less this is what cannot be taken back
    memory_max: int
    memory_limit: int | None
    oom_kills: int
    pids: int
    pids_limit: int | None
    read_bytes: int
    write_bytes: int
    read_ops: int
    write_ops: int


class ExecSpec(msgspec.Struct, frozen=True, kw_only=True):
    id: str  # unique within the container
    args: tuple[str, ...]
    env: tuple[str, ...] = ()  # beside the container's own
    cwd: str = ""  # "": the container's
    user: str = ""  # "": the container's
    terminal: bool = False
    attach: bool = False  # stdin and output are wanted; else /dev/null
    columns: int = 80
    rows: int = 24


class Process(Protocol):
    """A process started by `exec`. Close it when done; that also kills it if it still runs."""

    async def wait(self) -> Exit: ...

    def output(self) -> AsyncIterator[tuple[Literal["stdout", "stderr"], bytes]]:
        """What it writes, until it ends. Not read, it is slowed down. Only when attached."""
        ...

    async def write(self, data: bytes) -> None: ...

    async def close_stdin(self) -> None: ...

    async def resize(self, columns: int, rows: int) -> None: ...

    async def signal(self, number: int) -> None: ...

    async def close(self) -> None: ...


class Runtime(Protocol):
    """Images and containers of one instance on this machine."""

    async def pull(self, source: ImageSource, platform: Platform) -> Image:
        """Resolve the reference, fetch what is missing and unpack it. Pulls of one image at a time share the work.

        A reference is resolved at the registry each time; layers that are here already are not fetched again.
        """
        ...

    async def images(self) -> list[Image]: ...

    async def remove_image(self, digest: str) -> None:
        """Forget it; layers in use by containers stay as long as they do."""
        ...

    async def create(self, spec: ContainerSpec) -> Container:
        """Make the root file system and write the container down; nothing runs yet."""
        ...

    async def start(self, id: str) -> int:
        """Start the main process; its pid. One that runs already is left alone; one that has ended starts anew."""
        ...

    async def signal(self, id: str, number: int) -> None:
        """To the main process. Nothing happens when it has ended."""
        ...

    async def stop(self, id: str, signal: int, timeout: float) -> Exit | None:
        """Signal, wait, and kill everything in it after `timeout` seconds. None when it never ran."""
        ...

    async def delete(self, id: str) -> None:
        """Kill whatever runs in it, and leave nothing of it behind."""
        ...

    async def refresh(self, id: str, files: Mapping[str, Secret]) -> None:
        """Put new contents into the files that its spec has given it, each as a whole, running or not."""
        ...

    async def exec(self, id: str, spec: ExecSpec) -> Process: ...

    async def wait(self, id: str) -> Exit: ...

    async def containers(self) -> list[Container]:
        """Every container of this instance, also those made before a restart."""
        ...

    def events(self) -> AsyncIterator[Event]:
        """What happens from the call on; an exit is told at least once, also across a restart of containerd.

        Start listening, then ask for `containers`: nothing is missed in between.
        """
        ...

    async def stats(self, ids: Sequence[str]) -> dict[str, Stats]:
        """Of those that run; the others are left out."""
        ...

    async def set_group(self, group: str, resources: Resources, storage: int | None = None) -> None:
        """Make a group of containers with limits of its own, or change them.

        `storage` is what its containers write and its volumes hold, together; it is set once, before any of them.
        """
        ...

    async def remove_group(self, group: str) -> None:
        """With its volumes and shared namespaces, once its containers are deleted."""
        ...

    async def share(self, group: str) -> Shared:
        """Namespaces for containers of the group, the same each time. A process of our own holds them: pid 1 of its
        processes, which reaps and does nothing else. It is no container to anybody else; should it end, so do all
        that share its processes, and the next call makes new ones."""
        ...

    async def processes(self, group: str) -> frozenset[int]:
        """The pids, as the host counts them, of everything that runs in the group."""
        ...

    async def make_volume(self, volume: Volume) -> None:
        """One that is there is left as it is. Raises `VOLUME` when it cannot be made."""
        ...

    async def volumes(self) -> list[Volume]:
        """Those that stay."""
        ...

    async def storage(self, group: str) -> Usage | None:
        """None when the group's storage has no limit."""
        ...

    async def close(self) -> None:
        """Let go. Containers run on."""
        ...
