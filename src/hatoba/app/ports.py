"""Is a port free, and if it is not: who has it? Asked before anything starts, so the answer is one sentence."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from hatoba.core.errors import Refused

_LISTENING = "0A"


def refuse_taken(host: str, port: int) -> None:
    """Raises `Refused`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Refused(
                f"Port {port} of {host} is taken by {holder(port)}: choose another one with --port."
            ) from None
        raise Refused(f"Port {port} of {host} cannot be used: {error.strerror}.") from None


def holder(port: int) -> str:
    """The process that listens on a port of this machine, in words."""
    wanted = {f"socket:[{inode}]" for inode in _listening(port)}
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and wanted & _open_files(process):
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            return f"pid {process.name} ({words[:80]})"
    return "another process"


def _listening(port: int) -> set[str]:
    """Inodes of the sockets."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _open_files(process: Path) -> set[str]:
    try:
        return {os.readlink(entry) for entry in (process / "fd").iterdir()}
    except OSError:  # it has ended, or closed one meanwhile
        return set()
