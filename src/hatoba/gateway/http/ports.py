"""Why an address cannot be listened on, in a sentence that helps: who sits on the port already."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from hatoba.core.errors import Refused

_LISTEN = "0A"  # the kernel's number of the state, in /proc/net/tcp


def refused(host: str, port: int, error: OSError) -> Refused:
    """What to tell the operator when binding failed."""
    if error.errno == errno.EADDRINUSE:
        holder = _holder(port)
        by = f" by {holder}" if holder else ""
        return Refused(f"Port {port} on {host} is in use{by}. Stop that, or choose another one with --port.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return Refused(f"Port {port} on {host} needs root. Run as root, or choose one above 1023 with --port.")
    if error.errno == errno.EADDRNOTAVAIL:
        return Refused(f"{host} is not an address of this machine, so nothing can listen on it.")
    return Refused(f"Cannot listen on {host} port {port}: {error.strerror or error}.")


def _holder(port: int) -> str | None:
    """The process that listens on the port: `nginx (pid 812)`, as far as we may look."""
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    if not sockets:
        return None
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and (name := _name_if_holds(process, sockets)):
            return f"{name} (pid {process.name})"
    return "another user's process"


def _listening(port: int) -> list[str]:
    """Inodes of the sockets that listen on the port."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:  # no IPv6
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.append(fields[9])
    return found


def _name_if_holds(process: Path, sockets: set[str]) -> str | None:
    try:
        if any(os.readlink(entry.path) in sockets for entry in os.scandir(process / "fd")):
            return (process / "comm").read_text().strip()
    except OSError:  # another user's, or gone meanwhile
        return None
    return None
