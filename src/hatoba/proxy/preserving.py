"""Whose connections begin under their clients' addresses, and where they go: for whoever has to let them pass. Pure.

Datagrams always do. A listener's connections do where all the groups that it forwards to want it: a connection has its
address before it is known where it goes. A client has no address of the other family: then connections begin at the
balancer's own, and datagrams of IPv4 clients at one of its prefix.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv6Network
from typing import Literal, NamedTuple

from hatoba.proxy.base import Balancer, Forward, Listener, TargetGroup, Wanted


class Fronted(NamedTuple):
    """A target that is spoken to under clients' addresses, and an address of the balancer that does."""

    address: str
    port: int
    protocol: Literal["tcp", "udp"]
    balancer: str
    source: str = ""  # of datagrams of the other family's clients
    node: str = ""  # of which it is a port


def by_connections(forwarded: Iterable[tuple[TargetGroup, int]]) -> bool:
    """`forwarded`: the groups that get anything, with their weights."""
    wants = [group.attributes.preserve_source for group, _ in forwarded]
    return bool(wants) and all(wants)


def alike(address: str, forwarded: Iterable[tuple[TargetGroup, int]]) -> bool:
    """Clients that come in at the address are of the family of all targets."""
    return all(group.six == (":" in address) for group, _ in forwarded)


def shares(listener: Listener, groups: Mapping[str, TargetGroup]) -> tuple[tuple[TargetGroup, int], ...]:
    """The groups that get anything, with their weights."""
    if not isinstance(listener.default, Forward):
        return ()
    given = ((groups[share.group], share.weight) for share in listener.default.shares if share.group in groups)
    return tuple((group, weight) for group, weight in given if weight > 0)


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
    listeners = (each for balancer in wanted.balancers if balancer.kind == "network" for each in balancer.listeners)
    return any(_protocols(listener, shares(listener, groups)) for listener in listeners)


def _of(balancer: Balancer, listener: Listener, groups: Mapping[str, TargetGroup]) -> Iterator[Fronted]:
    own = next((address for address in balancer.addresses if ":" not in address), None)
    forwarded = shares(listener, groups)
    if own is None:
        return
    source = str(IPv6Network(balancer.prefixes[0])[1]) if balancer.prefixes else ""
    for group, _ in forwarded:
        for target in group.targets:
            for protocol in _protocols(listener, forwarded):
                translated = source if group.six and protocol == "udp" else ""
                yield Fronted(target.address, target.port, protocol, own, translated, target.node)


def _protocols(listener: Listener, forwarded: tuple[tuple[TargetGroup, int], ...]) -> tuple[Literal["tcp", "udp"], ...]:
    preserved = listener.protocol != "UDP" and by_connections(forwarded)
    return (*(("udp",) if listener.protocol in ("UDP", "TCP_UDP") else ()), *(("tcp",) if preserved else ()))
