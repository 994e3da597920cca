"""A route netlink socket: many requests in one system call, errors by name, dumps as decoded messages.

pyroute2 knows the messages; the socket is our own, because requests are to be sent in batches, from threads that live
in namespaces of their own. A socket belongs for good to the namespace of the thread that opened it.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

import msgspec
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from hatoba.core.errors import PortError

NEWLINK, DELLINK, GETLINK, SETLINK = 16, 17, 18, 19
NEWADDR, DELADDR, GETADDR = 20, 21, 22
NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26
NEWNEIGH, DELNEIGH, GETNEIGH = 28, 29, 30

_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_REPLACE, _EXCLUSIVE, _CREATE = 0x100, 0x200, 0x400
CREATE = _CREATE | _EXCLUSIVE
REPLACE = _CREATE | _REPLACE

_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
_ERRNO = struct.Struct("=i")
_SOL_NETLINK, _CAP_ACK = 270, 10  # errors come back without the request in them
_ANSWER_TIMEOUT = 10.0  # the kernel answers within the call; only a lost answer ends here
_BATCH = 64

_CLASSES: dict[int, Any] = {GETLINK: ifinfmsg, GETADDR: ifaddrmsg, GETROUTE: rtmsg, GETNEIGH: ndmsg}

Message = Any  # a pyroute2 message: a dictionary of fields, with get_attr()


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One change. `ignore` are the errors that mean "it is so already"."""

    what: str
    type: int
    message: Message
    flags: int = 0
    ignore: frozenset[int] = frozenset()


class Netlink:
    """Belongs to the thread and namespace that made it."""

    def __init__(self) -> None:
        self._sequence = 0
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.settimeout(_ANSWER_TIMEOUT)
        self._socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
        self._socket.bind((0, 0))

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def apply(self, *requests: Request) -> None:
        """Carries out the changes in order. Raises `PortError` for the first that failed; later ones were tried."""
        for start in range(0, len(requests), _BATCH):
            self._batch(requests[start : start + _BATCH])

    def _batch(self, requests: tuple[Request, ...]) -> None:
        pending: dict[int, Request] = {}
        packet = bytearray()
        for request in requests:
            packet += self._encode(request.message, request.type, _REQUEST | _ACK | request.flags)
            pending[self._sequence] = request
        failure: PortError | None = None
        try:
            self._socket.send(packet)
            while pending:
                for type_, sequence, data in _messages(self._socket.recv(65536)):
                    answered = pending.pop(sequence, None)
                    if answered is not None and type_ == _ERROR:
                        failure = failure or _failure(answered, -_ERRNO.unpack_from(data, _HEADER.size)[0])
        except OSError as error:
            raise PortError("kernel", f"netlink: {error}") from error
        if failure is not None:
            raise failure

    def dump(self, type_: int, message: Message) -> list[Message]:
        """All objects of the kind, as far as the message's header selects them."""
        found: list[Message] = []
        packet = self._encode(message, type_, _REQUEST | _DUMP)
        wanted = self._sequence
        try:
            self._socket.send(packet)
            while True:
                for kind, sequence, data in _messages(self._socket.recv(262144)):
                    if sequence != wanted:
                        continue
                    if kind in (_DONE, _ERROR):
                        return found
                    decoded = _CLASSES[type_](data)
                    decoded.decode()
                    found.append(decoded)
        except OSError as error:
            raise PortError("kernel", f"netlink: {error}") from error

    def _encode(self, message: Message, type_: int, flags: int) -> bytes:
        self._sequence += 1
        message["header"]["type"] = type_
        message["header"]["flags"] = flags
        message["header"]["sequence_number"] = self._sequence
        message.encode()
        return bytes(message.data)

    def links(self) -> dict[str, Message]:
        return {link.get_attr("IFLA_IFNAME"): link for link in self.dump(GETLINK, ifinfmsg())}


def _messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, type_, _, sequence, _ = _HEADER.unpack_from(data, offset)
        yield type_, sequence, data[offset : offset + length]
        offset += (length + 3) & ~3


def _failure(request: Request, number: int) -> PortError | None:
    if number == 0 or number in request.ignore:
        return None
    return PortError("kernel", f"{request.what}: {os.strerror(number)} ({errno.errorcode.get(number, number)})")


def index(device: str) -> int | None:
    """The device's number in this thread's namespace; None when there is no such device."""
    try:
        return socket.if_nametoindex(device)
    except OSError:
        return None
