"""The port between a node agent and its networks.

A *router* is one VPC's network namespace on this node; an *interface* is a task's network namespace with one `eth0`
routed to it; an *address* belongs to the router itself (a load balancer's interface). A *peer* is an interface or
address of the same VPC on another node. *Policies* are the security groups' rules; who is a member of a group is said
by the interfaces, addresses and peers themselves, and by *guests*: those of a peered VPC that rules here name.
*Routing* says by subnet what lies beyond the VPC: the outside, NAT gateways, peered VPCs.

Beside the VPCs a node has one *bridge*: a router too, of which nobody outside of this node knows. A *seat* on it is a
container's namespace with an address of the bridge; ports of the host may lead there.

IPv6 is never translated: what an interface has by it is reached from the host and from outside as it is, if it says
so (`Egress6`) and lies in `Settings.pool6`, the blocks that are led to this instance. All others stay within their VPC.

Every `ensure_*` and `set_*` states what is wanted and may be repeated: it changes what differs, nothing else, and
completes whatever a crash left half made. Addresses and networks are text ("10.0.0.5", "10.0.0.0/16"), as records and
messages carry them; a malformed value raises `ValueError`. Everything else that fails raises `PortError` (codes:
"kernel", "rules", "unknown_vpc", "port_taken", "closed"), or `Refused` when only the operator can mend it.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from hatoba.network.beyond import Entry, Front, Guest, Instance, Routing
from hatoba.network.further import Further
from hatoba.network.trouble import Fault

Transport = Literal["tcp", "udp"]
Egress6 = Literal["none", "out", "both"]  # by IPv6: only within the VPC; also out, and answers back; in from there too

BRIDGE = "bridge"  # no VPC's id


class HostService(msgspec.Struct, frozen=True, kw_only=True):
    """A port of the host that tasks may reach, at `Settings.host_address`. Everything else of the host is closed."""

    port: int
    protocol: Transport = "tcp"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What one node's fabric is given once.

    `instance` names the owner: devices, tables and files are named after it, so instances share a host. Tests give
    every node its own, and every node its own `run_dir`.
    """

    instance: str
    run_dir: Path  # the fabric's alone: a tmpfs is mounted there, which goes as the kernel's state goes
    shared_dir: Path = Path("/run/hatoba")  # one for all instances on the machine: what they must agree on
    host_address: str = "100.64.0.1"  # the host's end of every uplink: where tasks reach `host_services`
    transit: str = "100.64.0.0/22"  # this node's routers take their uplink addresses from here
    pool: str = "100.64.0.0/16"  # all public addresses (and `transit`), of all nodes
    pool6: str | None = None  # all IPv6 blocks of VPCs that are reached from outside of these; None: there are no such
    host_address6: str | None = None  # of `pool6`: the host's, where tasks reach `host_services` by IPv6
    host_services: tuple[HostService, ...] = ()
    outside: tuple[str, ...] | None = None  # devices that lead outside or to other nodes; None: found by routes
    underlay: str | None = None  # this node's address for the other nodes; None: it has none, and no vxlan is made
    vxlan_port: int = 14789
    bridge: str = "172.17.0.0/16"  # addresses on the bridge: seen by nobody else, so the same on every node
    mtu: int = 1450  # of a task's interface: 1500 less the vxlan header


class RouterService(msgspec.Struct, frozen=True, kw_only=True):
    """An address and port on which the router itself serves every task of its VPC, whatever the security groups say.

    For the resolver and the metadata endpoint. The sockets come from `open_socket`. An interface without IPv4 reaches
    those at 169.254.0.0/16 as well: see `Attachment.local`.
    """

    address: str
    port: int
    protocol: Transport = "tcp"
    endpoints: bool = False  # the VPC's endpoints lead here, at this port and (unless it is that of HTTPS) at HTTP's


