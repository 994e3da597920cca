"""Where what leaves a VPC goes, by the subnet that it comes from. Pure.

A router has a routing table per subnet, which the kernel asks after the one with everything inside of the VPC; what no
subnet knows is asked of one more table, whose only way leads outside. What a table does not know is dropped.

A NAT gateway is a next hop: its private address, on whatever device the way goes on by (the uplink, the way to a peered
VPC; on all nodes but its own the tunnel to that one). So the packet rules know by the next hop alone whose address to
write on a packet, and need not ask again where it goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from hatoba.network import names
from hatoba.network.beyond import Gateway, Instance, Route, Routing, Subnet

Network = IPv4Network | IPv6Network

OUTSIDE = 1  # the table of what comes from no subnet: no network has the address 0.0.0.1
INSTANCES = 2  # that of what the router itself sends, asked first: the nodes that its balancers reach ports of
ENTRANCES = 3  # that of what endpoints answer to peered VPCs, before their own addresses are written on it
SPOKEN = 4  # asked before it, about what is sent under others' addresses: nodes that are spoken to by the tunnel
_EVERYTHING = ("0.0.0.0/0", "::/0")


class Host(NamedTuple):
    """The host's addresses for its routers. IPv6 goes there only where it has one."""

    address: str
    address6: str | None = None

    def hop(self, version: int) -> Hop:
        if version == 4:
            return Hop(names.UPLINK, self.address)
        return NOWHERE if self.address6 is None else Hop(names.UPLINK, names.HOST6)

    @property
    def networks(self) -> Iterator[Network]:
        yield ip_network(self.address)
        if self.address6 is not None:
            yield ip_network(self.address6)


class Hop(NamedTuple):
    """A device and who is asked there; none: dropped."""

    device: str = ""
    via: str = ""


NOWHERE = Hop()


class Early(NamedTuple):
    """What is looked up in `INSTANCES` before anything else: from an address, to one ("": any), by a device."""

    source: str
    to: str
    device: str


