"""Network interfaces: the room's own record, and the fleet's that the nodes act upon.

`ec2` alone creates interfaces and gives out addresses: private ones from the subnet, going round so that one that was
given back rests for a while. What the fleet knows of an interface's public address follows from the interface and its
subnet's routes (`put_eni`): where no route leads outside, a public address reaches nothing and is not reached.
"""

from __future__ import annotations

import zlib
from ipaddress import IPv4Address
from typing import Literal

import msgspec

from hatoba.core.errors import AwsError
from hatoba.core.ids import Ids, resource_id
from hatoba.core.keys import Scope
from hatoba.core.records import Record, replace
from hatoba.fleet import model as fleet
from hatoba.network import addresses
from hatoba.services.ec2.model.errors import invalid, not_found
from hatoba.services.ec2.model.group import SecurityGroup, default_group, the_group
from hatoba.services.ec2.model.nat import nat_gateways
from hatoba.services.ec2.model.network import Subnet, TakenAddresses, Vpc, subnets, the_subnet, the_vpc
from hatoba.services.ec2.model.routes import leads_outside, leads_outside6
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View

GROUPS_PER_INTERFACE = 5


class PublicPool(msgspec.Struct, frozen=True, kw_only=True):
    """The instance's host-side addresses: what internet-facing things get. `transit` is kept for the routers.

    There are none of IPv6: what a VPC has is reached as it is.
    """

    network: str = "100.64.0.0/16"
    transit: str = "100.64.0.0/22"
    network6: str = "fd68:6174:6f00::/40"  # VPCs' IPv6 blocks are of it
    control: str | None = None  # where tasks of other machines than the control plane's ask the platform

    @property
    def platform(self) -> tuple[str, ...]:
        """The networks in which tasks reach it."""
        return (self.transit,) if self.control is None else (self.transit, f"{self.control}/32")


class Translation(msgspec.Struct, frozen=True, kw_only=True):
    """A public address, and what it stands for: a secondary private address, or (None) the interface's own."""

    public: str
    id: str | None
    allocation: str | None  # of an elastic address; those of secondary addresses always are
    private: str | None = None


class Eni(Record, frozen=True, kw_only=True):
    """`fleet.interfaces` holds private address, groups and the rest under the same id."""

    vpc: str
    subnet: str
    zone: str
    kind: Literal["interface", "natGateway", "vpc_endpoint"] = "interface"
    description: str = ""
    requester: str | None = None  # the principal's id of a service that made it; None: the user did
    created: float = 0.0
    source_check: bool = True
    public: str | None = None  # its public address, of the instance's pool
    association: str | None = None  # id of the association with it
    allocation: str | None = None  # of an elastic address; None: the public address lives as long as the interface
    further: tuple[Translation, ...] = ()  # of its secondary addresses
    primary6: bool = False  # its first IPv6 address is its primary one: it stays for as long as the interface

    @property
    def translations(self) -> tuple[Translation, ...]:
        """All of them, its own address's first."""
        if self.public is None:
            return self.further
        own = Translation(public=self.public, id=self.association, allocation=self.allocation)
        return (own, *self.further)


enis = Table(
    "ec2.network_interfaces",
    Eni,
    indexes=(
        Index("subnet", lambda eni: eni.subnet),
        Index("vpc", lambda eni: eni.vpc),
        Index("description", lambda eni: eni.description),
        Index("public", lambda eni: [each.public for each in eni.translations], many=True),
        Index("public_in", lambda eni: eni.subnet if eni.translations else None),
        Index("has_public", lambda eni: True if eni.public else None),
        Index("association", lambda eni: [each.id for each in eni.translations if each.id], many=True),
        Index("allocation", lambda eni: [each.allocation for each in eni.translations if each.allocation], many=True),
    ),
)


def the_eni(view: View, scope: Scope, id_: str) -> Eni:
    eni = view.find(enis, scope, id_)
    if eni is None:
        raise not_found(id_, "eni")
    return eni


def of_balancer(eni: Eni) -> bool:
    return (eni.requester or "").endswith(":elbv2")


def users_own(eni: Eni) -> Eni:
    """Raises AuthFailure for what belongs to a load balancer, NAT gateway or endpoint, and changes with it only."""
    if eni.kind != "interface" or of_balancer(eni):
        raise invalid("You do not have permission to access the specified resource.", "AuthFailure")
    return eni


def of_fleet(view: View, eni: Eni) -> fleet.Interface:
    """The nodes' half of an interface; the two are made and forgotten together."""
    interface = view.find(fleet.interfaces, eni.scope, eni.id)
    if interface is None:
        raise LookupError(f"{eni.id} has no interface")
    return interface


def groups_for(tx: Tx, subnet: Subnet, wanted: list[str]) -> tuple[str, ...]:
    """The ids of an interface's groups: those wanted, which must be of the subnet's VPC, or the VPC's default."""
    return groups_in_vpc(tx, the_vpc(tx, subnet.scope, subnet.vpc), wanted, f"subnet {subnet.id}")


def groups_in_vpc(tx: Tx, vpc: Vpc, wanted: list[str], beside: str = "") -> tuple[str, ...]:
    """`beside`: what the groups are chosen for, to be named when they are not of its VPC; the VPC itself."""
    if not wanted:
        return (default_group(tx, vpc).id,)
    found: list[SecurityGroup] = [the_group(tx, vpc.scope, id_) for id_ in dict.fromkeys(wanted)]
    for group in found:
        if group.vpc != vpc.id:
            raise invalid(
                f"Security group {group.id} and {beside or f'VPC {vpc.id}'} belong to different networks.",
                "InvalidParameter",
            )
    if len(found) > GROUPS_PER_INTERFACE:
        raise invalid(
            "The maximum number of security groups per interface has been reached.",
            "SecurityGroupsPerInterfaceLimitExceeded",
        )
    return tuple(group.id for group in found)


