"""IPv6 blocks: a VPC has one (/56) of the instance's pool, a subnet one within that.

No two VPCs of an instance have the same block, whatever their accounts and regions, so that IPv6 is never translated.

Source: the VPC user guide, "IPv6 VPC CIDR blocks", "Subnet sizing for IPv6"; the API reference, AssociateVpcCidrBlock
(one block of a network border group, and a region is one), AssociateSubnetCidrBlock.
"""

from __future__ import annotations

from ipaddress import IPv6Network

from hatoba.core.ids import Ids, resource_id
from hatoba.core.records import replace
from hatoba.fleet.model import FLEET
from hatoba.network import addresses6
from hatoba.services.ec2.model.acl import refresh_acls
from hatoba.services.ec2.model.address import Cursor, cursors
from hatoba.services.ec2.model.errors import invalid
from hatoba.services.ec2.model.group import allow_all6, default_group, put_group
from hatoba.services.ec2.model.interface import PublicPool
from hatoba.services.ec2.model.network import Block, Subnet, Vpc, put_vpc, subnets, vpcs
from hatoba.services.ec2.model.routes import LOCAL, local_route, route_tables
from hatoba.services.ec2.model.ways import refresh_ways
from hatoba.store import Tx
from hatoba.store.store import View

OF_VPC = 56  # the length of a VPC's block
OF_SUBNET = range(44, 65, 4)  # of a subnet's


class _Taken:
    """The blocks that VPCs have."""

    def __init__(self, view: View) -> None:
        self._view = view

    def __contains__(self, block: object) -> bool:
        return self._view.count(vpcs, "cidr6", str(block)) > 0


def give_block(tx: Tx, ids: Ids, vpc: Vpc, pool: PublicPool) -> Vpc:
    """With local routes for it, and a rule of the default group, as long as nobody has touched those that let out.

    Raises CidrLimitExceeded, InsufficientAddressCapacity.
    """
    if vpc.block6 is not None:
        raise invalid(f"This network '{vpc.id}' has met its maximum number of allowed CIDRs: 1", "CidrLimitExceeded")
    block = Block(id=resource_id(ids, "vpc-cidr-assoc"), cidr=_next(tx, pool))
    vpc = put_vpc(tx, replace(vpc, block6=block))
    for table in tx.index(route_tables, "vpc", vpc.id):
        tx.put(route_tables, replace(table, routes=(*table.routes, local_route(block.cidr))))
    group = default_group(tx, vpc)
    if [(rule.protocol, rule.cidr) for rule in group.rules if rule.egress] == [("-1", "0.0.0.0/0")]:
        put_group(tx, replace(group, rules=(*group.rules, allow_all6(ids))))
    _refresh(tx, vpc)
    return vpc


def _next(tx: Tx, pool: PublicPool) -> str:
    key = cursors.key(FLEET, "ipv6")
    cursor = tx.get(cursors, key)
    after = IPv6Network(cursor.last) if cursor is not None else None
    block = addresses6.next_part(IPv6Network(pool.network6), OF_VPC, _Taken(tx), after)
    if block is None:
        raise invalid(f"There are no free IPv6 blocks left in the pool {pool.network6}.", "InsufficientAddressCapacity")
    tx.put(cursors, replace(cursor or Cursor(key=key, last=""), last=str(block)))
    return str(block)


def take_block(tx: Tx, vpc: Vpc) -> Vpc:
    """What lets IPv6 pass stays in groups and ACLs. Raises InvalidCidrBlock.InUse."""
    block = vpc.block6
    if block is None:
        return vpc
    if any(subnet.block6 is not None for subnet in tx.index(subnets, "vpc", vpc.id)):
        raise invalid(f"The vpc CIDR block with association ID {block.id} is in use.", "InvalidCidrBlock.InUse")
    vpc = put_vpc(tx, replace(vpc, block6=None))
    for table in tx.index(route_tables, "vpc", vpc.id):
        left = tuple(r for r in table.routes if (r.gateway, r.destination) != (LOCAL, block.cidr))
        tx.put(route_tables, replace(table, routes=left))
    _refresh(tx, vpc)
    return vpc


def _refresh(tx: Tx, vpc: Vpc) -> None:
    refresh_acls(tx, vpc.scope, vpc.id)
    refresh_ways(tx, vpc.scope, vpc.id)


# --- of subnets


def subnet_block(view: View, vpc: Vpc, text: str) -> IPv6Network:
    """One that a subnet of the VPC may have.

    Raises InvalidParameterValue, InvalidSubnet.Range, InvalidSubnet.Conflict.
    """
    try:
        block = IPv6Network(text)
        if "/" not in text or "%" in text or block.prefixlen not in OF_SUBNET:
            raise ValueError(text)
    except ValueError:
        raise invalid(f"invalid value for parameter ipv6-cidr-block: {text}") from None
    if vpc.block6 is None or not block.subnet_of(IPv6Network(vpc.block6.cidr)):
        raise invalid(f"The CIDR '{text}' is invalid.", "InvalidSubnet.Range")
    others = (subnet.network6 for subnet in view.index(subnets, "vpc", vpc.id))
    if any(other is not None and block.overlaps(other) for other in others):
        raise invalid(f"The CIDR '{text}' conflicts with another subnet", "InvalidSubnet.Conflict")
    return block


def new_block(ids: Ids, block: IPv6Network) -> Block:
    return Block(id=resource_id(ids, "subnet-cidr-assoc"), cidr=str(block))


def put_block(tx: Tx, subnet: Subnet, block: Block | None) -> Subnet:
    """Gives a subnet its block, or takes it."""
    subnet = tx.put(subnets, replace(subnet, block6=block, cursor6=None, block_cursor6=None))
    refresh_acls(tx, subnet.scope, subnet.vpc)
    refresh_ways(tx, subnet.scope, subnet.vpc)
    return subnet