class Ways(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel is told: which table what comes from a block is looked up in, and what is in the tables."""

    blocks: Mapping[str, int]
    hops: Mapping[tuple[int, str], Hop]
    early: frozenset[Early] = frozenset()


class Spoken(NamedTuple):
    """`nodes`: where ports are spoken to under clients' addresses, and the next hop there; `own`: the addresses that
    the router speaks from as itself. `entered`: balancers of other nodes speak to ports of this one."""

    nodes: Mapping[str, str] = MappingProxyType({})
    own: frozenset[str] = frozenset()
    entered: bool = False


_UNSPOKEN = Spoken()


def table_of(block: str) -> int:
    """Its number, never the same for two subnets of one VPC: IPv4 networks by their address, IPv6 ones by its part that
    tells subnets of one instance apart. The two families have tables of their own."""
    network = ip_network(block)
    if isinstance(network, IPv4Network):
        return int(network.network_address)
    return int(network.network_address) >> 64 & 0x7FFFFFFF | 0x80000000


def ways(
    routing: Routing,
    host: Host,
    instances: Iterable[Instance] = (),
    entrances: Iterable[str] = (),
    spoken: Spoken = _UNSPOKEN,
) -> Ways:
    """`entrances`: the router's own addresses that its endpoints are translated to."""
    blocks: dict[str, int] = {}
    hops: dict[tuple[int, str], Hop] = {(OUTSIDE, "0.0.0.0/0"): host.hop(4)}
    if host.address6 is not None:
        hops[OUTSIDE, "::/0"] = host.hop(6)
    hops |= {(INSTANCES, f"{each.address}/32"): host.hop(4) for each in instances}
    for subnet in routing.subnets:
        found = _hops(routing, subnet, host)
        for text in subnet.blocks:
            block = ip_network(text)
            table = blocks[str(block)] = table_of(text)
            hops |= {(table, str(to)): hop for to, hop in found.items() if to.version == block.version}
    for route in _to_peered(routing):
        hops[ENTRANCES, route.to] = _hop(route, host)
        blocks |= {f"{address}/32": ENTRANCES for address in entrances}
    hops |= {(SPOKEN, f"{node}/32"): Hop(names.TUNNEL, via) for node, via in spoken.nodes.items()}
    early = {Early(own, "", "lo") for own in spoken.own} if spoken.nodes else set[Early]()
    if spoken.entered:
        hops[INSTANCES, f"{host.address}/32"] = host.hop(4)
        early.add(Early("", host.address, names.TUNNEL))
    return Ways(blocks=blocks, hops=hops, early=frozenset(early))


def _to_peered(routing: Routing) -> Iterator[Route]:
    """By IPv4, from subnets that have an endpoint. Whose route is whose has been asked when somebody came."""
    for endpoint in routing.endpoints:
        subnet = subnet_of(routing, endpoint.address)
        routes = subnet.routes if subnet is not None else ()
        yield from (route for route in routes if route.kind == "peering" and ":" not in route.to)


def _hops(routing: Routing, subnet: Subnet, host: Host) -> dict[Network, Hop]:
    found: dict[Network, Hop] = {ip_network(everything): NOWHERE for everything in _EVERYTHING}
    for route in subnet.routes:
        for to, hop in _expanded(routing, subnet, route, host):
            found[to] = hop
    if subnet.platform:
        found |= {network: host.hop(network.version) for network in host.networks}
    return found


def _expanded(routing: Routing, subnet: Subnet, route: Route, host: Host) -> Iterator[tuple[Network, Hop]]:
    """One route; one to a NAT gateway is as many as the gateway's own subnet has for that network."""
    to = ip_network(route.to)
    gateway = gateway_of(routing, route)
    if gateway is None:
        yield to, _hop(route, host)
        return
    if gateway.node:
        yield to, Hop(names.TUNNEL, gateway.address)
        return
    onward = onward_routes(routing, gateway)
    for part in {to, *(network for network in (ip_network(r.to) for r in onward) if within(network, to))}:
        if longest(subnet.routes, part) is route:
            following = longest(onward, part)
            yield part, _through(gateway, following) if following is not None else NOWHERE


def _hop(route: Route, host: Host) -> Hop:
    match route.kind:
        case "outside":
            return host.hop(6 if ":" in route.to else 4)
        case "peering":
            return Hop(names.link(route.target), names.LINK_ADDRESS6 if ":" in route.to else names.LINK_ADDRESS)
    return NOWHERE


def _through(gateway: Gateway, route: Route) -> Hop:
    match route.kind:
        case "outside" if gateway.public is not None:
            return Hop(names.UPLINK, gateway.address)
        case "peering":
            return Hop(names.link(route.target), gateway.address)
    return NOWHERE


# --- asked one by one: what the tables above answer when the kernel asks them


def subnet_of(routing: Routing, address: str) -> Subnet | None:
    for subnet in routing.subnets:
        if any(_holds(block, address) for block in subnet.blocks):
            return subnet
    return None


def gateway_of(routing: Routing, route: Route) -> Gateway | None:
    if route.kind != "nat" or ":" in route.to:
        return None
    return next((gateway for gateway in routing.gateways if gateway.id == route.target), None)


def onward_routes(routing: Routing, gateway: Gateway) -> tuple[Route, ...]:
    own = subnet_of(routing, gateway.address)
    return own.routes if own is not None else ()


def longest(routes: Iterable[Route], network: Network) -> Route | None:
    """The route that counts for all of the network."""
    fitting = (route for route in routes if within(network, ip_network(route.to)))
    return max(fitting, key=lambda route: ip_network(route.to).prefixlen, default=None)


def way(routing: Routing, source: str, target: str) -> Route | None:
    """The route that a packet takes; None: nowhere. Through NAT gateways it is asked again, for their own subnet."""
    subnet = subnet_of(routing, source)
    if subnet is None:
        return Route(to="::/0" if ":" in target else "0.0.0.0/0", kind="outside")
    return longest(subnet.routes, ip_network(target))


def leads_outside(routing: Routing, source: str, target: str, *, public: bool) -> bool:
    """Whether what a source sends, with a public address of its own or without, comes to an address outside."""
    route = way(routing, source, target)
    if route is None:
        return False
    gateway = gateway_of(routing, route)
    if gateway is None:
        return route.kind == "outside" and public
    onward = longest(onward_routes(routing, gateway), ip_network(target))
    return onward is not None and onward.kind == "outside" and gateway.public is not None


def within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)


def _holds(block: str, address: str) -> bool:
    network, one = ip_network(block), ip_address(address)
    return one.version == network.version and one in network
