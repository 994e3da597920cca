"""A route netlink socket: many requests in one system call, errors by name, dumps as decoded messages.

pyroute2 knows the messages; the socket is our own, because requests are to be sent in batches, from threads that live
in namespaces of their own. A socket belongs for good to the namespace of the thread that opened it.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from hatoba.core.errors import PortError

NEWLINK, DELLINK, GETLINK, SETLINK = 16, 17, 18, 19
NEWADDR, DELADDR, GETADDR = 20, 21, 22
NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26
NEWNEIGH, DELNEIGH, GETNEIGH = 28, 29, 30
NEWRULE, DELRULE, GETRULE = 32, 33, 34

_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_REPLACE, _EXCLUSIVE, _CREATE = 0x100, 0x200, 0x400
CREATE = _CREATE | _EXCLUSIVE
REPLACE = _CREATE | _REPLACE

LINK_EVENTS, ROUTE6_EVENTS = 0x1, 0x400

_ERROR, _DONE = 2, 3
_OPERATIONAL_STATE, _OPERATIONAL = 16, 6
_INET6, _LOCAL_ROUTE = 10, 2
_ROUTE_TYPE = 7  # where it stands in the header of a message about a route
_LINK_HEADER = struct.Struct("=BxHiII")
_ATTRIBUTE = struct.Struct("=HH")
_HEADER = struct.Struct("=IHHII")
_ERRNO = struct.Struct("=i")
_SOL_NETLINK, _CAP_ACK = 270, 10  # errors come back without the request in them
_ANSWER_TIMEOUT = 10.0  # the kernel answers within the call; only a lost answer ends here
_BATCH = 64

_CLASSES: dict[int, Any] = {GETLINK: ifinfmsg, GETADDR: ifaddrmsg, GETROUTE: rtmsg, GETNEIGH: ndmsg, GETRULE: fibmsg}

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

    def __init__(self, groups: int = 0) -> None:
        """`groups`: the kinds of events to listen to (`LINK_EVENTS`, `ROUTE6_EVENTS`)."""
        self._sequence = 0
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.settimeout(_ANSWER_TIMEOUT)
        self._socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
        self._socket.bind((0, groups))

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

    def is_operational(self, device: int) -> bool:
        """Whether the device sends packets. Since Linux 6.8 the question itself completes a pending "carrier on"."""
        message = ifinfmsg()
        message["index"] = device
        packet = self._encode(message, GETLINK, _REQUEST)
        wanted = self._sequence
        try:
            self._socket.send(packet)
            while True:
                for kind, sequence, data in _messages(self._socket.recv(65536)):
                    if sequence == wanted:
                        return kind == NEWLINK and _operational(data) == (device, True)
        except OSError as error:
            raise PortError("kernel", f"netlink: {error}") from error

    def await_operational(self, device: int) -> None:
        """For a socket that listens to events of links: until the device sends packets."""
        if self.is_operational(device):
            return
        try:
            while not any(_operational(data) == (device, True) for _, _, data in _messages(self._socket.recv(65536))):
                pass
        except OSError as error:
            raise PortError("kernel", f"a link does not come up: {error}") from error

    def is_own(self, address: str) -> bool:
        """Whether the namespace takes what is sent to this IPv6 address."""
        message = rtmsg()
        message["family"], message["dst_len"] = _INET6, 128
        message["attrs"] = [("RTA_DST", address)]
        packet = self._encode(message, GETROUTE, _REQUEST)
        wanted = self._sequence
        try:
            self._socket.send(packet)
            while True:
                for kind, sequence, data in _messages(self._socket.recv(65536)):
                    if sequence == wanted:
                        return kind == NEWROUTE and data[_HEADER.size + _ROUTE_TYPE] == _LOCAL_ROUTE
        except OSError as error:
            raise PortError("kernel", f"netlink: {error}") from error

    def await_event(self, what: str) -> None:
        """For a socket that listens to events: until there is one. `what` nobody hears of otherwise."""
        try:
            self._socket.recv(65536)
        except OSError as error:
            raise PortError("kernel", f"{what}: {error}") from error

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


def _operational(data: bytes) -> tuple[int, bool] | None:
    """Of a message about a link: which, and whether it is in operation. Read here: a whole decoding takes longer."""
    kind = _HEADER.unpack_from(data)[1]
    if kind != NEWLINK:
        return None
    device = _LINK_HEADER.unpack_from(data, _HEADER.size)[2]
    offset = _HEADER.size + _LINK_HEADER.size
    while offset + _ATTRIBUTE.size <= len(data):
        length, attribute = _ATTRIBUTE.unpack_from(data, offset)
        if attribute == _OPERATIONAL_STATE:
            return device, data[offset + _ATTRIBUTE.size] == _OPERATIONAL
        offset += max((length + 3) & ~3, _ATTRIBUTE.size)
    return None


def _failure(request: Request, number: int) -> PortError | None:
    if number == 0 or number in request.ignore:
        return None
    return PortError("kernel", f"{request.what}: {os.strerror(number)} ({errno.errorcode.get(number, number)})")


def settle(netlink: Netlink, device: int) -> None:
    """Waits until a device whose far end was set up just now sends packets itself.

    The kernel notices a new carrier in the background, and until then drops in silence what is sent: the first packets
    of a connection would be lost for a second.
    """
    if not netlink.is_operational(device):
        with Netlink(LINK_EVENTS) as events:
            events.await_operational(device)


def index(device: str) -> int | None:
    """The device's number in this thread's namespace; None when there is no such device."""
    try:
        return socket.if_nametoindex(device)
    except OSError:
        return None


def settle_addresses(netlink: Netlink, addresses: Iterable[str]) -> None:
    """Waits until those of IPv6, which were added just now, are the own ones of this thread's namespace.

    The kernel adds the way to itself in the background, and until then lets go of what is sent to the address, or
    passes it on: the first packets of a connection would be lost for a second.
    """
    missing = [address for address in addresses if ":" in address and not netlink.is_own(address)]
    if not missing:
        return
    with Netlink(ROUTE6_EVENTS) as events:
        for address in missing:
            while not netlink.is_own(address):
                events.await_event(f"the address {address} does not come up")
