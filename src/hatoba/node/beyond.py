"""What lies beyond a network, from what the node was told to what its fabric is asked for. Pure.

Images of Fargate tasks come through the task's interface, says AWS. Here the node fetches them, but only if they could
have come that way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import AddressValueError, IPv4Address, ip_address, ip_network

from hatoba.fleet.items import InterfaceItem, NetworkItem, PeerItem, PolicyItem
from hatoba.network import routing
from hatoba.network.beyond import Endpoint, Gate, Gateway, Guest, Route, Routing, Subnet


def routing_of(item: NetworkItem, direct: Gate | None = None) -> Routing:
    """`direct`: where tasks of this node ask the platform without an endpoint. What has an address in the network is
    not that."""
    outside = direct is not None and not any(_holds(cidr, direct.address) for cidr in item.cidrs)
    return Routing(
        gate=direct if item.gated and outside else None,
        subnets=tuple(
            Subnet(
                blocks=subnet.blocks,
                routes=tuple(Route(to=route.to, kind=route.kind, target=route.target) for route in subnet.routes),
                platform=subnet.platform,
            )
            for subnet in item.subnets
        ),
        gateways=tuple(Gateway(id=g.id, address=g.address, public=g.public, node=g.node) for g in item.gateways),
        peerings=item.peerings,
        endpoints=tuple(
            Endpoint(address=address, groups=endpoint.groups)
            for endpoint in item.endpoints
            for address in endpoint.addresses
        ),
    )


def gate_at(place: str) -> Gate | None:
    """Of "address:port"; None where that names nobody whom packets are sent to."""
    host, _, port = place.rpartition(":")
    try:
        return Gate(address=str(IPv4Address(host)), port=int(port))
    except (AddressValueError, ValueError):
        return None


def guests_of(
    policies: Iterable[PolicyItem], peered: Mapping[str, NetworkItem], members: Iterable[InterfaceItem | PeerItem]
) -> tuple[Guest, ...]:
    """The members of groups of peered networks, endpoints too, as far as the policies name these groups.

    `members`: the interfaces of all networks on this node, and those on others that it knows of.
    """
    named = {group for policy in policies for rule in (*policy.ingress, *policy.egress) for group in rule.groups}
    found: dict[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]] = {
        (address, ""): (tuple(g for g in endpoint.groups if g in named), ())
        for item in peered.values()
        for endpoint in item.endpoints
        for address in endpoint.addresses
    }
    found |= {
        (member.address, member.address6 or ""): (tuple(g for g in member.groups if g in named), member.further)
        for member in members
        if member.network in peered
    }
    return tuple(
        Guest(address=address or None, address6=address6 or None, groups=groups, further=further)
        for (address, address6), (groups, further) in sorted(found.items())
        if groups
    )


def reaches(item: NetworkItem, interface: InterfaceItem, address: str) -> bool:
    """Whether what an interface sends finds its way to an address that is none of the platform's.

    The node's own machine is no place for routes of a VPC, and where nothing is known of routes nothing is refused.
    """
    target = ip_address(address)
    if target.is_loopback or not item.subnets or any(target in ip_network(cidr) for cidr in item.cidrs):
        return True
    if target.version == 6:
        goes, own = interface.egress6 != "none", interface.address6
    else:
        goes, own = interface.public is not None and interface.egress, interface.address or None
    return own is not None and routing.leads_outside(routing_of(item), own, address, public=goes)


def _holds(block: str, address: str) -> bool:
    return ip_address(address) in ip_network(block)
