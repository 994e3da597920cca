"""One VPC on this node: the state of its router, and the jobs that change it.

Everything but `__init__` runs in the thread of the router's namespace. `converge` brings the namespace from whatever
is there to what is wanted, in place: it makes a new router, adopts the one of an earlier process, and applies a changed
specification. The other jobs are its small, frequent steps.
"""

from __future__ import annotations

from collections.abc import Callable

from hatoba.core.errors import PortError, Refused
from hatoba.network import (
    bridge,
    fronts,
    further,
    ground,
    holders,
    interfaces,
    messages,
    names,
    returning,
    routing,
    tracking,
    tunnel,
    ways,
)
from hatoba.network.base import BRIDGE, Acl, AddressSpec, InterfaceSpec, Peer, PolicySet, Settings, VpcSpec
from hatoba.network.beyond import Gateway, Guest, Routing
from hatoba.network.fronts import Backs
from hatoba.network.hosted import Hosted
from hatoba.network.namespace import Namespace, has_ipv6, sysctl
from hatoba.network.netlink import index, settle, settle_addresses
from hatoba.network.records import Records, RouterRecord
from hatoba.network.rulebook import RuleBook
from hatoba.network.ruleset import Frame


class Router:
    def __init__(
        self, namespace: Namespace, settings: Settings, records: Records, record: RouterRecord, heard: frozenset[int]
    ) -> None:
        """`heard`: published ports of datagrams."""
        self.namespace = namespace
        self.spec = record.spec
        self.transit = record.transit
        self.interfaces: dict[str, InterfaceSpec] = {}  # complete ones
        self.addresses: dict[str, AddressSpec] = {}
        self.acls: tuple[Acl, ...] = ()
        self.peers: tuple[Peer, ...] = ()
        self.guests: tuple[Guest, ...] = ()
        self.hosted = records.hosted(record, settings)
        self.heard = heard
        self.routing = Routing()
        self.gone: list[str] = []  # addresses and IPv6 blocks whose connections are to be forgotten
        self._locals = bridge.Addresses(names.LOCALS)
        self._unsure: dict[str, set[str]] = {}  # interface → what a change that failed may have left it besides its own
        self._ways = ways.NOTHING
        self._backs = fronts.NO_BACKS
        self.converged = False  # the last `converge` came to its end
        self._settings = settings
        self._records = records
        self._book = RuleBook(self._frame())

    def _frame(self) -> Frame:
        return Frame(
            host_address=self._settings.host_address,
            host_address6=self._settings.host_address6,
            transit=self.transit,
            host_services=self._settings.host_services,
            services=self.spec.services,
            bridge=self.spec.id == BRIDGE,
            underlay=self._settings.underlay,
        )

    def converge(self, spec: VpcSpec) -> None:
        """To what the records say. Interfaces that are not complete are taken away, to be made anew when asked for."""
        self.spec = spec
        self.converged = False
        vpc = spec.id
        if not has_ipv6() and any(":" in cidr for cidr in spec.cidrs):
            raise Refused(f"{vpc} has an IPv6 block, and this machine's kernel was started without IPv6.")
        ground.prepare()
        self._locals.keep(self._records.locals(vpc))
        self._adopt_interfaces(self._records.interfaces(vpc))
        self.addresses = {address.id: address for address in self._records.addresses(vpc)}
        self.peers = self._records.peers(vpc)
        self.guests = self._records.guests(vpc)
        self.routing = self._records.routing(vpc)
        self.hosted = self._records.hosted(self._records.router(vpc), self._settings)
        self._book = RuleBook(self._frame())
        self._book.set_policies(self._records.policies(vpc))
        self.acls = self._records.acls(vpc)
        self._book.set_acls(self.acls)
        self._book.put((interface.id, holders.of_interface(interface)) for interface in self.interfaces.values())
        self._book.put((address.id, holders.of_address(address)) for address in self.addresses.values())
        self._book.put((holders.key(peer), holders.of_far(peer)) for peer in self.peers)
        self._book.put((holders.key(guest), holders.of_far(guest)) for guest in self.guests)
        self._book.set_gateways(self.gateways)
        self._book.set_endpoints(self.routing.endpoints)
        self._book.set_gate(self.routing.gate)
        self._book.set_hosted(self.hosted)
        self._book.set_heard(self.heard)
        self._book.set_nodes(self.nodes)
        # Rules before ways: nothing passes a router whose table is not there yet.
        self.namespace.rules(self._book.document())
        self._converge_ground()
        self._converge_further()
        self._lead_to_host()
        tunnel.converge(self.namespace.netlink, self._beyond(self.peers, self.hosted), self._settings.underlay)
        if self.has_tunnel():
            # What a peered VPC answers may come from another node than what it was asked went to.
            sysctl(f"net/ipv4/conf/{names.TUNNEL}/rp_filter", "0")
        self._backs = self._wanted_backs(self.hosted, self.peers)
        returning.converge(self.namespace.netlink, self._backs)
        self._ways = ways.converge(self.namespace.netlink, self._wanted_ways())
        self.namespace.netlink.apply(messages.no_route("0.0.0.0/0"))  # where an earlier version had it
        self._close_gate()  # an earlier process may have died before it did
        self.converged = True

    def _adopt_interfaces(self, recorded: list[InterfaceSpec]) -> None:
        links = self.namespace.netlink.links()
        self.interfaces = {}
        for spec in recorded:
            path = self._records.namespace(spec.id)
            if interfaces.is_complete(links, spec.id, path):
                self.interfaces[spec.id] = spec
            else:
                interfaces.clear(self.namespace, spec.id, path)
        ports = {names.port(spec.id) for spec in recorded}
        strays = [x["index"] for name, x in links.items() if name.startswith(names.PORT_PREFIX) and name not in ports]
        self.namespace.netlink.apply(*map(messages.unlink, strays))

    def _converge_ground(self) -> None:
        netlink, pool6 = self.namespace.netlink, self._settings.pool6
        ground.hold(netlink, self._own_addresses(), {service.address for service in self.spec.services})
        ground.enclose(netlink, self.spec.cidrs)
        own6 = names.router6(pool6, self.transit) if pool6 is not None else None
        ground.open_uplink(netlink, self.spec.id, self._settings.host_address, own6)

    def _converge_further(self) -> None:
        """Standing interfaces, which a crash may have left in the middle of a change."""
        self._unsure = {}
        there = interfaces.ways(self.namespace.netlink)
        for spec in self.interfaces.values():
            port = index(names.port(spec.id))
            present = there.get(port, set()) if port is not None else set()
            if present != set(spec.networks):
                gone = present - set(spec.networks)
                interfaces.change(self.namespace, spec, self._records.namespace(spec.id), gone)

    def has_tunnel(self) -> bool:
        return index(names.TUNNEL) is not None

    def ensure_interface(self, spec: InterfaceSpec) -> None:
        self._records.put_interface(spec)
        netns = self._records.namespace(spec.id)
        present = self.interfaces.get(spec.id)
        if present is not None and interfaces.same_wire(present, spec):
            self._rules(lambda book: book.put([(spec.id, holders.of_interface(spec))]))
            self._change_further(present, spec)
        else:
            if present is not None:
                self._disconnect(present)
            local = self._give_local(spec)
            interfaces.build(self.namespace, spec, netns, self._settings.mtu, local)
            self._rules(lambda book: book.put([(spec.id, holders.of_interface(spec))]))
            interfaces.connect(self.namespace, spec, local)
        self.interfaces[spec.id] = spec

    def _give_local(self, spec: InterfaceSpec) -> str | None:
        if spec.address is not None:
            return None
        local = self._locals.give(spec.id)
        self._records.put_locals(self.spec.id, self._locals.given)
        return local

    def local(self, interface: str) -> str | None:
        """The link-local address of an interface that has no other one of IPv4. From any thread."""
        return self._locals.given.get(interface)

    def _change_further(self, present: InterfaceSpec, spec: InterfaceSpec) -> None:
        before = {*present.networks, *self._unsure.get(spec.id, ())}
        if before == set(spec.networks) and spec.id not in self._unsure:
            return
        gone = before - set(spec.networks)
        self._unsure[spec.id] = before | set(spec.networks)
        interfaces.change(self.namespace, spec, self._records.namespace(spec.id), gone)
        del self._unsure[spec.id]
        self.gone += further.addresses(gone)

    def is_as(self, spec: InterfaceSpec) -> bool:
        """It stands as it is wanted, for certain. From any thread."""
        return self.interfaces.get(spec.id) == spec and spec.id not in self._unsure

    def remove_interface(self, interface: str) -> None:
        spec = self._records.interface(self.spec.id, interface)
        if spec is not None:
            self._disconnect(spec)
        self._records.forget_interface(self.spec.id, interface)

    def _disconnect(self, spec: InterfaceSpec) -> None:
        self.interfaces.pop(spec.id, None)
        self._unsure.pop(spec.id, None)
        self._rules(lambda book: book.drop([spec.id]))
        local = self.local(spec.id)
        interfaces.remove(self.namespace, spec, self._records.namespace(spec.id), local)
        self.gone += holders.own(spec)
        if local is not None:
            self.gone.append(local)
            self._locals.release(spec.id)
            self._records.put_locals(self.spec.id, self._locals.given)

    def ensure_address(self, spec: AddressSpec) -> None:
        self._records.put_address(spec)
        old = self.addresses.get(spec.id)
        self._rules(lambda book: book.put([(spec.id, holders.of_address(spec))]))
        self.addresses[spec.id] = spec
        gone = holders.own(old) - self._own_addresses() if old is not None else set()
        self.namespace.netlink.apply(
            *(messages.no_address(ground.LOOPBACK, address) for address in gone),
            *(messages.address(ground.LOOPBACK, address) for address in holders.own(spec)),
        )
        settle_addresses(self.namespace.netlink, holders.own(spec))
        self._renew_speakers()

    def remove_address(self, address_id: str) -> None:
        old = self.addresses.pop(address_id, None)
        self._rules(lambda book: book.drop([address_id]))
        if old is not None:
            gone = holders.own(old) - self._own_addresses()
            self.gone += gone
            self.namespace.netlink.apply(*(messages.no_address(ground.LOOPBACK, address) for address in gone))
            self._renew_speakers()
        self._records.forget_address(self.spec.id, address_id)

    def _own_addresses(self) -> set[str]:
        served = {service.address for service in self.spec.services}
        return served.union({names.ROUTER_ADDRESS}, *(holders.own(address) for address in self.addresses.values()))

    def set_policies(self, policies: tuple[PolicySet, ...]) -> None:
        self._records.put_policies(self.spec.id, policies)
        self._rules(lambda book: book.set_policies(policies))

    def set_acls(self, acls: tuple[Acl, ...]) -> None:
        self._records.put_acls(self.spec.id, acls)
        self._rules(lambda book: book.set_acls(acls))
        self.acls = acls

    def set_peers(self, peers: tuple[Peer, ...]) -> None:
        self._records.put_peers(self.spec.id, peers)
        gone = {holders.key(peer) for peer in self.peers} - {holders.key(peer) for peer in peers}
        self._rules(
            lambda book: book.drop(gone) + book.put((holders.key(peer), holders.of_far(peer)) for peer in peers)
        )
        self._renew_beyond(self.hosted, peers)
        self.gone += set[str]().union(*map(holders.own, self.peers)).difference(*map(holders.own, peers))
        self.peers = peers

    def set_guests(self, guests: tuple[Guest, ...]) -> None:
        self._records.put_guests(self.spec.id, guests)
        gone = {holders.key(guest) for guest in self.guests} - {holders.key(guest) for guest in guests}
        self._rules(
            lambda book: book.drop(gone) + book.put((holders.key(guest), holders.of_far(guest)) for guest in guests)
        )
        self.guests = guests

    def set_hosted(self, wanted: Hosted) -> None:
        self._records.put_hosted(self.spec.id, self.hosted, wanted)
        self._renew_beyond(wanted, self.peers)
        self._rules(lambda book: book.set_hosted(wanted))
        self.hosted = wanted
        self._lead_to_host()
        self.renew_ways()

    def set_heard(self, heard: frozenset[int]) -> None:
        self._rules(lambda book: book.set_heard(heard))
        self.heard = heard

    def _lead_to_host(self) -> None:
        """By the address that stands for the VPC there, whatever the subnets' ways are."""
        device = index(names.UPLINK)
        if self.hosted.ends is not None and device is not None:
            host, own = self._settings.host_address, self.hosted.ends.own
            self.namespace.netlink.apply(messages.route(f"{own}/32", device, via=host))

    @property
    def nodes(self) -> frozenset[str]:
        """All other nodes that something goes to, or comes from."""
        return holders.nodes(self._beyond(self.peers, self.hosted))

    def _beyond(self, peers: tuple[Peer, ...], hosted: Hosted) -> tuple[Peer, ...]:
        """With the nodes that nobody of the VPC is on, and of which ports are spoken to."""
        others = hosted.nodes - holders.nodes(peers)
        return (*peers, *(Peer(address=None, node=node) for node in sorted(others)))

    def _renew_beyond(self, hosted: Hosted, peers: tuple[Peer, ...]) -> None:
        before, after = self._beyond(self.peers, self.hosted), self._beyond(peers, hosted)
        tunnel.change(self.namespace.netlink, before, after, self._settings.underlay)
        self._renew_backs(hosted, peers)
        self._rules(lambda book: book.set_nodes(holders.nodes(after)))

    def _renew_speakers(self) -> None:
        """After the router's own addresses have changed."""
        self._renew_backs(self.hosted, self.peers)
        if self.hosted.nodes:
            self.renew_ways()

    def _renew_backs(self, hosted: Hosted, peers: tuple[Peer, ...]) -> None:
        before, self._backs = self._backs, self._wanted_backs(hosted, peers)
        returning.change(self.namespace.netlink, before, self._backs)

    def _wanted_backs(self, hosted: Hosted, peers: tuple[Peer, ...]) -> Backs:
        own = (address.address for address in self.addresses.values())
        return fronts.backs(hosted.fronts, own, self._beyond(peers, hosted))

    @property
    def gateways(self) -> list[Gateway]:
        """The NAT gateways of this node."""
        return [gateway for gateway in self.routing.gateways if not gateway.node]

    def set_routing(self, wanted: Routing) -> None:
        self._records.put_routing(self.spec.id, wanted)
        before, self.routing = self.routing, wanted
        # What a gateway may do comes before the ways to it, so no packet leaves with its own address.
        self._rules(lambda book: book.set_gateways(self.gateways))
        self._rules(lambda book: book.set_endpoints(wanted.endpoints))
        self._rules(lambda book: book.set_gate(wanted.gate))
        if wanted.gate != before.gate:
            self._close_gate()
        self.renew_ways()

    def _close_gate(self) -> None:
        """No connection goes on past it. Those that go through it do: who answers them has another address."""
        if self.routing.gate is not None:
            self.forget([self.routing.gate.address])

    def renew_ways(self) -> None:
        self._ways = ways.change(self.namespace.netlink, self._ways, self._wanted_ways())

    def _wanted_ways(self) -> routing.Ways:
        host = routing.Host(self._settings.host_address, self._settings.host_address6)
        own = {address.address for address in self.addresses.values() if address.address is not None}
        nodes = {node: fronts.hops(self._backs.nodes[node])[0] for node in self.hosted.nodes}
        spoken = routing.Spoken(nodes, frozenset(own), bool(self.hosted.entries))
        entrances = {service.address for service in self.spec.services if service.endpoints}
        return routing.ways(self.routing, host, self.hosted.all_instances, entrances, spoken)

    def is_linked(self, vpc: str) -> bool:
        return index(names.link(vpc)) is not None

    def open_link(self, vpc: str) -> None:
        """This router's end of the way to another one, which has been made."""
        self.namespace.netlink.apply(messages.up(self._link(vpc)))

    def use_link(self, vpc: str) -> None:
        """Once both ends are up."""
        settle(self.namespace.netlink, self._link(vpc))
        self.renew_ways()

    def _link(self, vpc: str) -> int:
        device = index(names.link(vpc))
        if device is None:
            raise PortError("kernel", f"The way from {self.spec.id} to {vpc} is gone.")
        return device

    def unlink(self, vpc: str) -> None:
        self._ways = ways.close(self.namespace.netlink, self._ways, names.link(vpc))
        device = index(names.link(vpc))
        if device is not None:
            self.namespace.netlink.apply(messages.unlink(device))

    def forget(self, addresses: list[str]) -> None:
        tracking.forget(addresses)

    def _rules(self, change: Callable[[RuleBook], str]) -> None:
        commands = change(self._book)
        try:
            self.namespace.rules(commands)
        except PortError:
            # The kernel's table is not what the book thought: state it whole. A rule that is wrong fails again, loudly.
            self.namespace.rules(self._book.document())
