"""The instance's blocks of addresses, chosen once and kept in the data directory.

One is of host-side IPv4 addresses, the other one of the IPv6 blocks that VPCs are given.
"""

from __future__ import annotations

import zlib
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from hatoba.app.places import Places, write
from hatoba.core.errors import Refused
from hatoba.network import addresses6
from hatoba.network.addresses import choose_pool

WITHIN = IPv4Network("100.64.0.0/10")
WITHIN6 = IPv6Network("fd68:6174::/32")
_ROUTES = Path("/proc/net/route")
_ROUTES6 = Path("/proc/net/ipv6_route")


def ensure_pool(places: Places, wanted: str) -> str:
    """`wanted`, or the one chosen before, or a /16 within 100.64.0.0/10 that no route of this host touches."""
    file = places.control / "pool"
    if file.exists():
        return file.read_text().strip()
    if wanted:
        try:
            pool: IPv4Network | None = IPv4Network(wanted)
        except ValueError:
            raise Refused(f"The pool {wanted} is not a block of addresses.") from None
        if pool is None or pool.prefixlen > 16:
            raise Refused(f"The pool {wanted} is too small: it has to be a /16 or larger.")
    else:
        start = zlib.crc32(places.instance.encode()) % 64
        pool = choose_pool(WITHIN, _routed(), start=start)
        if pool is None:
            raise Refused(f"No /16 within {WITHIN} is free on this host. Name one with --pool.")
    write(file, f"{pool}\n")
    return str(pool)


def ensure_pool6(places: Places, wanted: str) -> str:
    """`wanted`, or the one chosen before, or a /40 within fd68:6174::/32 that no route of this host touches."""
    file = places.control / "pool6"
    if file.exists():
        return file.read_text().strip()
    if wanted:
        try:
            pool: IPv6Network | None = IPv6Network(wanted)
        except ValueError:
            raise Refused(f"The pool {wanted} is not a block of IPv6 addresses.") from None
        if pool is None or pool.prefixlen > 48:
            raise Refused(f"The pool {wanted} is too small: it has to be a /48 or larger.")
    else:
        pool = addresses6.choose_pool(WITHIN6, _routed6(), start=zlib.crc32(places.instance.encode()) % 256)
        if pool is None:
            raise Refused(f"No /40 within {WITHIN6} is free on this host. Name one: HATOBA_POOL6.")
    write(file, f"{pool}\n")
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
