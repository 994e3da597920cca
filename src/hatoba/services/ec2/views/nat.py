"""NAT gateways → API shape."""

from __future__ import annotations

from hatoba.aws.shapes import ec2 as t
from hatoba.services.ec2.model.nat import NatGateway
from hatoba.services.ec2.views import Tags, tags


def state(record: NatGateway, carried: bool) -> t.NatGatewayState:
    if record.failure is not None:
        return "failed"
    if record.ended is not None:
        return "deleted"
    return "available" if carried else "pending"


def nat_gateway(record: NatGateway, carried: bool, association: str | None, own: Tags) -> t.NatGateway:
    """`carried`: a node has it; `association`: of its public address."""
    shown: t.NatGateway = {
        "NatGatewayId": record.id,
        "SubnetId": record.subnet,
        "VpcId": record.vpc,
        "State": state(record, carried),
        "ConnectivityType": record.connectivity,
        "AvailabilityMode": "zonal",
        "CreateTime": record.created,
        "NatGatewayAddresses": [],
        "Tags": tags(own),
    }
    if record.ended is not None:
        shown["DeleteTime"] = record.ended
    if record.failure is not None:
        shown["FailureCode"], shown["FailureMessage"] = record.failure
        return shown
    address: t.NatGatewayAddress = {"PrivateIp": record.address, "IsPrimary": True, "Status": "succeeded"}
    if record.interface is not None:
        address["NetworkInterfaceId"] = record.interface
    if record.allocation is not None:
        address |= {"AllocationId": record.allocation, "PublicIp": record.public}
    if association is not None:
        address["AssociationId"] = association
    shown["NatGatewayAddresses"] = [address]
    return shown
