"""Who reaches whom, by evaluating what was asked for instead of carrying it out: the simulated fabric's answer.

A connection is followed as its first packet would go: let out by the groups of its source, then within the VPC, to the
platform, or by the routes of its subnet beyond the VPC, where whoever has the address asks the groups of the target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Protocol

from hatoba.network import acls, bridge, endpoints, further, gates, groups, routing
from hatoba.network.base import BRIDGE, Acl, AddressSpec, InterfaceSpec, Peer, PolicySet, Settings, VpcSpec
from hatoba.network.beyond import Endpoint, Entry, Front, Gateway, Guest, Instance, Route, Routing
from hatoba.network.groups import End, within
from hatoba.network.trouble import Blackhole, Fault

Holder = InterfaceSpec | AddressSpec

_EPHEMERAL = 32768  # where answers go


class Vpc:
    """What one node holds of a VPC."""

    def __init__(self, spec: VpcSpec) -> None:
        self.spec = spec
        self.policies: dict[str, PolicySet] = {}
        self.acls: tuple[Acl, ...] = ()
        self.holders: dict[str, Holder] = {}  # standing ones
        self.wanted: dict[str, Holder] = {}  # also those whose making failed
        self.peers: tuple[Peer, ...] = ()
        self.guests: tuple[Guest, ...] = ()
        self.instances: tuple[Instance, ...] = ()
        self.fronts: tuple[Front, ...] = ()
        self.entries: tuple[Entry, ...] = ()
        self.routing = Routing()
        self.faults: dict[tuple[str, str], Fault] = {}  # (interface, name) → what runs

    def swallows(self, holder: Holder, direction: str, far: str, port: int, protocol: str) -> bool:
        """A blackhole of the holder's takes it."""
        fault = self.faults.get((holder.id, f"{direction}-{protocol}-{port}"))
        return isinstance(fault, Blackhole) and not any(within(far, network) for network in fault.spared)

    def borders_let_pass(self, source: str, target: str, protocol: str, port: int) -> bool:
        """There and back: a network ACL remembers nothing."""
        there = acls.lets_pass(self.acls, source, target, protocol, port)
        return there and acls.lets_pass(self.acls, target, source, protocol, _EPHEMERAL)

    def at(self, address: str) -> Holder | None:
        return next((holder for holder in self.holders.values() if _holds(holder, address)), None)

    def endpoint_at(self, address: str) -> Endpoint | None:
        return next((endpoint for endpoint in self.routing.endpoints if endpoint.address == address), None)

    def peer_at(self, address: str) -> Peer | None:
        return next((peer for peer in self.peers if _holds(peer, address)), None)

    def groups_of(self, address: str) -> tuple[str, ...]:
        for far in (*self.holders.values(), *self.peers, *self.guests):
            if _holds(far, address):
                return far.groups
        endpoint = self.endpoint_at(address)
        return endpoint.groups if endpoint is not None else ()


class Node(Protocol):
    settings: Settings
    vpcs: dict[str, Vpc]
    remote: dict[str, str]  # public address → the node that has it

    @property
    def underlay(self) -> Mapping[str, Node]: ...


