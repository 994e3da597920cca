"""NAT gateways of a zone: public ones with an elastic address, and private ones.

What would fail later on AWS (no internet gateway, a taken address) makes a gateway that has failed, with AWS's code
and words. Which node has it is the controller's choice.

Source: the VPC user guide, "Troubleshoot NAT gateways".
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from hatoba.aws.shapes import ec2 as t
from hatoba.core.ids import resource_id
from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.services.ec2.api.room import described, dry_run, ec2, made_once, own_tags, refuse_unknown
from hatoba.services.ec2.defaults import ensure_default
from hatoba.services.ec2.model import quotas
from hatoba.services.ec2.model.address import Elastic, associate, disassociate, holder, the_elastic
from hatoba.services.ec2.model.errors import invalid, missing, not_found
from hatoba.services.ec2.model.interface import create_eni, enis, forget_eni, of_fleet, only_ipv6
from hatoba.services.ec2.model.nat import NatGateway, carried, nat_gateways, the_nat_gateway
from hatoba.services.ec2.model.network import Subnet, the_subnet
from hatoba.services.ec2.model.routes import internet_gateways
from hatoba.services.ec2.model.ways import refresh_ways
from hatoba.services.ec2.views import nat as views
from hatoba.store import Tx
from hatoba.store.store import View

_UNKNOWN = (
    "AvailabilityZoneAddresses",
    "SecondaryAllocationIds",
    "SecondaryPrivateIpAddressCount",
    "SecondaryPrivateIpAddresses",
    "VpcId",
)


@ec2.operation
async def create_nat_gateway(req: t.CreateNatGatewayRequest, call: Call) -> t.CreateNatGatewayResult:
    dry_run(req)
    refuse_unknown(req, *_UNKNOWN)
    if req.get("AvailabilityMode") == "regional":
        raise invalid("Regional NAT gateways are not supported here yet.", "UnsupportedOperation")
    if "SubnetId" not in req:
        raise missing("subnetId")
    ensure_default(call)
    gateway = made_once(call, req, the_nat_gateway, lambda tx: _create(tx, call, req))
    answer: t.CreateNatGatewayResult = {"NatGateway": _view(call, gateway)}
    if "ClientToken" in req:
        answer["ClientToken"] = req["ClientToken"]
    return answer


def _in_zone(view: View, subnet: Subnet) -> int:
    """Those that live, in the subnet's zone."""
    living = (each for each in view.scan(nat_gateways, subnet.scope) if each.ended is None)
    return sum(the_subnet(view, subnet.scope, each.subnet).zone == subnet.zone for each in living)


def _create(tx: Tx, call: Call, req: t.CreateNatGatewayRequest) -> NatGateway:
    subnet = the_subnet(tx, call.scope, req.get("SubnetId", ""))
    if subnet.only6:
        raise only_ipv6(subnet)
    quotas.check(_in_zone(tx, subnet), quotas.NAT_GATEWAYS, "NAT gateways", "NatGatewayLimitExceeded")
    gateway = NatGateway(
        key=nat_gateways.key(call.scope, resource_id(call.ids, "nat")),
        vpc=subnet.vpc,
        subnet=subnet.id,
        connectivity=req.get("ConnectivityType", "public"),
        created=call.now,
    )
    elastic = _elastic(tx, call, req)
    failure = _failure(tx, subnet, elastic)
    if failure is not None:
        return tx.put(nat_gateways, replace(gateway, failure=failure, ended=call.now))
    eni = create_eni(
        tx,
        call.ids,
        subnet,
        groups=(),
        address=_address(req),
        description=f"Interface for NAT Gateway {gateway.id}",
        requester="amazon-aws",
        now=call.now,
    )
    eni = tx.put(enis, replace(eni, kind="natGateway"))
    gateway = replace(gateway, interface=eni.id, address=of_fleet(tx, eni).address)
    if elastic is not None:
        associate(tx, call.ids, elastic, eni)
        gateway = replace(gateway, public=elastic.public, allocation=elastic.id)
    return tx.put(nat_gateways, gateway)


def _elastic(tx: Tx, call: Call, req: t.CreateNatGatewayRequest) -> Elastic | None:
    if req.get("ConnectivityType") == "private":
        if "AllocationId" in req:
            raise invalid("A private NAT gateway has no elastic address.", "InvalidParameterCombination")
        return None
    if "AllocationId" not in req:
        raise missing("AllocationId")
    return the_elastic(tx, call.scope, req["AllocationId"])


def _failure(tx: Tx, subnet: Subnet, elastic: Elastic | None) -> tuple[str, str] | None:
    if elastic is None:
        return None
    if not tx.count(internet_gateways, "vpc", subnet.vpc):
        return "Gateway.NotAttached", f"Network {subnet.vpc} has no Internet gateway attached"
    if holder(tx, elastic) is not None:
        return "Resource.AlreadyAssociated", f"Elastic IP address {elastic.id} is already associated"
    return None


def _address(req: t.CreateNatGatewayRequest) -> str | None:
    wanted = req.get("PrivateIpAddress")
    if wanted is None:
        return None
    try:
        return str(IPv4Address(wanted))
    except AddressValueError:
        raise invalid(f"Value ({wanted}) for parameter privateIpAddress is invalid. Invalid IP address.") from None


def _view(call: Call, gateway: NatGateway) -> t.NatGateway:
    eni = call.store.find(enis, call.scope, gateway.interface) if gateway.interface else None
    there = carried(call.store, gateway) is not None
    return views.nat_gateway(gateway, there, eni.association if eni else None, own_tags(call, gateway.id))


@ec2.operation
async def describe_nat_gateways(req: t.DescribeNatGatewaysRequest, call: Call) -> t.DescribeNatGatewaysResult:
    asked: Mapping[str, Any] = {**req, "Filters": req.get("Filter", [])}  # its name is in the singular here
    page, token = described(
        call,
        nat_gateways,
        asked,
        {
            "nat-gateway-id": lambda gateway: (gateway.id,),
            "state": lambda gateway: (views.state(gateway, carried(call.store, gateway) is not None),),
            "subnet-id": lambda gateway: (gateway.subnet,),
            "vpc-id": lambda gateway: (gateway.vpc,),
        },
        ids="NatGatewayIds",
        kind="nat",
        indexed={"vpc-id": "vpc"},
    )
    return {"NatGateways": [_view(call, gateway) for gateway in page], **next_token(token)}


@ec2.operation
async def delete_nat_gateway(req: t.DeleteNatGatewayRequest, call: Call) -> t.DeleteNatGatewayResult:
    """Its elastic address stays, and routes to it lead nowhere from now on."""
    dry_run(req)
    with call.tx() as tx:
        gateway = the_nat_gateway(tx, call.scope, req["NatGatewayId"])
        if gateway.ended is not None and gateway.failure is None:
            raise not_found(gateway.id, "nat")
        if gateway.interface is not None:
            eni = tx.find(enis, call.scope, gateway.interface)
            there = carried(tx, gateway)
            if there is not None:
                tx.forget(fleet.gateways, there.key)
            if eni is not None:
                forget_eni(tx, disassociate(tx, eni))
        tx.put(nat_gateways, replace(gateway, ended=call.now))
        refresh_ways(tx, call.scope, gateway.vpc)
    return {"NatGatewayId": gateway.id}
