"""What an interface holds besides its own IPv4 address: further ones, IPv6 addresses, and blocks delegated to it. Pure.

All are written as networks: "10.0.0.9" and "fd00::9" are addresses, "10.0.0.16/28" and "fd00:0:0:1:5::/80" blocks. In
routes a block is one entry. In sets and maps each address of an IPv4 block stands by itself, so they need no
intervals; an IPv6 block stands there as the first 80 bits of its addresses, which are looked up by these.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import msgspec

LARGEST = 28  # the shortest prefix of an IPv4 block: its addresses are written out
BLOCK6 = 80  # the one prefix of an IPv6 block, as EC2 delegates them
MASK6 = "ffff:ffff:ffff:ffff:ffff::"


class Further(msgspec.Struct, frozen=True, kw_only=True):
    """`public`: a public address that stands for it, as an interface's own has one. Only an IPv4 address has one."""

    network: str
    public: str | None = None


def checked(network: str) -> IPv4Network | IPv6Network:
    """Raises `ValueError` for what is no address and no block as above, written as the kernel writes it."""
    found = ip_network(network)
    if isinstance(found, IPv4Network):
        if found.prefixlen < LARGEST:
            raise ValueError(f"{network} is too large: at most 16 addresses (/{LARGEST}) are held together.")
    elif found.prefixlen not in (BLOCK6, 128):
        raise ValueError(f"{network} is no address and no block of /{BLOCK6}.")
    elif network not in (str(found), str(found.network_address)):
        raise ValueError(f"{network} is written {found}.")
    return found


def block(network: str) -> str:
    """As routes have it: "10.0.0.9/32"."""
    return str(ip_network(network))


def is_route(version: int, prefix: int) -> bool:
    """Whether a route with a prefix this long may lead to what somebody holds, and not to a whole subnet."""
    return prefix >= (LARGEST if version == 4 else BLOCK6)


def places(networks: Iterable[str]) -> list[tuple[str, str]]:
    """As sets and maps have them: ("4" or "6", an address), or ("80", the first address of an IPv6 block)."""
    found: list[tuple[str, str]] = []
    for network in networks:
        if ":" in network:
            first, _, prefix = network.partition("/")
            found.append(("80" if prefix == str(BLOCK6) else "6", first))
        elif "/" not in network:
            found.append(("4", network))  # nearly all are: nothing is parsed for them
        else:
            found += [("4", str(address)) for address in IPv4Network(network)]
    return found


def addresses(networks: Iterable[str]) -> list[str]:
    """Each address by itself; IPv6 blocks as they are."""
    return [f"{place}/{BLOCK6}" if kind == "80" else place for kind, place in places(networks)]


def holds(networks: Iterable[str], address: str) -> bool:
    one = ip_address(address)
    return any(one in ip_network(network) for network in networks if (":" in network) == (one.version == 6))
