"""Forgets connections that the kernel tracks, when an address that they lead to or come from has gone.

Whoever is given the address next must not be let through by what its former holder was allowed. And a client that
keeps sending datagrams from one port keeps its connection alive, and with it the translation to an address that nobody
has any more: who comes next at the same published port would never hear of it.

The kernel keeps the connections of all namespaces in one table, and a dump takes a lock at each of its 262,144 places:
10 ms of CPU, of which two are needed for an address. So its list (/proc) is looked through first, which takes none:
0.3 ms. Mostly there is nothing to forget.

Works in the network namespace of the calling thread.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path

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

_LIST = Path("/proc/thread-self/net/nf_conntrack")  # some kernels have none
_COUNT = Path("/proc/sys/net/netfilter/nf_conntrack_count")
_MANY = 5000  # from so many connections on, reading all their lines costs more than dumps of an address's own
_SENDER = re.compile(r" src=(\S+)")  # each connection has two, as it has two directions


def forget(addresses: Iterable[str]) -> int:
    """Ends what the addresses have: all that was sent to one, also by translation, and all that it began. How many
    there were.

    For an IPv6 block ("fd00:0:0:0:1::/80"), whatever has an end in it.
    """
    return sum(_forget(address) for address in _sought(addresses))


def _sought(addresses: Iterable[str]) -> list[str]:
    """Those that may have any."""
    wanted = list(addresses)
    try:
        if int(_COUNT.read_text()) > _MANY:
            return wanted
        senders = set(_SENDER.findall(_LIST.read_text()))
    except OSError:
        return wanted
    sixes = [IPv6Address(sender) for sender in senders if ":" in sender]  # written out there, with all zeros

    def has(address: str) -> bool:
        if ":" not in address:
            return address in senders
        block = IPv6Network(address)
        return any(sender in block for sender in sixes)

    return [address for address in wanted if has(address)]


def _forget(address: str) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETFILTER) as asked:
        asked.settimeout(_PATIENCE)
        try:
            if ":" in address:
                found = set(_within(asked, IPv6Network(address)))
            else:
                found = {*_with(asked, address, _REPLY), *_with(asked, address, _ORIGINAL)}
            for connection in found:
                asked.send(_message(family, _DELETE, _REQUEST | _ACK, connection))
                asked.recv(4096)  # that it has ended by itself is as good
        except OSError as error:
            raise PortError("kernel", f"forget the connections of {address}: {error}") from error
    return len(found)


def _with(asked: socket.socket, address: str, direction: int) -> Iterator[bytes]:
    """What names each connection of which what goes in that direction comes from the address: its original ends, and
    its number."""
    source = _attribute(_SOURCE4, socket.inet_aton(address))
    flags = b"".join(
        _attribute(kind, struct.pack("=I", _BY_SOURCE if way == direction else 0))
        for way, kind in ((_ORIGINAL, _FLAGS_ORIGINAL), (_REPLY, _FLAGS_REPLY))
    )
    wanted = _attribute(direction | _NESTED, _attribute(_IP | _NESTED, source)) + _attribute(_FILTER | _NESTED, flags)
    for connection in _dump(asked, socket.AF_INET, wanted):
        yield _name(connection)


def _within(asked: socket.socket, block: IPv6Network) -> Iterator[bytes]:
    """All connections are looked through: the kernel chooses by whole addresses only, and of IPv6 it tells all those
    that do not have the address (`ctnetlink_filter_match_tuple`, as of Linux 6.18)."""
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
