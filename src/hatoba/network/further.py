"""What an interface holds besides its own address: further IPv4 addresses, and blocks that were delegated to it. Pure.

Both are written as networks: "10.0.0.9" is one address, "10.0.0.16/28" a block. In routes a block is one entry, by the
interface's own address; in sets and maps each of its addresses stands by itself, so they need no intervals.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

import msgspec

LARGEST = 28  # the shortest prefix of a block: its addresses are written out


class Further(msgspec.Struct, frozen=True, kw_only=True):
    """`public`: a public address that stands for it, as an interface's own has one. A block has none."""

    network: str
    public: str | None = None


def checked(network: str) -> IPv4Network:
    """Raises `ValueError` for what is no address and no block of at most 16."""
    found = IPv4Network(network)
    if found.prefixlen < LARGEST:
        raise ValueError(f"{network} is too large: at most 16 addresses (/{LARGEST}) are held together.")
    return found


def block(network: str) -> str:
    """As routes have it: "10.0.0.9/32"."""
    return str(IPv4Network(network))


def addresses(networks: Iterable[str]) -> list[str]:
    """Each address by itself."""
    return [str(address) for network in networks for address in IPv4Network(network)]


def holds(networks: Iterable[str], address: str) -> bool:
    if ":" in address:
        return False
    return any(IPv4Address(address) in IPv4Network(network) for network in networks)
