"""Egress-only internet gateways: for IPv6, out and answers only.

One is made for a VPC and stays there; a VPC has one at most. Source: the VPC user guide, "Amazon VPC quotas".
"""

from __future__ import annotations

from hatoba.aws.shapes import ec2 as t
from hatoba.core.ids import resource_id
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.gateway.tags import forget_tags
from hatoba.services.ec2.api.room import described, ec2, made_once, own_tags
from hatoba.services.ec2.model.arns import arn
from hatoba.services.ec2.model.errors import invalid
from hatoba.services.ec2.model.network import the_vpc
from hatoba.services.ec2.model.routes import EgressOnlyGateway, egress_gateways, the_egress_gateway
from hatoba.services.ec2.model.ways import refresh_ways
from hatoba.services.ec2.views import route as views
from hatoba.store import Tx


@ec2.operation
async def create_egress_only_internet_gateway(
    req: t.CreateEgressOnlyInternetGatewayRequest, call: Call
) -> t.CreateEgressOnlyInternetGatewayResult:
    gateway = made_once(call, req, the_egress_gateway, lambda tx: _create(tx, call, req))
    shown = views.egress_gateway(gateway, own_tags(call, gateway.id))
    answer: t.CreateEgressOnlyInternetGatewayResult = {"EgressOnlyInternetGateway": shown}
    if "ClientToken" in req:
        answer["ClientToken"] = req["ClientToken"]
    return answer


def _create(tx: Tx, call: Call, req: t.CreateEgressOnlyInternetGatewayRequest) -> EgressOnlyGateway:
    vpc = the_vpc(tx, call.scope, req["VpcId"])
    if tx.count(egress_gateways, "vpc", vpc.id):
        raise invalid(f"Network {vpc.id} already has an egress-only internet gateway attached")
    key = egress_gateways.key(call.scope, resource_id(call.ids, "eigw"))
    return tx.put(egress_gateways, EgressOnlyGateway(key=key, vpc=vpc.id))


@ec2.operation
async def describe_egress_only_internet_gateways(
    req: t.DescribeEgressOnlyInternetGatewaysRequest, call: Call
) -> t.DescribeEgressOnlyInternetGatewaysResult:
    page, token = described(call, egress_gateways, req, {}, ids="EgressOnlyInternetGatewayIds", kind="eigw")
    return {
        "EgressOnlyInternetGateways": [views.egress_gateway(gateway, own_tags(call, gateway.id)) for gateway in page],
        **next_token(token),
    }


@ec2.operation
async def delete_egress_only_internet_gateway(
    req: t.DeleteEgressOnlyInternetGatewayRequest, call: Call
) -> t.DeleteEgressOnlyInternetGatewayResult:
    """Routes to it stay, and lead nowhere."""
    with call.tx() as tx:
        gateway = the_egress_gateway(tx, call.scope, req["EgressOnlyInternetGatewayId"])
        tx.forget(egress_gateways, gateway.key)
        forget_tags(tx, call.scope, arn(call.scope, gateway.id))
        refresh_ways(tx, call.scope, gateway.vpc)
    return {"ReturnCode": True}
