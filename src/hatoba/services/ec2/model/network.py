"""VPCs and subnets, with their blocks of both families.

A VPC is written with its `fleet.Network`, which is all that the nodes see of it; what they see of its subnets is
written by `ways` and `acl`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Literal

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record, replace
from hatoba.fleet import model as fleet
from hatoba.network import addresses
from hatoba.services.ec2.model.dhcp import DOMAIN, PROVIDED, SERVERS, options_of
from hatoba.services.ec2.model.errors import not_found
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A further block of a VPC, or an IPv6 block of a VPC or subnet, and the id of its association."""

    id: str
    cidr: str


class Vpc(Record, frozen=True, kw_only=True):
    cidr: str
    further: tuple[Block, ...] = ()
    block6: Block | None = None  # of the instance's pool
    is_default: bool = False
    tenancy: str = "default"
    dns_support: bool = True
    dns_hostnames: bool = False
    usage_metrics: bool = False  # kept and told: no room counts them yet
    dhcp: str | None = None  # None: the region's own set; "default": none at all

    @property
    def cidrs(self) -> tuple[str, ...]:
        """Of IPv4."""
        return (self.cidr, *(block.cidr for block in self.further))

    @property
    def all_cidrs(self) -> tuple[str, ...]:
        """Of both families, IPv4 first."""
        return (*self.cidrs, self.block6.cidr) if self.block6 is not None else self.cidrs


class Subnet(Record, frozen=True, kw_only=True):
    vpc: str
    cidr: str | None  # None: an IPv6-only subnet
    zone: str
    block6: Block | None = None
    default_for_zone: bool = False
    map_public: bool = False
    assign6: bool = False  # new interfaces get an IPv6 address
    cursor: str | None = None  # the address given out last: the next one is sought behind it
    block_cursor: str | None = None  # the delegated prefix given out last
    cursor6: str | None = None  # the same two of IPv6
    block_cursor6: str | None = None
    hostname_type: Literal["ip-name", "resource-name"] = "ip-name"  # this and the next two: of machines, kept and told
    dns_a: bool = False
    dns_aaaa: bool = False
    acl: str | None = None  # None: the VPC's default one
    acl_association: str | None = None  # the id of its present association; None: that of its first

    @property
    def only6(self) -> bool:
        return self.cidr is None

    @property
    def network(self) -> IPv4Network:
        """Of one that has IPv4."""
        if self.cidr is None:
            raise LookupError(f"{self.id} has IPv6 only")
        return IPv4Network(self.cidr)

    @property
    def network6(self) -> IPv6Network | None:
        return IPv6Network(self.block6.cidr) if self.block6 is not None else None

    @property
    def cidrs(self) -> tuple[str, ...]:
        """Of both families."""
        six = self.block6.cidr if self.block6 is not None else None
        return tuple(cidr for cidr in (self.cidr, six) if cidr is not None)


class Opened(Record, frozen=True, kw_only=True):
    """This account uses this region: it has been given its default VPC, whatever became of that since."""


def association_of_acl(subnet: Subnet) -> str:
    return subnet.acl_association or subnet.id.replace("subnet-", "aclassoc-", 1)


vpcs = Table(
    "ec2.vpcs",
    Vpc,
    indexes=(
        Index("block", lambda vpc: (b.id for b in (*vpc.further, vpc.block6) if b is not None), many=True),
        Index("cidr6", lambda vpc: vpc.block6.cidr if vpc.block6 is not None else None),
        Index("dhcp", lambda vpc: vpc.dhcp),
    ),
)
opened = Table("ec2.opened", Opened)
subnets = Table(
    "ec2.subnets",
    Subnet,
    indexes=(
        Index("vpc", lambda subnet: subnet.vpc),
        Index("acl_association", association_of_acl),
        Index("block", lambda subnet: subnet.block6.id if subnet.block6 is not None else None),
    ),
)


def the_vpc(view: View, scope: Scope, id_: str) -> Vpc:
    vpc = view.find(vpcs, scope, id_)
    if vpc is None:
        raise not_found(id_, "vpc")
    return vpc


def the_subnet(view: View, scope: Scope, id_: str) -> Subnet:
    subnet = view.find(subnets, scope, id_)
    if subnet is None:
        raise not_found(id_, "subnet")
    return subnet


def put_vpc(tx: Tx, vpc: Vpc) -> Vpc:
    """Writes a VPC, and its network for the nodes."""
    key = fleet.networks.key(vpc.scope, vpc.id)
    known = tx.get(fleet.networks, key)
    vni = known.vni if known else 1 + max((network.vni for network in tx.all(fleet.networks)), default=0)
    resolver = str(addresses.resolver(IPv4Network(vpc.cidr)))
    known = known or fleet.Network(key=key, cidrs=vpc.all_cidrs, vni=vni, resolver=resolver)
    told = options_of(tx, vpc.scope, vpc.dhcp)
    network = replace(
        known,
        cidrs=vpc.all_cidrs,
        dns=vpc.dns_support,
        hostnames=vpc.dns_support and vpc.dns_hostnames,
        domain=" ".join(told.of(DOMAIN)) if told else "",
        servers=tuple(resolver if server == PROVIDED else server for server in told.of(SERVERS)) if told else (),
    )
    if tx.get(fleet.networks, key) != network:
        tx.put(fleet.networks, network)
    return tx.put(vpcs, vpc)


def forget_vpc(tx: Tx, vpc: Vpc) -> None:
    tx.forget(fleet.networks, fleet.networks.key(vpc.scope, vpc.id))
    tx.forget(vpcs, vpc.key)


DELEGATED = 28  # the length of a delegated prefix


def taken_in(view: View, subnet: Subnet) -> int:
    """How many IPv4 addresses are taken: interfaces' own, secondary ones, and all of delegated prefixes."""
    besides = (
        _of_ipv4(interface.further) + _of_ipv4(interface.blocks) * (1 << (32 - DELEGATED))
        for interface in view.index(fleet.interfaces, "holds_more", subnet.id)
    )
    return view.count(fleet.interfaces, "subnet", subnet.id) + sum(besides)


def _of_ipv4(networks: Iterable[str]) -> int:
    return sum(":" not in network for network in networks)


def available(view: View, subnet: Subnet) -> int:
    """IPv4 addresses that are free; an IPv6-only subnet has none, and IPv6 ones are not counted."""
    return 0 if subnet.only6 else len(addresses.usable(subnet.network)) - taken_in(view, subnet)


def holder_of(view: View, subnet: Subnet, held: str) -> fleet.Interface | None:
    """Who has an address, or a delegated prefix as such, in the subnet's VPC."""
    key = subnet.key
    where = (key.partition, key.account, key.region, subnet.vpc, held)
    return next(iter(view.index(fleet.interfaces, "address", where)), None)


class TakenAddresses:
    """The IPv4 addresses of a VPC that are in use, without gathering them: asked one by one."""

    def __init__(self, view: View, subnet: Subnet) -> None:
        self._view = view
        self._subnet = subnet

    def __contains__(self, address: object) -> bool:
        block = IPv4Network((str(address), DELEGATED), strict=False)
        return any(holder_of(self._view, self._subnet, held) is not None for held in (str(address), str(block)))

    def __len__(self) -> int:
        return taken_in(self._view, self._subnet)

    def __iter__(self) -> Iterator[IPv4Address]:
        return (
            address
            for interface in self._view.index(fleet.interfaces, "subnet", self._subnet.id)
            for held in interface.held
            if ":" not in held
            for address in IPv4Network(held)
        )
