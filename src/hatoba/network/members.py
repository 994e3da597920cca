"""What a router's sets and maps hold of each holder of an address, of NAT gateways, of ports of nodes. Pure.

The rules that ask these sets and maps are in `ruleset`.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hatoba.network import bridge
from hatoba.network import further as held
from hatoba.network.base import Egress6, Publish
from hatoba.network.beyond import Gateway, Instance
from hatoba.network.further import Further
from hatoba.network.grouprules import Elements, verdict


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A holder of an address: an interface here (it has a device), the router itself (it has none), or a peer."""

    address: str | None
    groups: tuple[str, ...]
    address6: str | None = None
    device: str | None = None
    here: bool = True
    public: str | None = None
    egress: bool = False
    egress6: Egress6 = "none"
    open: bool = False
    endpoint: bool = False  # of the platform: nobody here has the address
    fronting: bool = False  # another node's balancer, which speaks under its clients' addresses
    ports: tuple[Publish, ...] = ()
    further: tuple[Further, ...] = ()

    @property
    def places(self) -> list[tuple[str, str]]:
        """All its addresses, and its IPv6 blocks, as sets and maps have them."""
        own = (address for address in (self.address, self.address6) if address is not None)
        return held.places((*own, *(each.network for each in self.further)))

    @property
    def has_blocks(self) -> bool:
        return any(kind == "80" for kind, _ in self.places)


def elements(member: Member) -> Elements:
    """All that one holder adds to the sets and maps."""
    found: Elements = {}
    for family, address in member.places:
        for group in member.groups:
            found[f"members{family}-{group}", address] = ""
        if not member.here:
            continue
        if member.endpoint:
            found["endpoints", address] = ""
        elif member.device is not None:
            found[f"egress{family}", f'"{member.device}" . {address}'] = verdict("out", member.groups)
        else:
            found[f"router-egress{family}", address] = lets_out(member)
        found[f"ingress{family}", address] = "accept" if member.open else verdict("in", member.groups)
        if family != "4" and member.egress6 != "none":
            found[f"outward{family}", address] = ""
            if member.egress6 == "both":
                found[f"inward{family}", address] = ""
    if member.here:
        if member.address is not None:
            found |= _outside(member.address, member.public, member.egress)
        for each in member.further:
            if ":" not in each.network:
                found |= _outside(each.network, each.public, each.public is not None)
    for protocol, host, port in bridge.published(member.ports):
        found["published", f"{protocol} . {host}"] = f"{member.address} . {port}"
    return found


def _outside(address: str, public: str | None, egress: bool) -> Elements:
    found: Elements = {("outward", address): ""} if egress else {}
    if public is not None:
        found["public-in", public] = address
        found["public-out", address] = public
    return found


def gateway_elements(gateway: Gateway) -> Elements:
    """The next hop that stands for a NAT gateway of this node, and what takes its address: outside, in peered VPCs."""
    found: Elements = {("nat-over", gateway.address): gateway.address}
    if gateway.public is not None:
        found["nat-out", gateway.address] = gateway.public
        found["nats", gateway.address] = ""
    return found


def instance_elements(instances: Iterable[Instance]) -> Elements:
    """Ports of nodes that the router itself may reach."""
    return {("instances", f"{each.address} . {each.protocol} . {each.port}"): "" for each in instances}


def lets_out(member: Member) -> str:
    """What is asked about an address of the router's own. What its groups do not let out is nobody else's, either."""
    return "accept" if member.open else verdict("out", member.groups, by="goto")
