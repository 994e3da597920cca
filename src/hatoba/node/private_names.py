"""The names that every address of a VPC has by itself: `ip-172-31-0-5.ec2.internal`, and back. Pure.

As the VPC guide's "DNS attributes for your VPC" has them: in us-east-1 they end with `ec2.internal`, elsewhere with
`<region>.compute.internal`. Nobody has to register them, so they are computed. Both domains are ours as a whole: a
question about them never leaves the machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv4Network, ip_network

from hatoba.dns.base import Entry
from hatoba.dns.zone import Zone

ORIGINS = ("ec2.internal", "compute.internal")
TTL = 60

_FORWARD = re.compile(r"ip-(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})\.([a-z0-9.-]+)")
_REVERSE = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa")


def domain(region: str) -> str:
    return "ec2.internal" if region in ("us-east-1", "") else f"{region}.compute.internal"


def private_names(cidrs: Iterable[str], region: str) -> Zone:
    """Of a VPC's IPv4 addresses, whether anybody holds them or not."""
    networks = [network for network in map(ip_network, cidrs) if isinstance(network, IPv4Network)]
    suffix = domain(region)

    def inside(octets: tuple[str, ...]) -> IPv4Address | None:
        try:
            address = IPv4Address(".".join(octets))
        except AddressValueError:
            return None
        return address if any(address in network for network in networks) else None

    def lookup(name: str) -> Entry | None:
        if name == suffix:
            return Entry(ttl=TTL)
        if (found := _FORWARD.fullmatch(name)) and found[5] == suffix:
            address = inside(found.groups()[:4])
            return Entry(addresses=(str(address),), ttl=TTL) if address else None
        if found := _REVERSE.fullmatch(name):
            address = inside(found.groups()[::-1])
            return Entry(pointer=f"ip-{str(address).replace('.', '-')}.{suffix}", ttl=TTL) if address else None
        return None

    return Zone(lookup, ORIGINS)