class VpcSpec(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    cidrs: tuple[str, ...]  # IPv4 and IPv6; may overlap with any other VPC's
    vni: int  # the VPC's number between the nodes, 1 … 2**24 - 1 (0, of the bridge: it is known to none of them)
    services: tuple[RouterService, ...] = ()


class Publish(msgspec.Struct, frozen=True, kw_only=True):
    """`count` ports of a seat, from `port` on, reached at ports of the host, from `host` on; 0: chosen by the node."""

    port: int
    host: int = 0
    count: int = 1
    protocol: Transport = "tcp"


class InterfaceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A task's network interface: `eth0` in a network namespace of its own."""

    id: str
    vpc: str
    address: str | None  # None: it has IPv6 only
    mac: str
    gateway: str | None  # e.g. the subnet's base + 1; answered by the router
    groups: tuple[str, ...] = ()
    address6: str | None = None
    gateway6: str = "fe80::1"
    egress6: Egress6 = "none"  # of all its IPv6 addresses and blocks
    public: str | None = None  # of `Settings.pool`; routed from the host, translated by the router
    egress: bool = False  # may go outside the VPC (to public addresses, and to the outside through the host)
    ports: tuple[Publish, ...] = ()  # of a seat, as they were given out
    further: tuple[Further, ...] = ()  # what it holds besides, and whoever listens in its namespace is reached at

    @property
    def networks(self) -> tuple[str, ...]:
        """All that it holds besides its own IPv4 address, and that may come and go while it stands."""
        own = () if self.address6 is None else (self.address6,)
        return (*own, *(each.network for each in self.further))


class SeatSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A network namespace on the bridge, `eth0` in it. It reaches the other seats and the outside."""

    id: str
    ports: tuple[Publish, ...] = ()


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """What a seat was given: no `host` of its ports is 0."""

    netns: Path
    address: str
    ports: tuple[Publish, ...] = ()


class HostRedirect(msgspec.Struct, frozen=True, kw_only=True):
    """Where processes of the host itself, those of one cgroup (and of those below it) only, find a service of ours.

    `cgroup` is a cgroup's name in the version 2 tree, `tree` where that tree lies below /sys/fs/cgroup (there is "").
    """

    address: str
    port: int
    to_port: int  # on 127.0.0.1
    cgroup: str
    tree: str = ""

    @property
    def path(self) -> str:
        return f"{self.tree}/{self.cgroup}".strip("/")


class AddressSpec(msgspec.Struct, frozen=True, kw_only=True):
    """An address of the router itself, which a process in its namespace may bind: a load balancer's. `open`: it takes
    everything, and sends everything out, whatever its groups say."""

    id: str
    vpc: str
    address: str | None
    groups: tuple[str, ...] = ()
    address6: str | None = None
    egress6: Egress6 = "none"
    public: str | None = None
    egress: bool = False
    open: bool = False


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """An interface or address of the VPC that another node holds."""

    address: str | None
    node: str  # that node's underlay address
    groups: tuple[str, ...] = ()
    address6: str | None = None
    further: tuple[str, ...] = ()  # addresses and blocks, as of `InterfaceSpec`
    fronting: bool = False  # a balancer that speaks to targets under its clients' addresses

    @property
    def networks(self) -> tuple[str, ...]:
        """As of `InterfaceSpec`."""
        return (*((self.address6,) if self.address6 is not None else ()), *self.further)


class RemotePublic(msgspec.Struct, frozen=True, kw_only=True):
    """A public address that another node holds; the host routes it there."""

    address: str
    node: str


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Allows traffic with the given networks or members of the given groups (the far end, in both directions).

    `protocol` is "any", "tcp", "udp", "icmp", "icmpv6" or an IP protocol number. Ports count for tcp and udp; for icmp
    `from_port` is the type and `to_port` the code. None is "all".
    """

    protocol: str = "any"
    from_port: int | None = None
    to_port: int | None = None
    cidrs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class PolicySet(msgspec.Struct, frozen=True, kw_only=True):
    """One security group's rules. Traffic passes when any group of the source lets it out, and any of the target in.

    A group without a `PolicySet` has no rules and therefore allows nothing.
    """

    id: str
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()


class AclRule(Rule, frozen=True, kw_only=True):
    """An entry of a network ACL: what it says of the traffic with its networks (the far end). It names no groups."""

    allow: bool = False


class Border(msgspec.Struct, frozen=True, kw_only=True):
    """A subnet's: what stays within its networks does not cross it."""

    subnet: str
    cidrs: tuple[str, ...]


class Acl(msgspec.Struct, frozen=True, kw_only=True):
    """A network ACL: asked for every packet that comes into its subnets or leaves them, answers too.

    The first rule that fits has the say, and what none fits is dropped. A subnet of no ACL lets everything pass. What
    the router itself serves (`RouterService`) passes always.
    """

    id: str
    borders: tuple[Border, ...]
    ingress: tuple[AclRule, ...] = ()
    egress: tuple[AclRule, ...] = ()


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """Where an interface is: a container runtime joins the namespace by this path.

    `local`: the link-local IPv4 address by which what the router serves sees an interface that has IPv6 only.
    """

    netns: Path
    device: str = "eth0"
    local: str | None = None


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """What an interface has received and sent since it was made, as its task sees it."""

    rx_bytes: int = 0
    rx_packets: int = 0
    rx_errors: int = 0
    rx_dropped: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0
    tx_errors: int = 0
    tx_dropped: int = 0


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """What this node's fabric holds, complete or half made: what `ensure_*` was called for and `remove_*` was not."""

    vpcs: tuple[VpcSpec, ...] = ()
    interfaces: tuple[InterfaceSpec, ...] = ()
    addresses: tuple[AddressSpec, ...] = ()
    seats: tuple[str, ...] = ()
    bridge: bool = False  # it stands


class Fabric(Protocol):
    """One node's networks. Real: `fabric.KernelFabric`. In memory: `simulated.SimulatedFabric`.

    Calls for one VPC are carried out in order, calls for different VPCs side by side; none blocks the event loop.
    """

    async def start(self) -> Inventory:
        """Takes over what an earlier process of this instance left, without a moment of changed traffic.

        Must be called before containerd is started: `run_dir` becomes a shared mount point, so that
        namespaces made later are seen in containerd's own mount namespace (which must be a slave). Raises `Refused`
        when the address pool collides with a route of the host.
        """
        ...

    async def close(self) -> None:
        """Lets go of everything and leaves all of it standing: tasks go on communicating."""
        ...

    async def teardown(self) -> None:
        """Removes everything this instance ever made here, also after a crash; restores the host. Then closed."""
        ...

    async def ensure_vpc(self, spec: VpcSpec) -> Path:
        """Makes the VPC's router; answers its network namespace, as a path."""
        ...

    async def remove_vpc(self, vpc: str) -> None:
        """Also removes what is still attached to it. Nothing to do when it is unknown."""
        ...

    async def set_policies(self, vpc: str, policies: tuple[PolicySet, ...]) -> None:
        """All security groups of the VPC that matter here. Connections that stand stay; new ones meet the new rules."""
        ...

    async def set_acls(self, vpc: str, acls: tuple[Acl, ...]) -> None:
        """All network ACLs of the VPC that filter anything. Standing connections meet the new rules, too."""
        ...

    async def set_routing(self, vpc: str, routing: Routing) -> None:
        """All there is to know about ways out of the VPC. What stands and has another way from now on is cut off.

        What stands by an endpoint stays until it ends, also when the endpoint goes.
        """
        ...

    async def set_guests(self, vpc: str, guests: tuple[Guest, ...]) -> None:
        """All members of groups of peered VPCs that rules here name."""
        ...

    async def set_instances(self, vpc: str, instances: tuple[Instance, ...]) -> None:
        """All ports of nodes that the VPC's balancers reach here, whatever its routes are. Its tasks do not."""
        ...

    async def set_fronts(self, vpc: str, fronts: tuple[Front, ...]) -> None:
        """All targets that the VPC's balancers here speak to under their clients' addresses. What these answer comes to
        the balancers, from other nodes too. Those that are ports of nodes are named as such first."""
        ...

    async def set_entries(self, vpc: str, entries: tuple[Entry, ...]) -> None:
        """All ports of this node that the VPC's balancers on other nodes speak to likewise."""
        ...

    async def ensure_interface(self, spec: InterfaceSpec) -> Attachment:
        """Groups, public, IPv6 and further addresses and egress of a standing interface change in place, and only the
        connections of what it has lost end; another IPv4 address of its own makes it anew."""
        ...

    async def remove_interface(self, vpc: str, interface: str) -> None: ...

    async def ensure_address(self, spec: AddressSpec) -> None: ...

    async def remove_address(self, vpc: str, address_id: str) -> None: ...

    async def ensure_bridge(self, services: tuple[RouterService, ...]) -> Path:
        """Makes the bridge's router; answers its network namespace. It goes with `teardown` only."""
        ...

    async def ensure_seat(self, spec: SeatSpec) -> Seat:
        """Address and ports of a standing seat stay. Raises `PortError("port_taken")` when the host has none left."""
        ...

    async def remove_seat(self, seat: str) -> None: ...

    async def redirect(self, wanted: HostRedirect | None) -> None:
        """The one there is to be; it goes with `start` and `teardown`."""
        ...

    async def set_peers(self, vpc: str, peers: tuple[Peer, ...]) -> None:
        """All of the VPC's interfaces and addresses on other nodes."""
        ...

    async def set_remote_publics(self, publics: tuple[RemotePublic, ...]) -> None:
        """All public addresses on other nodes."""
        ...

    async def open_socket(self, vpc: str, family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
        """A socket inside the router's namespace, non-blocking and not yet bound. The bridge's goes by `BRIDGE`."""
        ...

    async def inventory(self) -> Inventory: ...

    async def traffic(self, vpc: str, interface: str) -> Traffic | None:
        """None when the interface is not here."""
        ...

    async def start_fault(self, vpc: str, interface: str, fault: Fault) -> None:
        """Begins a fault in the interface's namespace, where it stays until it is stopped or the interface goes.

        Nothing to do when one of the same name runs. Raises `PortError("unsupported", …)` when the kernel lacks what it
        needs.
        """
        ...

    async def stop_fault(self, vpc: str, interface: str, name: str) -> None:
        """Nothing to do when none of that name runs."""
        ...

    async def faults(self, vpc: str, interface: str) -> frozenset[str]:
        """The names of what runs, whoever started it."""
        ...
