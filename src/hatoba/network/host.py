"""The host's side of the fabric: uplinks, public addresses, the claim on the pool, tunnels' outer ends.

What is touched on the host, and nothing else:

    devices     one `hat…` veth per VPC, with forwarding on, redirects off, and IPv6 off unless the VPC has it (its own
                settings only)
    ports       those published for seats on the bridge are bound (`hostports`)
    rules       one nftables table of our own name (`hostrules`)
    routes      marked with origin 72: the pool as unreachable (the claim), public addresses by uplinks or other nodes;
                to loopback for an address that is redirected, where the machine knows no way to it; IPv6: `host6`
    ways back   addresses of the pool that stand for a VPC each, with a rule and a table of ours (`hostends`)
    forwarding  of the devices that lead outside, if it was off (`forwarding`); put back by `teardown`

All functions but `__init__` and `transit_of` are jobs for the host's namespace thread.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from hatoba.core.errors import PortError, Refused
from hatoba.network import addresses, bridge, host6, hostrules, messages, names, syscalls, tracking
from hatoba.network.base import BRIDGE, HostRedirect, InterfaceSpec, Publish, RemotePublic, Settings, VpcSpec
from hatoba.network.beyond import Instance
from hatoba.network.forwarding import Forwarding
from hatoba.network.hosted import Ends
from hatoba.network.hostends import HostEnds
from hatoba.network.hostports import HostPorts
from hatoba.network.hostroutes import HostRoute, routes_of, ways_outside
from hatoba.network.namespace import Namespace, sysctl
from hatoba.network.netlink import Netlink, index, settle

_ANY_INDEX = 0
_LOOPBACK = 1


class Host:
    def __init__(self, settings: Settings, namespace: Namespace) -> None:
        self.namespace = namespace
        self._settings = settings
        self._forwarding = Forwarding(settings.shared_dir / "forwarding.json", settings.instance)
        self._nodes: dict[str, frozenset[str]] = {}  # VPC → the nodes its peers are on
        self._publics: dict[str, tuple[str, str]] = {}  # public address → VPC and holder
        self._held: dict[tuple[str, str], frozenset[str]] = {}  # and back
        self._remote: dict[str, str] = {}  # public address → node
        self._published: dict[str, hostrules.Published] = {}  # seat → its ports
        self._instances: dict[str, hostrules.Instances] = {}  # VPC → what its balancers reach of the host
        self.ports = HostPorts()
        self.ends = HostEnds(settings, namespace)

    def refuse_collisions(self, claimed: bool) -> None:
        """`claimed`: an earlier process of this instance has claimed the pool, so marked routes in it are ours."""
        pool = IPv4Network(self._settings.pool)
        for network, device, _, origin in routes_of(self.namespace.netlink):
            if claimed and origin == messages.OURS:
                continue
            if pool.overlaps(network) and not device.startswith(names.host_prefix(self._settings.instance)):
                by = f" by {device}" if device else ""
                raise Refused(
                    f"The address pool {pool} collides with the host's route to {network}{by}: "
                    "choose another one within 100.64.0.0/10."
                )
        host6.refuse_collisions(self.namespace.netlink, self._settings, claimed)

    def prepare(
        self,
        nodes: dict[str, frozenset[str]],
        seats: Iterable[InterfaceSpec],
        transit: str,
        instances: Mapping[str, Iterable[Instance]],
        ends: Mapping[str, Ends],
    ) -> None:
        """Claims the pool and installs the rules; `nodes` are those of each standing VPC's peers, `seats` those of the
        bridge, whose uplink has the address `transit`, `instances` what each VPC's balancers reach of the host, `ends`
        what stands for each."""
        self._nodes = nodes
        self._instances = {vpc: self._by_uplink(vpc, known) for vpc, known in instances.items()}
        for seat in seats:
            self._published[seat.id] = _ports(seat.ports, transit)
            self.ports.keep(seat.id, seat.ports)
        netlink = self.namespace.netlink
        netlink.apply(messages.unreachable(self._settings.pool, origin=messages.OURS))
        host6.claim(netlink, self._settings)
        outside = self._settings.outside
        if outside is None:
            outside = tuple(sorted(ways_outside(netlink, self._settings.underlay)))
        guarded = self._forwarding.turn_on(outside)
        published = {port: to for ports in self._published.values() for port, to in ports.items()}
        reached = frozenset[tuple[str, str, str, int]]().union(*self._instances.values())
        known = frozenset[str]().union(*nodes.values())
        standing = self.ends.keep(ends)
        self.namespace.rules(hostrules.document(self._settings, guarded, known, published, reached, standing))

    def make_namespace(self, vpc: str, path: Path, prepare: Callable[[], None]) -> None:
        """A router's, when it is not there; `prepare` is run inside of a new one."""
        if not syscalls.is_pinned(path):
            syscalls.unpin(path)
            self._unlink_uplink(vpc)  # it leads to a namespace that is lost
            self.namespace.spawn(path, prepare)

    def connect(self, spec: VpcSpec, transit: str, path: Path) -> None:
        """The uplink's host end, complete; the router's end waits to be configured."""
        netlink = self.namespace.netlink
        device = names.host_uplink(self._settings.instance, spec.id)
        router = syscalls.open_namespace(path)
        try:
            link = netlink.links().get(device)
            if link is not None and link.get_attr("IFLA_IFALIAS") != spec.id:
                netlink.apply(messages.unlink(link["index"]))
                link = None
            if link is None:
                netlink.apply(
                    messages.veth(
                        device,
                        names.HOST_MAC,
                        1500,
                        peer=names.UPLINK,
                        peer_mac=names.UPLINK_MAC,
                        peer_index=_ANY_INDEX,
                        peer_netns=router,
                    )
                )
                self._open_uplink(device, spec.id, transit)
        finally:
            os.close(router)

    def _open_uplink(self, device: str, vpc: str, transit: str) -> None:
        sysctl(f"net/ipv6/conf/{device}/disable_ipv6", "1")
        sysctl(f"net/ipv4/conf/{device}/forwarding", "1")
        sysctl(f"net/ipv4/conf/{device}/send_redirects", "0")
        link = index(device)
        assert link is not None, "it was made just now"
        self.namespace.netlink.apply(
            messages.address(link, self._settings.host_address),
            messages.up(link),
            messages.neighbour(link, transit, names.UPLINK_MAC),
            messages.route(f"{transit}/32", link, source=self._settings.host_address, origin=messages.OURS),
            messages.mark(link, vpc),
        )

    def settle_uplink(self, spec: VpcSpec) -> None:
        """Once the router's end is up: until this one sends packets, IPv6 too."""
        link = index(names.host_uplink(self._settings.instance, spec.id))
        if link is not None:
            settle(self.namespace.netlink, link)
            host6.lead(self.namespace.netlink, self._settings, spec)

    def make_tunnel(self, spec: VpcSpec, path: Path) -> None:
        """In the router's namespace, its outer end here. Must not stand yet."""
        local = self._settings.underlay
        if local is None or not spec.vni:
            return
        router = syscalls.open_namespace(path)
        try:
            self.namespace.netlink.apply(
                messages.vxlan(
                    names.TUNNEL,
                    names.node_mac(local),
                    self._settings.mtu,
                    vni=spec.vni,
                    local=local,
                    port=self._settings.vxlan_port,
                    netns=router,
                )
            )
        finally:
            os.close(router)

    def make_link(self, one: tuple[str, Path], other: tuple[str, Path]) -> None:
        """The way between the routers of two peered VPCs, each given by its id and namespace. Must not stand yet."""
        near, far = syscalls.open_namespace(one[1]), syscalls.open_namespace(other[1])
        try:
            self.namespace.netlink.apply(
                messages.veth(
                    names.link(other[0]),
                    names.LINK_MAC,
                    self._settings.mtu,
                    peer=names.link(one[0]),
                    peer_mac=names.LINK_MAC,
                    peer_index=_ANY_INDEX,
                    peer_netns=far,
                    netns=near,
                )
            )
        finally:
            os.close(near)
            os.close(far)

    def remove_ways(self, path: Path) -> None:
        """To other nodes and to peered VPCs. At once: a namespace goes later, and until then their names and the
        tunnel's number would be taken."""
        if syscalls.is_pinned(path):
            self.namespace.visit(path, _unlink_ways)

    def disconnect(self, vpc: str) -> None:
        """Removes the uplink, and with it the routes that lead there."""
        self._unlink_uplink(vpc)
        for holder in [holder for holder in self._held if holder[0] == vpc]:
            for address in self._held.pop(holder):
                self._release(address, holder)
        self.admit(vpc, frozenset())
        self._nodes.pop(vpc, None)
        self.let_in(vpc, ())
        self.ends.take(vpc)

    def _unlink_uplink(self, vpc: str) -> None:
        link = index(names.host_uplink(self._settings.instance, vpc))
        if link is not None:
            self.namespace.netlink.apply(messages.unlink(link))

    def admit(self, vpc: str, nodes: frozenset[str]) -> None:
        """Lets these nodes' tunnel packets in on the VPC's behalf, and those no longer named by any VPC out."""
        before = frozenset().union(*self._nodes.values())
        self._nodes[vpc] = nodes
        after = frozenset().union(*self._nodes.values())
        instance = self._settings.instance
        lines = hostrules.dismiss(instance, before - after) + hostrules.admit(instance, after - before)
        self.namespace.rules("\n".join(lines))

    def let_in(self, vpc: str, instances: Iterable[Instance]) -> None:
        """Lets what the VPC's router sends to these ports of the host in, and to no others any more."""
        before, after = self._instances.pop(vpc, frozenset()), self._by_uplink(vpc, instances)
        if after:
            self._instances[vpc] = after
        instance = self._settings.instance
        lines = hostrules.shut_out(instance, before - after) + hostrules.let_in(instance, after - before)
        self.namespace.rules("\n".join(lines))

    def _by_uplink(self, vpc: str, instances: Iterable[Instance]) -> hostrules.Instances:
        uplink = names.host_uplink(self._settings.instance, vpc)
        return frozenset((uplink, each.address, each.protocol, each.port) for each in instances)

    @property
    def heard(self) -> frozenset[int]:
        """Published ports of datagrams. From any thread."""
        published = list(self._published.values())
        return frozenset(port for ports in published for protocol, port in ports if protocol == "udp")

    def open_bridge(self) -> None:
        """Its uplink is there. What the host sends from its loopback may leave by it: it takes the host's address
        there. And so may what balancers send to published ports."""
        sysctl(f"net/ipv4/conf/{names.host_uplink(self._settings.instance, BRIDGE)}/route_localnet", "1")
        self.ends.lead_on()

    def publish(self, seat: str, ports: tuple[Publish, ...], transit: str) -> None:
        """Leads ports of the host, which are ours already, to the bridge."""
        before, after = self._published.get(seat, {}), _ports(ports, transit)
        if before != after:
            instance = self._settings.instance
            lines = hostrules.withdraw(instance, before) + hostrules.publish(instance, after)
            self.namespace.rules("\n".join(lines))
            self._published[seat] = after
        self.ports.listen(seat)

    def withdraw(self, seat: str) -> None:
        self.namespace.rules("\n".join(hostrules.withdraw(self._settings.instance, self._published.pop(seat, {}))))
        self.ports.release(seat)

    def redirect(self, wanted: HostRedirect | None) -> None:
        """Also on a machine that is connected to nothing: rules change only what has a way."""
        self.namespace.rules(hostrules.redirect(self._settings.instance, wanted))
        if wanted is not None and not _has_way(wanted.address):
            way = messages.route(f"{wanted.address}/32", _LOOPBACK, source="127.0.0.1", origin=messages.OURS)
            self.namespace.netlink.apply(way)

    def publics_of(self, vpc: str, holder: str) -> frozenset[str]:
        """The public addresses that are routed to the holder at present. From any thread."""
        return self._held.get((vpc, holder), frozenset())

    def set_publics(self, vpc: str, holder: str, wanted: frozenset[str], transit: str) -> None:
        """Routes the addresses to the holder's router, and no others."""
        old = self._held.pop((vpc, holder), frozenset())
        for address in old - wanted:
            self._release(address, (vpc, holder))
        if not wanted:
            return
        link = index(names.host_uplink(self._settings.instance, vpc))
        if link is None:
            raise PortError("unknown_vpc", f"The VPC {vpc} has no uplink on this node.")
        source = self._settings.host_address
        self.namespace.netlink.apply(
            *(messages.route(f"{a}/32", link, via=transit, source=source, origin=messages.OURS) for a in wanted)
        )
        for address in wanted:
            # Whoever held it before has lost it, and must not take the route away when it lets go.
            if (before := self._publics.get(address)) in self._held:
                self._held[before] -= {address}
            self._publics[address] = (vpc, holder)
        self._held[vpc, holder] = wanted

    def _release(self, address: str, holder: tuple[str, str]) -> None:
        if self._publics.get(address) != holder:
            return
        del self._publics[address]
        tracking.forget([address])
        change = messages.no_route(f"{address}/32", origin=messages.OURS)
        if address in self._remote:  # it has moved to another node
            change = messages.route_by_gateway(f"{address}/32", self._remote[address], origin=messages.OURS)
        self.namespace.netlink.apply(change)

    def set_remote(self, publics: Iterable[RemotePublic]) -> None:
        wanted = {public.address: public.node for public in publics}
        gone = [address for address in self._remote if address not in wanted and address not in self._publics]
        come = {
            address: node
            for address, node in wanted.items()
            if self._remote.get(address) != node and address not in self._publics
        }
        self.namespace.netlink.apply(
            *(messages.no_route(f"{address}/32", origin=messages.OURS) for address in gone),
            *(messages.route_by_gateway(f"{a}/32", node, origin=messages.OURS) for a, node in come.items()),
        )
        self._remote = wanted

    def adopt(self, local: Mapping[str, tuple[str, str]], remote: Iterable[RemotePublic], vpcs: Iterable[str]) -> None:
        """After a restart: knows the public addresses that are routed, removes routes and devices that nobody wants."""
        netlink = self.namespace.netlink
        self.ends.adopt()
        prefix = names.host_prefix(self._settings.instance)
        uplinks = {names.host_uplink(self._settings.instance, vpc): vpc for vpc in vpcs}
        links = netlink.links().items()
        netlink.apply(*(messages.unlink(x["index"]) for n, x in links if n.startswith(prefix) and n not in uplinks))
        nodes = {public.address: public.node for public in remote}
        for route in self._own_routes():
            address = str(route.network.network_address)
            vpc = uplinks.get(route.device)
            if vpc is not None and address in local and local[address][0] == vpc:
                self._publics[address] = local[address]
                self._held[local[address]] = self._held.get(local[address], frozenset()) | {address}
            elif route.gateway is not None and nodes.get(address) == route.gateway and address not in local:
                self._remote[address] = route.gateway
            elif vpc is None or route.gateway is not None:
                netlink.apply(messages.no_route(str(route.network), origin=messages.OURS))

    def _own_routes(self) -> list[HostRoute]:
        """Those to single addresses, marked as ours: not the claim."""
        pool = IPv4Network(self._settings.pool)
        return [
            route
            for route in routes_of(self.namespace.netlink)
            if route.origin == messages.OURS
            and isinstance(route.network, IPv4Network)
            and route.network.prefixlen == 32
            and route.network.subnet_of(pool)
        ]

    def _redirected(self) -> list[HostRoute]:
        """Ways that were made for what is redirected. Another instance without a network may have made the same."""
        routes = routes_of(self.namespace.netlink)
        return [route for route in routes if route.origin == messages.OURS and route.device == "lo"]

    def teardown(self) -> None:
        netlink = self.namespace.netlink
        prefix = names.host_prefix(self._settings.instance)
        links = netlink.links().items()
        netlink.apply(*(messages.unlink(link["index"]) for name, link in links if name.startswith(prefix)))
        ours = [str(route.network) for route in (*self._own_routes(), *self._redirected())]
        netlink.apply(*(messages.no_route(n, origin=messages.OURS) for n in (*ours, self._settings.pool)))
        self.ends.teardown()
        host6.release(netlink, self._settings)
        self.namespace.rules(hostrules.removal(self._settings.instance))
        self._forwarding.restore()


def _ports(ports: Iterable[Publish], transit: str) -> hostrules.Published:
    return {(protocol, host): transit for protocol, host, _ in bridge.published(ports)}


def _has_way(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))  # sends nothing
        except OSError:
            return False
    return True


def _unlink_ways() -> None:
    with Netlink() as netlink:
        ways = [x["index"] for n, x in netlink.links().items() if n == names.TUNNEL or n.startswith(names.LINK_PREFIX)]
        netlink.apply(*map(messages.unlink, ways))


def next_transit(settings: Settings, taken: Iterable[str]) -> str:
    """An uplink address for one more router."""
    used = {IPv4Address(address) for address in taken} | {IPv4Address(settings.host_address)}
    free = addresses.next_public(IPv4Network(settings.transit), used)
    if free is None:
        raise Refused(f"All of {settings.transit} is in use: this node cannot hold another VPC.")
    return str(free)
