"""Paths and names of one instance's containerd."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

NAMESPACE = "hatoba"  # containerd's own notion; the whole daemon is ours, so one will do

_SHIM_SOCKETS = Path("/run/containerd/s")
_SOCKET_LIMIT = 107  # bytes in sockaddr_un


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """`data` is kept (images, container records); `run` is short-lived and short (sockets have a length limit)."""

    data: Path  # DATA/containerd
    run: Path  # /run/hatoba/<instance>/containerd
    cgroup_parent: str  # "/hatoba-<instance>": no other instance's, nobody else's
    containerd: str = "containerd"
    crun: str = "crun"
    init: Path = Path("/usr/bin/tini-static")
    pause: Path = Path("/usr/bin/catatonit")  # a static binary
    snapshotter: str = "overlayfs"

    def __post_init__(self) -> None:
        longest = len(str(self.socket)) + len(".ttrpc")
        if longest > _SOCKET_LIMIT:
            raise ValueError(f"{self.socket} is too long for a socket: choose a shorter run directory")

    @property
    def socket(self) -> Path:
        return self.run / "containerd.sock"

    @property
    def state(self) -> Path:
        return self.run / "state"

    def shim_socket(self, id: str) -> Path:
        """Where a container's shim listens: in a directory that containerd shares between all instances."""
        name = hashlib.sha256(f"{self.socket}/{NAMESPACE}/{id}".encode()).hexdigest()
        return _SHIM_SOCKETS / name

    @property
    def home(self) -> str:
        """The cgroup of containerd itself and of all shims."""
        return f"{self.cgroup_parent}/containerd"

    @property
    def bare(self) -> Path:
        """The root of containers that have no image."""
        return self.run / "bare"

    @property
    def bundles(self) -> Path:
        return self.state / "io.containerd.runtime.v2.task" / NAMESPACE

    @property
    def crun_state(self) -> Path:
        """Where crun keeps what it knows of each container."""
        return self.run / "crun" / NAMESPACE

    @property
    def config(self) -> Path:
        return self.data / "config.toml"

    @property
    def log(self) -> Path:
        return self.data / "containerd.log"

    @property
    def pid_file(self) -> Path:
        return self.run / "containerd.pid"
