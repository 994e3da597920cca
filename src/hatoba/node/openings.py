"""What the load balancers of a network need of it, from what its proxy is to carry. Pure.

Ports of nodes are no part of a VPC, and nobody may speak under others' addresses: the network lets its own balancers do
both, but only where targets are.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Literal, NamedTuple

from hatoba.network.beyond import Front, Instance
from hatoba.proxy.base import TargetGroup, Wanted
from hatoba.proxy.preserving import fronted

_SPOKEN: dict[str, tuple[Literal["tcp", "udp"], ...]] = {"UDP": ("udp",), "TCP_UDP": ("tcp", "udp")}


class Openings(NamedTuple):
    """`ports`: of nodes. `fronts`: where they speak under their clients' addresses."""

    ports: tuple[Instance, ...] = ()
    fronts: tuple[Front, ...] = ()


CLOSED = Openings()


def openings(wanted: Wanted, hearing: Container[str] = ()) -> Openings:
    """`hearing`: the other nodes that let balancers in under their clients' addresses."""
    ports = {port for group in wanted.groups for port in _ports(group, hearing)}
    fronts = (
        Front(address=f.address, port=f.port, protocol=f.protocol, balancer=f.balancer, source=f.source)
        for f in fronted(wanted)
    )
    return Openings(tuple(sorted(ports)), tuple(sorted(fronts)))


def either(one: Openings, other: Openings) -> Openings:
    return Openings(
        tuple(sorted({*one.ports, *other.ports})),
        tuple(sorted({*one.fronts, *other.fronts})),
    )


def _ports(group: TargetGroup, hearing: Container[str]) -> Iterator[Instance]:
    """Where traffic goes to on nodes, and where their health is asked for."""
    for target in group.targets:
        if not target.node:
            continue
        hears = target.node in hearing
        for protocol in _SPOKEN.get(group.protocol, ("tcp",)):
            yield Instance(address=target.address, port=target.port, protocol=protocol, hears=hears)
        if group.health_check.enabled:
            yield Instance(address=target.address, port=group.health_check.port or target.port, hears=hears)
