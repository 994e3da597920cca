"""The IPv6 block of a subnet, given and taken."""

from __future__ import annotations

from hatoba.aws.shapes import ec2 as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.ec2 import views
from hatoba.services.ec2.api.room import OF_POOLS, ec2, refuse_unknown
from hatoba.services.ec2.model.blocks6 import new_block, put_block, subnet_block
from hatoba.services.ec2.model.errors import invalid, missing, not_found
from hatoba.services.ec2.model.further6 import holds6
from hatoba.services.ec2.model.network import Subnet, subnets, the_subnet, the_vpc
from hatoba.store import Tx


@ec2.operation
async def associate_subnet_cidr_block(
    req: t.AssociateSubnetCidrBlockRequest, call: Call
) -> t.AssociateSubnetCidrBlockResult:
    refuse_unknown(req, *OF_POOLS)
    with call.tx() as tx:
        subnet = the_subnet(tx, call.scope, req["SubnetId"])
        if "Ipv6CidrBlock" not in req:
            raise missing("ipv6CidrBlock")
        if subnet.block6 is not None:
            raise invalid(
                f"The subnet '{subnet.id}' has an IPv6 CIDR block already: {subnet.block6.cidr}", "CidrLimitExceeded"
            )
        block = subnet_block(tx, the_vpc(tx, call.scope, subnet.vpc), req["Ipv6CidrBlock"])
        given = new_block(call.ids, block)
        put_block(tx, subnet, given)
    return {"SubnetId": subnet.id, "Ipv6CidrBlockAssociation": views.subnet_association(given, "associating")}


@ec2.operation
async def disassociate_subnet_cidr_block(
    req: t.DisassociateSubnetCidrBlockRequest, call: Call
) -> t.DisassociateSubnetCidrBlockResult:
    """New interfaces get no IPv6 address from then on."""
    with call.tx() as tx:
        subnet = _associated(tx, call, req["AssociationId"])
        block = subnet.block6
        assert block is not None
        if subnet.only6:
            raise invalid(
                f"The subnet CIDR block with association ID {block.id} may not be disassociated. It is the only block "
                f"of the IPv6-only subnet {subnet.id}",
                "OperationNotPermitted",
            )
        if holds6(tx, subnet):
            raise invalid(f"The subnet CIDR block with association ID {block.id} is in use.", "InvalidCidrBlock.InUse")
        put_block(tx, replace(subnet, assign6=False), None)
    return {"SubnetId": subnet.id, "Ipv6CidrBlockAssociation": views.subnet_association(block, "disassociating")}


def _associated(tx: Tx, call: Call, id_: str) -> Subnet:
    for subnet in tx.index(subnets, "block", id_):
        if subnet.scope == call.scope:
            return subnet
    raise not_found(id_, "subnet-cidr-assoc")
