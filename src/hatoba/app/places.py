"""Where an instance keeps its files.

DIR/                  kept: everything that must survive
  instance            the instance's short name; devices, cgroups and namespaces are named after it
  credentials         the root access key (mode 600)
  control/            journal, master key, authority, log
  registry/ logs/     blobs and log streams
  objects/            what S3's buckets hold, encrypted
  node/               the local node's own
/run/hatoba/<name>/   sockets, pid files, namespaces: short paths, gone with the machine's uptime
"""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec

from hatoba.core.errors import Refused
from hatoba.core.files import write_file

RUN = Path("/run/hatoba")


class Places(msgspec.Struct, frozen=True, kw_only=True):
    data: Path
    instance: str

    @property
    def run(self) -> Path:
        return RUN / self.instance

    @property
    def control(self) -> Path:
        return self.data / "control"

    @property
    def registry(self) -> Path:
        return self.data / "registry"

    @property
    def objects(self) -> Path:
        return self.data / "objects"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def node(self) -> Path:
        return self.data / "node"

    @property
    def credentials(self) -> Path:
        return self.data / "credentials"

    @property
    def local_token(self) -> Path:
        """The join token of the node on the control plane's own machine."""
        return self.run / "join"

    @property
    def admin_socket(self) -> Path:
        return self.run / "admin.sock"

    @property
    def entrances(self) -> Path:
        """Where the node hands over the listeners of VPC endpoints."""
        return self.run / "entrances.sock"

    def pid_file(self, process: str) -> Path:
        return self.run / f"{process}.pid"

    def log_file(self, process: str) -> Path:
        return self.data / f"{process}.log"


def find(data: Path) -> Places | None:
    """The places of an instance that has been started before."""
    try:
        return Places(data=data, instance=(data / "instance").read_text().strip())
    except FileNotFoundError:
        return None


def ensure(data: Path) -> Places:
    """The places of an instance, made when they are not there. Raises `Refused`."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o711)
        file = data / "instance"
        if not file.exists():
            write_file(file, f"{secrets.token_hex(3)}\n".encode())
        places = find(data)
        assert places is not None
        places.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (places.control, places.registry, places.logs, places.node):
            folder.mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise Refused(f"The data directory {data} cannot be used: {error.strerror}.") from None
    return places
