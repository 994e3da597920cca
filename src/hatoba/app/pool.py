"""The instance's blocks of addresses, chosen once and kept in the data directory.

One is of host-side IPv4 addresses, the other one of the IPv6 blocks that VPCs are given.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from hatoba.app.places import Places
from hatoba.core.errors import Refused
from hatoba.core.files import write_file
from hatoba.network.addresses import choose_pool

N = TypeVar("N", IPv4Network, IPv6Network)

WITHIN = IPv4Network("100.64.0.0/10")
WITHIN6 = IPv6Network("fd68:6174::/32")
_ROUTES = Path("/proc/net/route")
_ROUTES6 = Path("/proc/net/ipv6_route")


def ensure_pool(places: Places, wanted: str) -> str:
    """`wanted`, or the one chosen before, or a /16 within 100.64.0.0/10 that no route of this host touches."""
    kind = _Kind(IPv4Network, "addresses", WITHIN, 16, smallest=16, named="--pool")
    return _ensure(places, places.control / "pool", wanted, kind, _routed)


def ensure_pool6(places: Places, wanted: str) -> str:
    """`wanted`, or the one chosen before, or a /40 within fd68:6174::/32 that no route of this host touches."""
    kind = _Kind(IPv6Network, "IPv6 addresses", WITHIN6, 40, smallest=48, named="HATOBA_POOL6")
    return _ensure(places, places.control / "pool6", wanted, kind, _routed6)


class _Kind(NamedTuple, Generic[N]):
    read: Callable[[str], N]
    words: str  # what it is a block of
    within: N
    prefix: int  # of the one that is chosen
    smallest: int
    named: str  # how the operator says which


def _ensure(places: Places, file: Path, wanted: str, kind: _Kind[N], routed: Callable[[], Iterable[N]]) -> str:
    if file.exists():
        return file.read_text().strip()
    if wanted:
        try:
            pool = kind.read(wanted)
        except ValueError:
            raise Refused(f"The pool {wanted} is not a block of {kind.words}.") from None
        if pool.prefixlen > kind.smallest:
            raise Refused(f"The pool {wanted} is too small: it has to be a /{kind.smallest} or larger.")
    else:
        # Each instance begins elsewhere, so that two on one machine seldom meet.
        chosen = choose_pool(kind.within, routed(), kind.prefix, start=zlib.crc32(places.instance.encode()))
        if chosen is None:
            raise Refused(f"No /{kind.prefix} within {kind.within} is free on this host. Name one with {kind.named}.")
        pool = chosen
    write_file(file, f"{pool}\n".encode())
    return str(pool)


def _routed6() -> list[IPv6Network]:
    """The same of IPv6, without what every host has anyway; nothing where the host has no IPv6."""
    if not _ROUTES6.exists():
        return []
    routes = (line.split()[:2] for line in _ROUTES6.read_text().splitlines())
    return [IPv6Network((int(to, 16), int(length, 16))) for to, length in routes if int(length, 16)]


def _routed() -> list[IPv4Network]:
    """The blocks that the host's routing table names, the default route apart."""
    found = []
    for line in _ROUTES.read_text().splitlines()[1:]:
        fields = line.split()
        destination, mask = (int.from_bytes(bytes.fromhex(fields[n])[::-1], "big") for n in (1, 7))
        if mask:
            found.append(IPv4Network((destination, bin(mask).count("1"))))
    return found
