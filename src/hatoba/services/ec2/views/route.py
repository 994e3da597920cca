"""Route tables, and the gateways that they lead to → API shape."""

from __future__ import annotations

from collections.abc import Container

from hatoba.aws.shapes import ec2 as t
from hatoba.services.ec2.model.routes import Association, EgressOnlyGateway, InternetGateway, Route, RouteTable
from hatoba.services.ec2.views import Tags, tags


def _association(table: RouteTable, association: Association) -> t.RouteTableAssociation:
    shown: t.RouteTableAssociation = {
        "RouteTableAssociationId": association.id,
        "RouteTableId": table.id,
        "Main": association.subnet is None,
        "AssociationState": {"State": "associated"},
    }
    if association.subnet is not None:
        shown["SubnetId"] = association.subnet
    return shown


def _route(route: Route, blackhole: bool) -> t.Route:
    shown: t.Route = {"Origin": route.origin, "State": "blackhole" if blackhole else "active"}
    if route.to_list:
        shown["DestinationPrefixListId"] = route.destination
    else:
        shown["DestinationIpv6CidrBlock" if ":" in route.destination else "DestinationCidrBlock"] = route.destination
    match route.gateway.partition("-")[0]:
        case "nat":
            shown["NatGatewayId"] = route.gateway
        case "eigw":
            shown["EgressOnlyInternetGatewayId"] = route.gateway
        case "pcx":
            shown["VpcPeeringConnectionId"] = route.gateway
        case _:
            shown["GatewayId"] = route.gateway
    return shown


def route_table(record: RouteTable, blackholes: Container[str], own: Tags) -> t.RouteTable:
    """`blackholes` are the destinations whose routes lead nowhere."""
    return {
        "RouteTableId": record.id,
        "VpcId": record.vpc,
        "OwnerId": record.key.account,
        "PropagatingVgws": [],
        "Associations": [_association(record, association) for association in record.associations],
        "Routes": [_route(route, route.destination in blackholes) for route in record.routes],
        "Tags": tags(own),
    }


def internet_gateway(record: InternetGateway, own: Tags) -> t.InternetGateway:
    attachments: list[t.InternetGatewayAttachment] = []
    if record.vpc is not None:
        # EC2 says "available" here, which its own enum does not know.
        attachments.append({"State": "available", "VpcId": record.vpc})  # type: ignore[typeddict-item]
    return {
        "InternetGatewayId": record.id,
        "OwnerId": record.key.account,
        "Attachments": attachments,
        "Tags": tags(own),
    }


def egress_gateway(record: EgressOnlyGateway, own: Tags) -> t.EgressOnlyInternetGateway:
    return {
        "EgressOnlyInternetGatewayId": record.id,
        "Attachments": [{"State": "attached", "VpcId": record.vpc}],
        "Tags": tags(own),
    }