def create_eni(
    tx: Tx,
    ids: Ids,
    subnet: Subnet,
    *,
    groups: tuple[str, ...],
    address: str | None,
    description: str,
    requester: str | None,
    now: float,
) -> Eni:
    """Allocates an address of IPv4, unless the subnet has none, and writes both records. Those of IPv6 are for
    `further6` to give.

    Raises InsufficientFreeAddressesInSubnet, InvalidIPAddress.InUse, InvalidParameterValue.
    """
    id_ = resource_id(ids, "eni")
    if subnet.only6 and address is not None:
        raise only_ipv6(subnet)
    free = None if subnet.only6 else _allocated(tx, subnet, address)
    interface = fleet.Interface(
        key=fleet.interfaces.key(subnet.scope, id_),
        network=subnet.vpc,
        subnet=subnet.id,
        address=str(free) if free is not None else "",
        mac=addresses.mac(free or IPv4Address(zlib.crc32(id_.encode())), zlib.crc32(subnet.vpc.encode())),
        gateway=str(addresses.router(subnet.network)) if free is not None else "",
        prefix=subnet.cidr or "",
        groups=groups,
        prefix6=subnet.block6.cidr if subnet.block6 is not None else None,
        egress6=leads_outside6(tx, subnet.scope, subnet.id) if subnet.block6 is not None else "none",
    )
    tx.put(fleet.interfaces, interface)
    return tx.put(
        enis,
        Eni(
            key=enis.key(subnet.scope, id_),
            vpc=subnet.vpc,
            subnet=subnet.id,
            zone=subnet.zone,
            description=description,
            requester=requester,
            created=now,
        ),
    )


def only_ipv6(subnet: Subnet) -> AwsError:
    """What is said of IPv4 addresses for interfaces of an IPv6-only subnet."""
    return invalid(f"The subnet '{subnet.id}' is IPv6-only: interfaces in it have no private IPv4 address.")


def _allocated(tx: Tx, subnet: Subnet, address: str | None) -> IPv4Address:
    network, taken = subnet.network, TakenAddresses(tx, subnet)
    if address is None:
        after = IPv4Address(subnet.cursor) if subnet.cursor else None
        free = addresses.next_free(network, taken, after)
        if free is None:
            raise invalid(
                f"There are not enough free addresses in subnet '{subnet.id}' to satisfy the requested number of "
                "instances.",
                "InsufficientFreeAddressesInSubnet",
            )
        tx.put(subnets, replace(subnet, cursor=str(free)))
    else:
        free = IPv4Address(address)
        if not addresses.is_usable(network, free):
            raise invalid("Address does not fall within the subnet's address range")
        if free in taken:
            raise invalid(f"Address {free} is in use.", "InvalidIPAddress.InUse")
    return free


def put_eni(tx: Tx, eni: Eni) -> Eni:
    """Writes an interface, and what the nodes see of its public address."""
    _show(tx, eni, leads_outside(tx, eni.scope, eni.subnet))
    return tx.put(enis, eni)


def _show(tx: Tx, eni: Eni, outside: bool) -> None:
    interface = of_fleet(tx, eni)
    public = eni.public if outside else None
    publics = tuple((each.private, each.public) for each in eni.further if each.private) if outside else ()
    if (interface.public, interface.publics) != (public, publics):
        tx.put(fleet.interfaces, replace(interface, public=public, egress=public is not None, publics=publics))


def refresh_egress(tx: Tx, scope: Scope, subnet: str) -> None:
    """After a change of routes, or of the subnet's blocks: who may leave the VPC, and be reached from outside."""
    outside = leads_outside(tx, scope, subnet)
    for eni in tx.index(enis, "public_in", subnet):
        _show(tx, eni, outside)
    _refresh6(tx, the_subnet(tx, scope, subnet))


def _refresh6(tx: Tx, subnet: Subnet) -> None:
    """All of a subnet's interfaces have the same way out: if the first one knows of it, so do the others."""
    inside = tx.index(fleet.interfaces, "subnet", subnet.id)
    prefix = subnet.block6.cidr if subnet.block6 is not None else None
    egress = leads_outside6(tx, subnet.scope, subnet.id) if prefix is not None else "none"
    if inside and (inside[0].prefix6, inside[0].egress6) != (prefix, egress):
        for interface in inside:
            tx.put(fleet.interfaces, replace(interface, prefix6=prefix, egress6=egress))


def in_use(view: View, eni: Eni) -> bool:
    """A workload that has not stopped, a balancer or a NAT gateway holds it; or an endpoint, for as long as it is."""
    if eni.kind == "vpc_endpoint":
        return True
    for workload in view.index(fleet.workloads, "interface", eni.id):
        status = view.get(fleet.workload_statuses, workload.key._replace(type=fleet.workload_statuses.name))
        if status is None or status.state not in ("stopped", "lost"):
            return True
    return view.count(fleet.balancers, "interface", eni.id) + view.count(nat_gateways, "interface", eni.id) > 0


def forget_eni(tx: Tx, eni: Eni) -> None:
    tx.forget(fleet.interfaces, fleet.interfaces.key(eni.scope, eni.id))
    tx.forget(enis, eni.key)
