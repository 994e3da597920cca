"""VPCs and subnets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.fleet import model as fleet
from hatoba.network import addresses
from hatoba.services.ec2.model.errors import not_found
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A further block of a VPC, and the id of its association."""

    id: str
    cidr: str


class Vpc(Record, frozen=True, kw_only=True):
    cidr: str
    further: tuple[Block, ...] = ()
    is_default: bool = False
    tenancy: str = "default"
    dns_support: bool = True
    dns_hostnames: bool = False

    @property
    def cidrs(self) -> tuple[str, ...]:
        return (self.cidr, *(block.cidr for block in self.further))


class Subnet(Record, frozen=True, kw_only=True):
    vpc: str
    cidr: str
    zone: str
    default_for_zone: bool = False
    map_public: bool = False
    cursor: str | None = None  # the address given out last: the next one is sought behind it


class Opened(Record, frozen=True, kw_only=True):
    """This account uses this region: it has been given its default VPC, whatever became of that since."""


vpcs = Table("ec2.vpcs", Vpc, indexes=(Index("block", lambda vpc: (block.id for block in vpc.further), many=True),))
opened = Table("ec2.opened", Opened)
subnets = Table("ec2.subnets", Subnet, indexes=(Index("vpc", lambda subnet: subnet.vpc),))


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


def default_dhcp_options(scope: Scope) -> str:
    """The id of the one set of DHCP options that an account has in a region."""
    digest = hashlib.blake2b(f"{scope.account} {scope.region}".encode(), digest_size=8).hexdigest()
    return f"dopt-0{digest}"


def put_vpc(tx: Tx, vpc: Vpc) -> Vpc:
    """Writes a VPC, and its network for the nodes."""
    key = fleet.networks.key(vpc.scope, vpc.id)
    known = tx.get(fleet.networks, key)
    vni = known.vni if known else 1 + max((network.vni for network in tx.all(fleet.networks)), default=0)
    resolver = str(addresses.resolver(IPv4Network(vpc.cidr)))
    network = fleet.Network(key=key, version=known.version if known else 0, cidrs=vpc.cidrs, vni=vni, resolver=resolver)
    if network != known:
        tx.put(fleet.networks, network)
    return tx.put(vpcs, vpc)


def forget_vpc(tx: Tx, vpc: Vpc) -> None:
    tx.forget(fleet.networks, fleet.networks.key(vpc.scope, vpc.id))
    tx.forget(vpcs, vpc.key)


def interfaces_in(view: View, subnet: Subnet) -> int:
    """How many addresses of a subnet are taken."""
    return view.count(fleet.interfaces, "subnet", subnet.id)


def available(view: View, subnet: Subnet) -> int:
    return len(addresses.usable(IPv4Network(subnet.cidr))) - interfaces_in(view, subnet)


class TakenAddresses:
    """The addresses of a VPC that are in use, without gathering them: asked one by one."""

    def __init__(self, view: View, subnet: Subnet) -> None:
        self._view = view
        self._subnet = subnet

    def __contains__(self, address: object) -> bool:
        key = self._subnet.key
        where = (key.partition, key.account, key.region, self._subnet.vpc, str(address))
        return self._view.count(fleet.interfaces, "address", where) > 0

    def __len__(self) -> int:
        return interfaces_in(self._view, self._subnet)

    def __iter__(self) -> Iterator[IPv4Address]:
        return (
            IPv4Address(interface.address)
            for interface in self._view.index(fleet.interfaces, "subnet", self._subnet.id)
        )
