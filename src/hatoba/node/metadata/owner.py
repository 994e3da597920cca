"""Whose a connection is: a task on the host's network has no address of its own, but its processes hold its sockets.

The kernel tells a socket's inode by the two ends of its connection; the file descriptors of a process tell which inodes
it has. Both are asked for one connection and one task, so nothing here grows with what else the machine does. All of it
is in the network namespace of the calling thread.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable

_SOCK_DIAG = 4  # the netlink protocol
_BY_FAMILY, _ERROR = 20, 2
_REQUEST = 1
_HEADER = struct.Struct("=IHHII")
_ASKED = struct.Struct("=BBBBI")  # struct inet_diag_req_v2, as far as the socket's id
_ID = struct.Struct("!HH16s16s")  # …'s ends; the device and two numbers that nobody knows follow
_ANYWHERE = struct.pack("=I", 0) + b"\xff" * 8
_INODE = struct.Struct("=I")
_INODE_AT = _HEADER.size + 4 + 48 + 16  # of struct inet_diag_msg

End = tuple[str, int]


def inode(near: End, far: End) -> int | None:
    """Of the TCP socket here that is bound to `near` and connected to `far`; None when there is none."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as asked:
        asked.send(_question(near, far))
        answer = asked.recv(4096)
    if _HEADER.unpack_from(answer)[1] != _BY_FAMILY:
        return None
    found: int = _INODE.unpack_from(answer, _INODE_AT)[0]
    return found or None


def _question(near: End, far: End) -> bytes:
    ends = _ID.pack(near[1], far[1], socket.inet_aton(near[0]), socket.inet_aton(far[0]))
    body = _ASKED.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + ends + _ANYWHERE
    return _HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST, 1, 0) + body


def holds(pids: Iterable[int], number: int) -> bool:
    """Whether one of the processes has the socket open."""
    wanted = f"socket:[{number}]"
    return any(wanted in _open(pid) for pid in pids)


def _open(pid: int) -> Iterable[str]:
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:  # it has ended
        return
    for name in names:
        try:
            yield os.readlink(f"{folder}/{name}")
        except OSError:
            continue  # closed meanwhile
