"""Further blocks of a VPC, its IPv6 block among them: subnets may lie in them, and every route table has a local route
for each."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_network

from hatoba.aws.shapes import ec2 as t
from hatoba.core.ids import resource_id
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.network.routing import within
from hatoba.services.ec2 import views
from hatoba.services.ec2.api.room import OF_POOLS, ec2, provided_block6, refuse_unknown
from hatoba.services.ec2.api.vpc import vpc_block
from hatoba.services.ec2.model.blocks6 import give_block, take_block
from hatoba.services.ec2.model.errors import invalid, missing, not_found
from hatoba.services.ec2.model.interface import PublicPool
from hatoba.services.ec2.model.network import Block, Vpc, put_vpc, subnets, the_vpc, vpcs
from hatoba.services.ec2.model.peering import overlap, peerings, present
from hatoba.services.ec2.model.ranges import restricted
from hatoba.services.ec2.model.routes import LOCAL, local_route, route_tables
from hatoba.store import Tx
from hatoba.store.store import View

LIMIT = 5  # blocks of one VPC


@ec2.operation
async def associate_vpc_cidr_block(req: t.AssociateVpcCidrBlockRequest, call: Call) -> t.AssociateVpcCidrBlockResult:
    refuse_unknown(req, *OF_POOLS)
    if provided_block6(req, call):
        return _associate6(req, call)
    if "CidrBlock" not in req:
        raise missing("cidrBlock")
    cidr = vpc_block(req["CidrBlock"], call)
    with call.tx() as tx:
        vpc = the_vpc(tx, call.scope, req["VpcId"])
        _check(tx, vpc, cidr)
        block = Block(id=resource_id(call.ids, "vpc-cidr-assoc"), cidr=str(cidr))
        put_vpc(tx, replace(vpc, further=(*vpc.further, block)))
        for table in tx.index(route_tables, "vpc", vpc.id):
            tx.put(route_tables, replace(table, routes=(local_route(block.cidr), *table.routes)))
    return {"VpcId": vpc.id, "CidrBlockAssociation": views.cidr_association(block.id, block.cidr, "associating")}


def _associate6(req: t.AssociateVpcCidrBlockRequest, call: Call) -> t.AssociateVpcCidrBlockResult:
    if "CidrBlock" in req:
        raise invalid(
            "The parameter cidrBlock cannot be used with the parameter amazonProvidedIpv6CidrBlock",
            "InvalidParameterCombination",
        )
    with call.tx() as tx:
        vpc = give_block(tx, call.ids, the_vpc(tx, call.scope, req["VpcId"]), call.get(PublicPool))
    assert vpc.block6 is not None
    shown = views.cidr6_association(vpc.block6, call.scope.region, "associating")
    return {"VpcId": vpc.id, "Ipv6CidrBlockAssociation": shown}


def _check(view: View, vpc: Vpc, cidr: IPv4Network) -> None:
    """Raises InvalidVpc.Range, CidrLimitExceeded."""
    for known in vpc.cidrs:
        if cidr.overlaps(IPv4Network(known)):
            raise invalid(f"The CIDR '{cidr}' overlaps {known}, another block of the VPC.", "InvalidVpc.Range")
    if restricted([IPv4Network(known) for known in vpc.cidrs], cidr):
        raise invalid(
            f"The CIDR '{cidr}' is restricted. Use a CIDR from the same private address range as the current VPC CIDR, "
            "or use a publicly-routable CIDR. For additional restrictions, see "
            "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html",
            "InvalidVpc.Range",
        )
    for known_peering in view.index(peerings, "vpc", vpc.id):
        peering = present(view, known_peering)
        far = peering.accepter if peering.requester.vpc == vpc.id else peering.requester
        if overlap((str(cidr),), far.cidrs):
            raise invalid(f"The CIDR '{cidr}' overlaps a block of {far.vpc}, a peered VPC.", "InvalidVpc.Range")
    for table in view.index(route_tables, "vpc", vpc.id):
        for route in table.routes:
            if not route.to_list and within(ip_network(route.destination), cidr):
                raise invalid(
                    f"The CIDR '{cidr}' is the same as or larger than the route to {route.destination} in {table.id}.",
                    "InvalidVpc.Range",
                )
    if len(vpc.cidrs) >= LIMIT:
        raise invalid(f"The maximum number of CIDR blocks of a VPC ({LIMIT}) has been reached.", "CidrLimitExceeded")


@ec2.operation
async def disassociate_vpc_cidr_block(
    req: t.DisassociateVpcCidrBlockRequest, call: Call
) -> t.DisassociateVpcCidrBlockResult:
    with call.tx() as tx:
        vpc, block = _associated(tx, call, req["AssociationId"])
        if block == vpc.block6:
            take_block(tx, vpc)
            shown = views.cidr6_association(block, call.scope.region, "disassociating")
            return {"VpcId": vpc.id, "Ipv6CidrBlockAssociation": shown}
        cidr = IPv4Network(block.cidr)
        if any(s.cidr and s.network.subnet_of(cidr) for s in tx.index(subnets, "vpc", vpc.id)):
            raise invalid(f"The vpc CIDR block with association ID {block.id} is in use.", "InvalidCidrBlock.InUse")
        put_vpc(tx, replace(vpc, further=tuple(each for each in vpc.further if each.id != block.id)))
        for table in tx.index(route_tables, "vpc", vpc.id):
            left = tuple(r for r in table.routes if (r.gateway, r.destination) != (LOCAL, block.cidr))
            tx.put(route_tables, replace(table, routes=left))
    return {"VpcId": vpc.id, "CidrBlockAssociation": views.cidr_association(block.id, block.cidr, "disassociating")}


def _associated(tx: Tx, call: Call, id_: str) -> tuple[Vpc, Block]:
    for vpc in tx.index(vpcs, "block", id_):
        if vpc.scope == call.scope:
            return vpc, next(b for b in (*vpc.further, vpc.block6) if b is not None and b.id == id_)
    if tx.find(vpcs, call.scope, id_.replace("vpc-cidr-assoc-", "vpc-", 1)) is not None:
        raise invalid(
            f"The vpc CIDR block with association ID {id_} may not be disassociated. It is the primary IPv4 CIDR block "
            "of the VPC",
            "OperationNotPermitted",
        )
    raise not_found(id_, "vpc-cidr-assoc")
