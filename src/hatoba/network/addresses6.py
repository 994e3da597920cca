"""Which IPv6 address, prefix or block is free. Pure, as `addresses` is for IPv4.

An IPv6 subnet is far too large to be walked or counted: whether something is taken is asked one by one. Addresses are
given out from a subnet's first /80, prefixes below its last one, so that neither ever searches through the other.

A subnet reserves its first four addresses and its last one, as the VPC guide's "Subnet sizing" has it.
"""

from __future__ import annotations

from collections.abc import Container
from ipaddress import IPv6Address, IPv6Network
from itertools import chain

DELEGATED = 80  # the length of a delegated prefix
_RESERVED_FIRST = 4
_RESERVED_LAST = 1


def is_usable(subnet: IPv6Network, address: IPv6Address) -> bool:
    """The subnet's own, and not one that it reserves."""
    first, last = int(subnet.network_address), int(subnet.broadcast_address)
    return first + _RESERVED_FIRST <= int(address) <= last - _RESERVED_LAST


def next_free(subnet: IPv6Network, taken: Container[object], after: IPv6Address | None = None) -> IPv6Address | None:
    """The next free address after `after`, going round within the subnet's first /80."""
    first = int(subnet.network_address)
    hosts = range(first + _RESERVED_FIRST, first + (1 << (128 - DELEGATED)))
    begin = int(after) + 1 if after is not None and int(after) in hosts else hosts.start
    numbers = chain(range(begin, hosts.stop), range(hosts.start, begin))
    return next((address for address in map(IPv6Address, numbers) if address not in taken), None)


def is_delegable(subnet: IPv6Network, prefix: IPv6Network) -> bool:
    """A /80 of the subnet in which no address is reserved."""
    inside = prefix.prefixlen == DELEGATED and prefix.subnet_of(subnet)
    return inside and all(is_usable(subnet, end) for end in (prefix.network_address, prefix.broadcast_address))


def next_prefix(subnet: IPv6Network, taken: Container[object], before: IPv6Network | None = None) -> IPv6Network | None:
    """The next free /80 below `before`, going round from the subnet's end."""
    size, first = 1 << (128 - DELEGATED), int(subnet.network_address)
    starts = range(int(subnet.broadcast_address) + 1 - 2 * size, first, -size)  # neither the first /80 nor the last
    begin = int(before.network_address) - size if before and int(before.network_address) in starts else starts.start
    numbers = chain(range(begin, first, -size), range(starts.start, begin, -size))
    return next((part for part in (IPv6Network((n, DELEGATED)) for n in numbers) if part not in taken), None)


def next_part(
    pool: IPv6Network, prefix: int, taken: Container[object], after: IPv6Network | None = None
) -> IPv6Network | None:
    """The next free part of a pool, of this length, after `after`, going round. Never the first one: hosts and routers
    have their own addresses there (`names.router6`)."""
    size = 1 << (128 - prefix)
    first = int(pool.network_address) + size
    starts = range(first, int(pool.broadcast_address) + 1, size)
    begin = int(after.network_address) + size if after and int(after.network_address) in starts else first
    numbers = chain(range(begin, starts.stop, size), range(first, begin, size))
    return next((part for part in (IPv6Network((n, prefix)) for n in numbers) if part not in taken), None)
