"""Whose connections begin under their clients' addresses, and where they go: for whoever has to let them pass. Pure.

Datagrams always do. A listener's connections do where all the groups that it forwards to want it: a connection has its
address before it is known where it goes. A client has no address of the other family: then connections begin at the
balancer's own, and datagrams of IPv4 clients at one of its prefix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv6Network
from typing import Literal, NamedTuple

from hatoba.proxy.base import Balancer, Listener, TargetGroup, Wanted
from hatoba.proxy.forwarding import Shares, alike, shares


class Fronted(NamedTuple):
    """A target that is spoken to under clients' addresses, and an address of the balancer that does."""

    address: str
    port: int
    protocol: Literal["tcp", "udp"]
    balancer: str
    source: str = ""  # of datagrams of the other family's clients
    node: str = ""  # of which it is a port


def by_connections(forwarded: Shares) -> bool:
    wants = [group.attributes.preserve_source for group, _ in forwarded]
    return bool(wants) and all(wants)


def fronted(wanted: Wanted) -> frozenset[Fronted]:
    groups = {group.id: group for group in wanted.groups}
    return frozenset(
        each
        for balancer in wanted.balancers
        if balancer.kind == "network"
        for listener in balancer.listeners
        for each in _of(balancer, listener, groups)
    )


def speaks(wanted: Wanted) -> bool:
    """Whether there is anything of it, targets or not."""
    groups = {group.id: group for group in wanted.groups}
    return any(
        _protocols(listener, shares(listener, groups, six), six)
        for balancer in wanted.balancers
        if balancer.kind == "network"
        for listener in balancer.listeners
        for six in _families(balancer)
    )


def _of(balancer: Balancer, listener: Listener, groups: Mapping[str, TargetGroup]) -> Iterator[Fronted]:
    own = next((address for address in balancer.addresses if ":" not in address), None)
    if own is None:
        return
    source = str(IPv6Network(balancer.prefixes[0])[1]) if balancer.prefixes else ""
    for six in _families(balancer):
        forwarded = shares(listener, groups, six)
        for group, _ in forwarded:
            for target in group.targets:
                for protocol in _protocols(listener, forwarded, six):
                    translated = source if group.six and protocol == "udp" else ""
                    yield Fronted(target.address, target.port, protocol, own, translated, target.node)


def _families(balancer: Balancer) -> list[bool]:
    """Of its addresses: of its clients."""
    return sorted({":" in address for address in balancer.addresses})


def _protocols(listener: Listener, forwarded: Shares, six: bool) -> tuple[Literal["tcp", "udp"], ...]:
    """In which clients of the family (or for datagrams of IPv4, what stands for them) are seen."""
    datagrams = listener.protocol in ("UDP", "TCP_UDP") and (alike(six, forwarded) or not six)
    preserved = listener.protocol != "UDP" and by_connections(forwarded) and alike(six, forwarded)
    return (*(("udp",) if datagrams else ()), *(("tcp",) if preserved else ()))