class Reach:
    """Questions to one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._settings = node.settings

    def asked(self, source: str | None, address: str, port: int, protocol: str, own: str | None) -> bool:
        if source is None:
            if ":" in address:
                own6 = self._settings.host_address6
                return own6 is not None and self._from_outside6(own6, address, port, protocol)
            return self._from_host(self._settings.host_address, address, port, protocol)
        for vpc in self._node.vpcs.values():
            holder = vpc.holders.get(source)
            if holder is not None:
                sender = own or _of_version(vpc, holder, address)
                return sender is not None and self._from_holder(vpc, holder, address, port, protocol, sender)
        return False

    def _from_holder(self, vpc: Vpc, holder: Holder, address: str, port: int, protocol: str, own: str) -> bool:
        if vpc.swallows(holder, "egress", address, port, protocol):
            return False
        if isinstance(holder, InterfaceSpec) and (address, port, protocol) in _served(vpc):
            return True
        front = _front(vpc, holder, address, port, protocol)
        if front is not None and front.source and _holds(holder, own):
            own = front.source
        if not own or not (_holds(holder, own) or front is not None):
            return False
        begun = own if _holds(holder, own) else holder.address or ""
        here = End(address=own, groups=holder.groups)
        there = End(address=address, groups=vpc.groups_of(address))
        if not _open(holder) and not groups.lets_out(here, there, vpc.policies, protocol, port):
            return False
        if not vpc.borders_let_pass(here.address, address, protocol, port):
            return False
        endpoint = vpc.endpoint_at(address)
        if endpoint is not None:
            return isinstance(holder, InterfaceSpec) and self._by_endpoint(vpc, endpoint, here, port, protocol)
        if isinstance(holder, InterfaceSpec) and _is_led_in(vpc, address, port, protocol):
            return True
        named = [
            each for each in vpc.instances if (address, port, protocol) == (each.address, each.port, each.protocol)
        ]
        if named:
            if isinstance(holder, AddressSpec):
                if begun != own and address != self._settings.host_address and named[0].hears:
                    return self._enters(vpc, address, port, protocol, own, begun)
                return address == self._settings.host_address or address in self._node.underlay
            if address == self._settings.host_address and not self._is_service(port, protocol):
                return False  # the router keeps tasks off what the host would let it to
        if any(within(address, cidr) for cidr in vpc.spec.cidrs):
            speaks = () if begun == own else holder.groups
            return self._inside(vpc, here.address, address, port, protocol, begun, speaks)
        if address in (self._settings.host_address, self._settings.host_address6) and self._is_service(port, protocol):
            may = isinstance(holder, InterfaceSpec) or _leaves(holder, own)
            return may and self._finds_platform(vpc, here.address, address)
        route = routing.way(vpc.routing, here.address, address)
        match route.kind if route is not None else "closed":
            case "outside":
                return _leaves(holder, own) and self._outside(
                    dict(_publics(holder)).get(own), own, address, port, protocol
                )
            case "nat":
                return route is not None and self._translated(vpc, route, address, port, protocol)
            case "peering":
                return route is not None and self._peered(vpc, route, here.address, address, port, protocol)
        return False

    def _inside(
        self, vpc: Vpc, source: str, address: str, port: int, protocol: str, begun: str, speaks: tuple[str, ...]
    ) -> bool:
        """Within one VPC, on this node or another one; or nobody has the address. `begun`: where answers go back to;
        `speaks`: the groups of a balancer there that speaks for the source."""
        if vpc.at(address) is not None:
            return self._lets_in(vpc, source, address, port, protocol, speaks)
        far = self._beside(vpc, address)
        if far is None:
            return False
        theirs = far._node.vpcs[vpc.spec.id]
        back = theirs.peer_at(begun)  # the other node must know the way back
        known = back is not None and back.node == self._settings.underlay
        speaks = back.groups if back is not None and back.fronting and begun != source else ()
        return known and far._lets_in(theirs, source, address, port, protocol, speaks)

    def _beside(self, vpc: Vpc, address: str) -> Reach | None:
        """The other node that has an address of the VPC."""
        peer = vpc.peer_at(address)
        node = self._node.underlay.get(peer.node) if peer is not None else None
        return Reach(node) if node is not None and vpc.spec.id in node.vpcs else None

    # --- beyond the VPC

    def _enters(self, vpc: Vpc, address: str, port: int, protocol: str, own: str, begun: str) -> bool:
        """To a port of another node, for a client, as far as that node knows of it."""
        node = self._node.underlay.get(address)
        theirs = node.vpcs.get(vpc.spec.id) if node is not None else None
        if node is None or theirs is None or own in (address, node.settings.host_address):
            return False  # a host does not hear what seems to come from itself
        back = theirs.peer_at(begun)
        known = back is not None and back.fronting and back.node == self._settings.underlay
        return known and Entry(port=port, balancer=begun, protocol=protocol) in theirs.entries  # type: ignore[arg-type]

    def _is_service(self, port: int, protocol: str) -> bool:
        return (port, protocol) in {(service.port, service.protocol) for service in self._settings.host_services}

    def _by_endpoint(self, vpc: Vpc, endpoint: Endpoint, source: End, port: int, protocol: str) -> bool:
        services = [service for service in vpc.spec.services if service.endpoints]
        there = End(address=endpoint.address, groups=endpoint.groups)
        return (
            protocol == "tcp"
            and any(port in endpoints.ports(service) for service in services)
            and groups.lets_in(source, there, vpc.policies, protocol, port)
        )

    def _finds_platform(self, vpc: Vpc, source: str, address: str) -> bool:
        subnet = routing.subnet_of(vpc.routing, source)
        if subnet is None or subnet.platform:
            return True
        route = routing.way(vpc.routing, source, address)
        gateway = routing.gateway_of(vpc.routing, route) if route is not None else None
        return route is not None and (route.kind == "outside" or gateway is not None)

    def _outside(self, public: str | None, source: str, address: str, port: int, protocol: str) -> bool:
        if address in (self._settings.host_address, self._settings.underlay):
            return self._is_published(port, protocol)
        if ":" in address:
            pool6 = self._settings.pool6
            if pool6 is None or address == self._settings.host_address6:
                return False
            return self._from_outside6(source, address, port, protocol) if within(address, pool6) else True
        if within(address, self._settings.pool):
            # Without a public address of its own it is seen as one of the host's; no group knows either.
            return self._from_host(public or self._settings.host_address, address, port, protocol)
        return True

    def _translated(self, vpc: Vpc, route: Route, address: str, port: int, protocol: str) -> bool:
        """Through a NAT gateway, on the node that has it, and on by the routes of its own subnet."""
        gateway = routing.gateway_of(vpc.routing, route)
        if gateway is None:
            return False
        if gateway.node:
            home = self._node.underlay.get(gateway.node)
            theirs = home.vpcs.get(vpc.spec.id) if home is not None else None
            return (
                home is not None
                and theirs is not None
                and Reach(home)._onward(theirs, gateway, address, port, protocol)
            )
        return self._onward(vpc, gateway, address, port, protocol)

    def _onward(self, vpc: Vpc, gateway: Gateway, address: str, port: int, protocol: str) -> bool:
        onward = routing.longest(routing.onward_routes(vpc.routing, gateway), ip_network(address))
        match onward.kind if onward is not None else "closed":
            case "outside":
                public = gateway.public
                return public is not None and self._outside(public, gateway.address, address, port, protocol)
            case "peering":
                return onward is not None and self._peered(vpc, onward, gateway.address, address, port, protocol)
        return False

    def _peered(self, vpc: Vpc, route: Route, source: str, address: str, port: int, protocol: str) -> bool:
        """Into another VPC, if it has a way back."""
        other = self._node.vpcs.get(route.target)
        if other is None or not _linked(vpc, other) or not _leads(other, address, source, vpc.spec.id):
            return False
        endpoint = other.endpoint_at(address)
        if endpoint is not None:
            asking = End(address=source, groups=other.groups_of(source))
            crosses = other.borders_let_pass(source, address, protocol, port)
            return crosses and self._by_endpoint(other, endpoint, asking, port, protocol)
        if other.at(address) is not None:
            return self._lets_in(other, source, address, port, protocol)
        far = self._beside(other, address)
        if far is None:
            return False
        theirs, back = far._node.vpcs[other.spec.id], far._node.vpcs.get(vpc.spec.id)
        if back is None or not _linked(theirs, back) or not _leads(theirs, address, source, vpc.spec.id):
            return False
        return far._lets_in(theirs, source, address, port, protocol)

    # --- from the host

    def _is_published(self, port: int, protocol: str) -> bool:
        here = self._node.vpcs.get(BRIDGE)
        seats = here.holders.values() if here is not None else ()
        return any(
            (protocol, port) == (theirs, host)
            for seat in seats
            if isinstance(seat, InterfaceSpec)
            for theirs, host, _ in bridge.published(seat.ports)
        )

    def _from_outside6(self, source: str, address: str, port: int, protocol: str) -> bool:
        """To an IPv6 address of this node: it is routed there as it is."""
        pool6 = self._settings.pool6
        for vpc in self._node.vpcs.values():
            holder = vpc.at(address)
            if holder is None or holder.egress6 != "both" or pool6 is None or not _is_led(vpc, address, pool6):
                continue
            answers = source == self._settings.host_address6 or _answers(vpc, address, source)
            return answers and self._lets_in(vpc, source, address, port, protocol)
        return False

    def _from_host(self, source: str, address: str, port: int, protocol: str) -> bool:
        """To a public address, of this node or of another one, or to a published port."""
        if address in ("127.0.0.1", self._settings.host_address, self._settings.underlay):
            return self._is_published(port, protocol)
        for vpc in self._node.vpcs.values():
            for holder in vpc.holders.values():
                for private, public in _publics(holder):
                    if public == address:
                        return self._lets_in(vpc, source, private, port, protocol)
        node = self._node.underlay.get(self._node.remote.get(address, ""))
        return node is not None and node is not self._node and Reach(node)._from_host(source, address, port, protocol)

    def _lets_in(
        self, vpc: Vpc, source: str, address: str, port: int, protocol: str, speaks: tuple[str, ...] = ()
    ) -> bool:
        holder = vpc.at(address)
        if holder is None or vpc.swallows(holder, "ingress", source, port, protocol):
            return False
        if not vpc.borders_let_pass(source, address, protocol, port):
            return False
        near = End(address=source, groups=(*vpc.groups_of(source), *speaks))
        far = End(address=address, groups=holder.groups)
        return _open(holder) or groups.lets_in(near, far, vpc.policies, protocol, port)


def _linked(one: Vpc, other: Vpc) -> bool:
    return other.spec.id in one.routing.peerings and one.spec.id in other.routing.peerings


def _leads(vpc: Vpc, source: str, target: str, to: str) -> bool:
    route = routing.way(vpc.routing, source, target)
    return route is not None and (route.kind, route.target) == ("peering", to)


def _served(vpc: Vpc) -> set[tuple[str, int, str]]:
    return {(service.address, service.port, service.protocol) for service in vpc.spec.services}


def _is_led_in(vpc: Vpc, address: str, port: int, protocol: str) -> bool:
    """It is the platform's place outside, and the router takes what its tasks send there."""
    gate = vpc.routing.gate
    if gate is None or (address, port, protocol) != (gate.address, gate.port, "tcp"):
        return False
    return any(gates.serves(service) for service in vpc.spec.services)


