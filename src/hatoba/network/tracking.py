"""Forgets connections that the kernel tracks, when an address that they lead to or come from has gone.

Whoever is given the address next must not be let through by what its former holder was allowed. And a client that
keeps sending datagrams from one port keeps its connection alive, and with it the translation to an address that nobody
has any more: who comes next at the same published port would never hear of it.

Works in the network namespace of the calling thread.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Network

from hatoba.core.errors import PortError

_NETFILTER = 12  # the netlink protocol
_GET, _DELETE = 0x101, 0x102  # of the connection tracking
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
_GENERAL = struct.Struct("=BBH")  # family, version, 0
_ATTRIBUTE = struct.Struct("=HH")
_NESTED, _TYPE = 0x8000, 0x3FFF
_ORIGINAL, _REPLY, _ID, _FILTER = 1, 2, 12, 25
_IP, _SOURCE4, _SOURCE6 = 1, 1, 3
_FLAGS_ORIGINAL, _FLAGS_REPLY = 1, 2
_BY_SOURCE = 0x1
_PATIENCE = 10.0


def forget(address: str) -> int:
    """Ends all that was sent to the address, also by translation, and all that it began. How many there were.

    For an IPv6 block ("fd00:0:0:0:1::/80"), whatever has an end in it.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETFILTER) as asked:
        asked.settimeout(_PATIENCE)
        try:
            if "/" in address:
                found = set(_within(asked, IPv6Network(address)))
            else:
                found = {*_with(asked, family, address, _REPLY), *_with(asked, family, address, _ORIGINAL)}
            for connection in found:
                asked.send(_message(family, _DELETE, _REQUEST | _ACK, connection))
                asked.recv(4096)  # that it has ended by itself is as good
        except OSError as error:
            raise PortError("kernel", f"forget the connections of {address}: {error}") from error
    return len(found)


def _with(asked: socket.socket, family: socket.AddressFamily, address: str, direction: int) -> Iterator[bytes]:
    """What names each connection of which what goes in that direction comes from the address: its original ends, and
    its number."""
    source = _attribute(_SOURCE6 if family == socket.AF_INET6 else _SOURCE4, socket.inet_pton(family, address))
    flags = b"".join(
        _attribute(kind, struct.pack("=I", _BY_SOURCE if way == direction else 0))
        for way, kind in ((_ORIGINAL, _FLAGS_ORIGINAL), (_REPLY, _FLAGS_REPLY))
    )
    wanted = _attribute(direction | _NESTED, _attribute(_IP | _NESTED, source)) + _attribute(_FILTER | _NESTED, flags)
    for connection in _dump(asked, family, wanted):
        yield _name(connection)


def _within(asked: socket.socket, block: IPv6Network) -> Iterator[bytes]:
    """All connections are looked through: the kernel chooses by whole addresses only."""
    for connection in _dump(asked, socket.AF_INET6, b""):
        ends = (_sources(part) for type_, part in connection if type_ in (_ORIGINAL, _REPLY))
        if any(source in block for sources in ends for source in sources):
            yield _name(connection)


def _sources(tuple_: bytes) -> Iterator[IPv6Address]:
    """Of one direction of a connection: who sends. The other direction's is who is sent to."""
    for type_, ip in _attributes(tuple_[_ATTRIBUTE.size :]):
        for kind, value in _attributes(ip[_ATTRIBUTE.size :]) if type_ == _IP else ():
            if kind == _SOURCE6:
                yield IPv6Address(value[_ATTRIBUTE.size :][:16])


def _dump(asked: socket.socket, family: socket.AddressFamily, wanted: bytes) -> Iterator[list[tuple[int, bytes]]]:
    """The attributes of each connection."""
    asked.send(_message(family, _GET, _REQUEST | _DUMP, wanted))
    while True:
        for kind, body in _messages(asked.recv(262144)):
            if kind in (_DONE, _ERROR):
                return
            yield list(_attributes(body[_GENERAL.size :]))


def _name(connection: list[tuple[int, bytes]]) -> bytes:
    return b"".join(part for type_, part in connection if type_ in (_ORIGINAL, _ID))


def _message(family: socket.AddressFamily, kind: int, flags: int, attributes: bytes) -> bytes:
    body = _GENERAL.pack(family, 0, 0) + attributes
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(data)
        yield kind, data[_HEADER.size : length]
        data = data[(length + 3) & ~3 :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each with its head, as it stands there."""
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        size = max((length + 3) & ~3, _ATTRIBUTE.size)
        yield kind & _TYPE, data[:size]
        data = data[size:]
