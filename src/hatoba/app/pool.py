"""The instance's block of host-side addresses: chosen once, kept in the data directory."""

from __future__ import annotations

import zlib
from ipaddress import IPv4Network
from pathlib import Path

from hatoba.app.places import Places, write
from hatoba.core.errors import Refused
from hatoba.network.addresses import choose_pool

WITHIN = IPv4Network("100.64.0.0/10")
_ROUTES = Path("/proc/net/route")


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


def _routed() -> list[IPv4Network]:
    """The blocks that the host's routing table names, the default route apart."""
    found = []
    for line in _ROUTES.read_text().splitlines()[1:]:
        fields = line.split()
        destination, mask = (int.from_bytes(bytes.fromhex(fields[n])[::-1], "big") for n in (1, 7))
        if mask:
            found.append(IPv4Network((destination, bin(mask).count("1"))))
    return found