def _leaves(holder: Holder, own: str) -> bool:
    """May what it sends from this address of its go outside?"""
    if ":" in own:
        return holder.egress6 != "none"
    return holder.egress if own == holder.address else dict(_publics(holder)).get(own) is not None


def _is_led(vpc: Vpc, address: str, pool6: str) -> bool:
    """The host leads what is in the VPC's blocks to it, as far as they are the instance's own."""
    return within(address, pool6) and any(within(address, cidr) for cidr in vpc.spec.cidrs)


def _answers(vpc: Vpc, address: str, source: str) -> bool:
    """What an address inside answers finds its way out."""
    route = routing.way(vpc.routing, address, source)
    return route is not None and route.kind == "outside"


def _of_version(vpc: Vpc, holder: Holder, address: str) -> str | None:
    """What the kernel sends from. Without IPv4 there is still a link-local address for what is served there."""
    if ":" not in address:
        return holder.address or ("" if any(address == served for served, _, _ in _served(vpc)) else None)
    if holder.address6 is not None:
        return holder.address6
    besides = holder.networks if isinstance(holder, InterfaceSpec) else ()
    return next((network for network in besides if ":" in network and "/" not in network), None)


def _holds(far: Holder | Peer | Guest, address: str) -> bool:
    match far:
        case InterfaceSpec() | Peer():
            besides = far.networks
        case Guest():
            besides = far.further
        case _:
            besides = ()
    return address in (far.address, far.address6) or further.holds(besides, address)


def _front(vpc: Vpc, holder: Holder, address: str, port: int, protocol: str) -> Front | None:
    """The holder is a balancer that speaks to this target under whatever address."""
    place = (address, port, protocol)
    named = (each for each in vpc.fronts if (each.address, each.port, each.protocol) == place)
    return next((each for each in named if isinstance(holder, AddressSpec) and _holds(holder, each.balancer)), None)


def _publics(holder: Holder) -> Iterator[tuple[str, str | None]]:
    """Each private address that may have a public one, with that."""
    if holder.address is not None:
        yield holder.address, holder.public
    if isinstance(holder, InterfaceSpec):
        yield from ((each.network, each.public) for each in holder.further)


def _open(holder: Holder) -> bool:
    return isinstance(holder, AddressSpec) and holder.open
