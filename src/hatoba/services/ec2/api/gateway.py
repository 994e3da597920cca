"""Internet gateways."""

from __future__ import annotations

from hatoba.aws.shapes import ec2 as t
from hatoba.core.ids import resource_id
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.gateway.tags import forget_tags
from hatoba.services.ec2.api.room import described, dry_run, ec2, own_tags, tag_new
from hatoba.services.ec2.defaults import ensure_default
from hatoba.services.ec2.model import quotas
from hatoba.services.ec2.model.arns import arn
from hatoba.services.ec2.model.errors import dependency, in_the_way, invalid
from hatoba.services.ec2.model.interface import enis
from hatoba.services.ec2.model.network import the_vpc
from hatoba.services.ec2.model.routes import InternetGateway, internet_gateways, the_gateway
from hatoba.services.ec2.model.ways import refresh_ways
from hatoba.services.ec2.views import route as views
from hatoba.store import Tx


@ec2.operation
async def create_internet_gateway(req: t.CreateInternetGatewayRequest, call: Call) -> t.CreateInternetGatewayResult:
    dry_run(req)
    with call.tx() as tx:
        there = tx.size(internet_gateways, call.scope)
        quotas.check(there, quotas.VPCS, "internet gateways", "InternetGatewayLimitExceeded")
        id_ = resource_id(call.ids, "igw")
        gateway = tx.put(internet_gateways, InternetGateway(key=internet_gateways.key(call.scope, id_)))
        tag_new(tx, call, id_, req)
    return {"InternetGateway": views.internet_gateway(gateway, own_tags(call, id_))}


@ec2.operation
async def describe_internet_gateways(
    req: t.DescribeInternetGatewaysRequest, call: Call
) -> t.DescribeInternetGatewaysResult:
    ensure_default(call)
    page, token = described(
        call,
        internet_gateways,
        req,
        {
            "internet-gateway-id": lambda gateway: (gateway.id,),
            "attachment.vpc-id": lambda gateway: (gateway.vpc,),
            "attachment.state": lambda gateway: ("available",) if gateway.vpc else (),
            "owner-id": lambda gateway: (gateway.key.account,),
        },
        ids="InternetGatewayIds",
        kind="igw",
    )
    return {
        "InternetGateways": [views.internet_gateway(gateway, own_tags(call, gateway.id)) for gateway in page],
        **next_token(token),
    }


@ec2.operation
async def attach_internet_gateway(req: t.AttachInternetGatewayRequest, call: Call) -> None:
    dry_run(req)
    with call.tx() as tx:
        gateway = the_gateway(tx, call.scope, req["InternetGatewayId"])
        vpc = the_vpc(tx, call.scope, req["VpcId"])
        if gateway.vpc is not None:
            raise invalid(
                f"resource {gateway.id} is already attached to network {gateway.vpc}", "Resource.AlreadyAssociated"
            )
        if tx.count(internet_gateways, "vpc", vpc.id):
            raise invalid(f"Network {vpc.id} already has an internet gateway attached", "InvalidParameterValue")
        _put(tx, replace(gateway, vpc=vpc.id), vpc.id)


@ec2.operation
async def detach_internet_gateway(req: t.DetachInternetGatewayRequest, call: Call) -> None:
    dry_run(req)
    with call.tx() as tx:
        gateway = the_gateway(tx, call.scope, req["InternetGatewayId"])
        if gateway.vpc != req["VpcId"]:
            raise invalid(f"resource {gateway.id} is not attached to network {req['VpcId']}", "Gateway.NotAttached")
        if any(eni.translations for eni in tx.index(enis, "vpc", gateway.vpc)):
            raise in_the_way(
                f"Network {gateway.vpc} has some mapped public address(es). Please unmap those public address(es) "
                "before detaching the gateway."
            )
        _put(tx, replace(gateway, vpc=None), gateway.vpc)


def _put(tx: Tx, gateway: InternetGateway, vpc: str) -> None:
    """Writes a gateway that has come to a VPC or left it, and renews who may leave that."""
    tx.put(internet_gateways, gateway)
    refresh_ways(tx, gateway.scope, vpc)


@ec2.operation
async def delete_internet_gateway(req: t.DeleteInternetGatewayRequest, call: Call) -> None:
    dry_run(req)
    with call.tx() as tx:
        gateway = the_gateway(tx, call.scope, req["InternetGatewayId"])
        if gateway.vpc is not None:
            raise dependency(f"The internetGateway '{gateway.id}'")
        tx.forget(internet_gateways, gateway.key)
        forget_tags(tx, call.scope, arn(call.scope, gateway.id))
