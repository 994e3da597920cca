"""Which address is free, and which hardware address goes with it. Pure: the taken ones come in, a choice comes out.

A subnet reserves its first four addresses (network, router, resolver, future) and its last one (broadcast), as the
VPC guide's "Subnet sizing" has it. A pool of public addresses reserves only its two ends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeVar

N = TypeVar("N", IPv4Network, IPv6Network)

_RESERVED_FIRST = 4
_RESERVED_LAST = 1


def usable(subnet: IPv4Network) -> range:
    """The addresses that a subnet hands out, as numbers."""
    first = int(subnet.network_address)
    return range(first + _RESERVED_FIRST, max(first + _RESERVED_FIRST, first + subnet.num_addresses - _RESERVED_LAST))


def available(subnet: IPv4Network, taken: Collection[IPv4Address]) -> int:
    """How many are free. `taken` are addresses of this subnet, none twice."""
    hosts = usable(subnet)
    return len(hosts) - sum(1 for address in taken if int(address) in hosts)


def next_free(
    subnet: IPv4Network, taken: Collection[IPv4Address], after: IPv4Address | None = None
) -> IPv4Address | None:
    """The next free address after `after`, going round; None when the subnet is full.

    Going round lets a released address rest as long as it can, so that late packets do not meet a stranger.
    """
    return _next(usable(subnet), taken, after)


def next_public(
    pool: IPv4Network,
    taken: Collection[IPv4Address],
    after: IPv4Address | None = None,
    excluded: IPv4Network | None = None,
) -> IPv4Address | None:
    """The next free address of a pool, outside of `excluded` (the pool's first part, kept for transit)."""
    first = int(pool.network_address) + 1
    if excluded is not None and excluded.overlaps(pool):
        first = max(first, int(excluded.broadcast_address) + 1)
    return _next(range(first, int(pool.broadcast_address)), taken, after)


def _next(hosts: range, taken: Collection[IPv4Address], after: IPv4Address | None) -> IPv4Address | None:
    if not hosts:
        return None
    offset = int(after) + 1 - hosts.start if after is not None and int(after) in hosts else 0
    # One more than are taken always suffices, so a nearly empty subnet is not walked.
    for step in range(min(len(hosts), len(taken) + 1)):
        address = IPv4Address(hosts[(offset + step) % len(hosts)])
        if address not in taken:
            return address
    return None


def next_block(
    subnet: IPv4Network, taken: Collection[IPv4Address], before: IPv4Network | None = None, prefix: int = 28
) -> IPv4Network | None:
    """The next free block below `before`, going round; None when none is free as a whole.

    Blocks come from the subnet's end: single addresses come from its beginning, and leave the others whole for longer.
    """
    size, hosts = 1 << (32 - prefix), usable(subnet)
    starts = range(hosts.stop // size * size - size, hosts.start - 1, -size)
    if not starts:
        return None
    offset = starts.index(int(before.network_address)) + 1 if before and int(before.network_address) in starts else 0
    for step in range(len(starts)):
        block = IPv4Network((starts[(offset + step) % len(starts)], prefix))
        if not any(address in taken for address in block):
            return block
    return None


def is_usable(subnet: IPv4Network, address: IPv4Address) -> bool:
    return int(address) in usable(subnet)


def router(subnet: IPv4Network) -> IPv4Address:
    """The gateway of the subnet's interfaces: its base plus one."""
    return subnet.network_address + 1


def resolver(vpc: IPv4Network) -> IPv4Address:
    """The VPC's own name server: the base of its (first) network plus two."""
    return vpc.network_address + 2


def mac(address: IPv4Address | IPv6Address, salt: int = 0) -> str:
    """A locally administered hardware address, different for all addresses of an IPv4 VPC; `salt` tells VPCs apart."""
    low = int(address) & 0xFFFFFFFF
    return ":".join(f"{byte:02x}" for byte in (0x02, salt & 0xFF, *low.to_bytes(4, "big")))


def address6(subnet: IPv6Network, address: IPv4Address) -> IPv6Address:
    """The IPv6 address that goes with an IPv4 one: as free or taken as that is."""
    return subnet.network_address + int(address)


def choose_pool(within: N, occupied: Iterable[N], prefix: int, start: int = 0) -> N | None:
    """A part of `within` that touches nothing occupied; the search begins at the part numbered `start`, going round."""
    busy = list(occupied)
    parts = list(within.subnets(new_prefix=prefix))
    rounds = (parts[(start + step) % len(parts)] for step in range(len(parts)))
    return next((part for part in rounds if not any(part.overlaps(network) for network in busy)), None)
