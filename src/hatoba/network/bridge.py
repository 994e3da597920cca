"""The node's bridge, as the router that it is: a VPC of one node, whose seats are open to each other. Pure.

Why a router and no bridge device: the decision record 0016.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from hatoba.core.errors import PortError
from hatoba.network import addresses
from hatoba.network.base import BRIDGE, InterfaceSpec, PolicySet, Publish, RouterService, Rule, Seat, SeatSpec, VpcSpec

_EVERYTHING = (Rule(cidrs=("0.0.0.0/0",)),)
OPEN = PolicySet(id=BRIDGE, ingress=_EVERYTHING, egress=_EVERYTHING)  # seats are closed by nobody, as with docker
_NOBODY = IPv4Address(0)
_SALT = 0x42  # tells the bridge's hardware addresses from those of VPCs


def network(cidr: str, services: tuple[RouterService, ...]) -> VpcSpec:
    return VpcSpec(id=BRIDGE, cidrs=(cidr,), vni=0, services=services)


def interface(seat: str, cidr: str, address: str, ports: tuple[Publish, ...]) -> InterfaceSpec:
    return InterfaceSpec(
        id=seat,
        vpc=BRIDGE,
        address=address,
        mac=addresses.mac(IPv4Address(address), _SALT),
        gateway=str(addresses.router(IPv4Network(cidr))),
        groups=(OPEN.id,),
        egress=True,
        ports=ports,
    )


class Addresses:
    """Which seat has which address; also which interface has which link-local one. A released one rests as long as it
    can: they are given out going round."""

    def __init__(self, cidr: str) -> None:
        self._network = IPv4Network(cidr)
        self._seats: dict[str, IPv4Address] = {}
        self._taken: set[IPv4Address] = set()
        self._last: IPv4Address | None = None

    def keep(self, given: Mapping[str, str]) -> None:
        """Those given out before, by whom ever."""
        for seat, address in given.items():
            self._put(seat, IPv4Address(address))

    def give(self, seat: str) -> str:
        """The seat's own, or a free one. Raises `PortError` when all are taken."""
        if seat not in self._seats:
            found = addresses.next_free(self._network, self._taken, self._last)
            if found is None:
                raise PortError("kernel", f"All addresses of {self._network} are taken.")
            self._put(seat, found)
        return str(self._seats[seat])

    @property
    def given(self) -> dict[str, str]:
        return {seat: str(address) for seat, address in self._seats.items()}

    def release(self, seat: str) -> None:
        self._taken.discard(self._seats.pop(seat, _NOBODY))

    def _put(self, seat: str, address: IPv4Address) -> None:
        self._seats[seat] = self._last = address
        self._taken.add(address)


def answers(wanted: SeatSpec, given: InterfaceSpec) -> bool:
    """Whether what a seat has is what is wanted of it."""
    return len(wanted.ports) == len(given.ports) and all(
        (w.port, w.count, w.protocol) == (g.port, g.count, g.protocol) and w.host in (0, g.host)
        for w, g in zip(wanted.ports, given.ports, strict=True)
    )


def seat(given: InterfaceSpec, netns: Path) -> Seat:
    return Seat(netns=netns, address=given.address or "", ports=given.ports)


def addresses_of(seats: Iterable[InterfaceSpec]) -> dict[str, str]:
    return {seat.id: seat.address for seat in seats if seat.address is not None}


def published(ports: Iterable[Publish]) -> Iterable[tuple[str, int, int]]:
    """Each single port: protocol, the host's, the seat's."""
    for publish in ports:
        for step in range(publish.count):
            yield publish.protocol, publish.host + step, publish.port + step
