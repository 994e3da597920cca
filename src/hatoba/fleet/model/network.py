"""Networks, interfaces, the rules between them and the ways out of them: all of them the `ec2` room's.

What a node is told of them stands in `items`, and means there what the network engine's port says. Interfaces are found
by all that they hold: by their network and an address, and of IPv6, where no two networks have the same, by that alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from ipaddress import IPv6Network, ip_network
from typing import Literal

from hatoba.core.records import Record
from hatoba.fleet.model.part import Part
from hatoba.store import Index, Table


class Rule(Part, frozen=True, kw_only=True):
    """Allows traffic with networks or members of groups. Ports as in the network engine; None is all."""

    protocol: str = "any"
    from_port: int | None = None
    to_port: int | None = None
    cidrs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class AclRule(Rule, frozen=True, kw_only=True):
    """An entry of a network ACL, which says yes or no."""

    allow: bool = False


class Border(Part, frozen=True, kw_only=True):
    """A subnet with its blocks."""

    subnet: str
    cidrs: tuple[str, ...]


class Acl(Part, frozen=True, kw_only=True):
    """A network ACL that filters something, with the subnets that follow it. Rules in the order in which they count."""

    id: str
    borders: tuple[Border, ...]
    ingress: tuple[AclRule, ...] = ()
    egress: tuple[AclRule, ...] = ()


class Route(Part, frozen=True, kw_only=True):
    """A way out of a network, as in the network engine. `target`: a NAT gateway's id, or the peered network's."""

    to: str
    kind: Literal["outside", "nat", "peering", "closed"]
    target: str = ""


class Subnet(Part, frozen=True, kw_only=True):
    """The ways of what comes from these blocks; `platform`: it is reached whatever they say."""

    blocks: tuple[str, ...]
    routes: tuple[Route, ...] = ()
    platform: bool = True


class Name(Part, frozen=True, kw_only=True):
    name: str  # lower case, without a trailing dot
    addresses: tuple[str, ...]


class Endpoint(Part, frozen=True, kw_only=True):
    """Addresses of a network at which the platform is reached, as far as the groups let in; and names for them.

    `private` are those of the services themselves: they are known where addresses have names of their own.
    """

    addresses: tuple[str, ...]
    groups: tuple[str, ...]
    names: tuple[Name, ...] = ()
    private: tuple[Name, ...] = ()


class Network(Record, frozen=True, kw_only=True):
    """A VPC. Writer: the `ec2` room."""

    cidrs: tuple[str, ...]
    vni: int
    resolver: str  # base + 2
    acls: tuple[Acl, ...] = ()
    dns: bool = True  # the resolver answers
    hostnames: bool = True  # it knows the names that addresses have by themselves
    domain: str = ""  # where tasks look for short names; "": nowhere
    servers: tuple[str, ...] | None = None  # whom tasks ask for names; None: the resolver
    subnets: tuple[Subnet, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    gated: bool = False  # it has gateway endpoints: who asks the platform by the direct way has to be known


class Gateway(Record, frozen=True, kw_only=True):
    """A NAT gateway, and the node that has it. Writer: the `ec2` room."""

    node: str
    network: str
    interface: str


class Peering(Record, frozen=True, kw_only=True):
    """Two networks that know each other. Writer: the `ec2` room, for as long as the peering is active."""

    networks: tuple[str, str]


Egress6 = Literal["none", "out", "both"]  # as in the network engine: "out" has answers only


class Interface(Record, frozen=True, kw_only=True):
    """A network interface. Writer: the `ec2` room, which also allocates addresses.

    `address`, `gateway` and `prefix` (the subnet's block) are "" where its subnet has IPv6 only.
    """

    network: str
    subnet: str
    address: str
    mac: str
    gateway: str
    prefix: str
    groups: tuple[str, ...] = ()
    public: str | None = None  # of the instance's pool
    egress: bool = False  # its subnet's routes lead outside
    address6: str | None = None  # the first of its IPv6 addresses
    prefix6: str | None = None  # the subnet's IPv6 block
    egress6: Egress6 = "none"  # IPv6 is routed as it is: whether the outside is reached, and reaches it
    further: tuple[str, ...] = ()  # secondary addresses, and what IPv6 addresses it has besides
    blocks: tuple[str, ...] = ()  # delegated prefixes: /28, /80
    publics: tuple[
        tuple[str, str], ...
    ] = ()  # of secondary addresses: (private, public), while its routes lead outside

    @property
    def held(self) -> tuple[str, ...]:
        """All of its addresses and blocks."""
        own = (self.address, self.address6)
        return (*(address for address in own if address), *self.further, *self.blocks)

    @property
    def all_public(self) -> tuple[str, ...]:
        own = () if self.public is None else (self.public,)
        return (*own, *(public for _, public in self.publics))


def _blocks6(interface: Interface) -> set[tuple[str, str]]:
    """The /80 of each of its IPv6 addresses and prefixes, within its subnet."""
    sixes = [held for held in interface.held if ":" in held]
    return {(interface.subnet, str(IPv6Network((held.partition("/")[0], 80), strict=False))) for held in sixes}


class PolicySet(Record, frozen=True, kw_only=True):
    """A security group's rules. Writer: the `ec2` room."""

    network: str
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()


def around(address: str) -> Iterator[str]:
    """What an interface that has an address may hold: that, or the delegated prefix that it is of."""
    yield address
    with contextlib.suppress(ValueError):  # of what is no address
        yield str(ip_network((address, 80 if ":" in address else 28), strict=False))


networks = Table("fleet.networks", Network, indexes=(Index("id", lambda n: n.key.id),))
gateways = Table(
    "fleet.gateways",
    Gateway,
    indexes=(
        Index("interface", lambda g: g.interface),
        Index("network", lambda g: g.network),
        Index("node", lambda g: g.node),
        Index("node_network", lambda g: (g.node, g.network)),
    ),
)
peerings = Table("fleet.peerings", Peering, indexes=(Index("network", lambda p: p.networks, many=True),))
interfaces = Table(
    "fleet.interfaces",
    Interface,
    indexes=(
        Index("network", lambda i: (i.key.partition, i.key.account, i.key.region, i.network)),
        Index("subnet", lambda i: i.subnet),
        Index("public", lambda i: i.all_public, many=True),
        Index("has_public", lambda i: True if i.all_public else None),
        Index("holds_more", lambda i: i.subnet if i.further or i.blocks else None),
        Index("group", lambda i: i.groups, many=True),
        Index(
            "address",
            lambda i: [(i.key.partition, i.key.account, i.key.region, i.network, h) for h in i.held],
            many=True,
        ),
        Index("block6", _blocks6, many=True),
        Index("six", lambda i: [held for held in i.held if ":" in held], many=True),
    ),
)
policy_sets = Table(
    "fleet.policy_sets",
    PolicySet,
    indexes=(Index("network", lambda p: (p.key.partition, p.key.account, p.key.region, p.network)),),
)
