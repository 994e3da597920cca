"""Route tables and internet gateways: what they refuse and what they mean. What follows for traffic: `interfaces`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.ec2.networks import by
from tests.conformance.serving import refused

OUTSIDE = {"DestinationCidrBlock": "0.0.0.0/0"}


@pytest.fixture
def gateway(ec2: Any, vpc: str) -> str:
    """Attached to `vpc`."""
    id_: str = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=id_, VpcId=vpc)
    return id_


@pytest.fixture
def table(ec2: Any, vpc: str) -> str:
    id_: str = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    return id_


def routes(ec2: Any, table: str) -> dict[str, str]:
    found = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    return {route["DestinationCidrBlock"]: route["GatewayId"] for route in found}


@pytest.mark.parametrize(
    "reserved",
    [
        {"DestinationCidrBlock": "169.254.169.254/32"},
        {"DestinationCidrBlock": "169.254.168.0/22"},
        {"DestinationIpv6CidrBlock": "fd00:ec2::254/128"},
    ],
)
def test_nobody_routes_the_platforms_own_addresses(
    ec2: Any, table: str, gateway: str, reserved: dict[str, str]
) -> None:
    """Credentials are there."""
    for call in (ec2.create_route, ec2.replace_route):
        assert "is reserved" in refused(
            "InvalidParameterValue", call, RouteTableId=table, GatewayId=gateway, **reserved
        )
    assert routes(ec2, table) == {"10.0.0.0/16": "local"}


def test_routes_are_added_replaced_and_removed(ec2: Any, table: str, gateway: str) -> None:
    ec2.create_route(RouteTableId=table, GatewayId=gateway, **OUTSIDE)
    ec2.create_route(RouteTableId=table, GatewayId=gateway, **OUTSIDE)  # the same again is the same
    assert routes(ec2, table) == {"10.0.0.0/16": "local", "0.0.0.0/0": gateway}
    ec2.create_route(RouteTableId=table, GatewayId=gateway, DestinationCidrBlock="192.0.2.7/24")
    assert "192.0.2.0/24" in routes(ec2, table)
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="192.0.2.0/24")
    ec2.replace_route(RouteTableId=table, GatewayId=gateway, **OUTSIDE)
    assert routes(ec2, table) == {"10.0.0.0/16": "local", "0.0.0.0/0": gateway}
    (found,) = ec2.describe_route_tables(Filters=by("route.gateway-id", gateway))["RouteTables"]
    assert found["RouteTableId"] == table
    assert {route["Origin"] for route in found["Routes"]} == {"CreateRouteTable", "CreateRoute"}


def test_what_no_route_may_be(ec2: Any, table: str, gateway: str) -> None:
    def wrong(code: str, operation: str = "create_route", **params: Any) -> str:
        return refused(code, getattr(ec2, operation), **{"RouteTableId": table, "GatewayId": gateway, **params})

    assert wrong("InvalidRoute.NotFound", "replace_route", **OUTSIDE) == (
        f"no route with destination-cidr-block 0.0.0.0/0 in route table {table}"
    )
    for inside in ("10.0.0.0/16", "10.0.7.0/24"):
        assert wrong("InvalidParameterValue", DestinationCidrBlock=inside) == (
            f"The destination CIDR block {inside} is equal to or more specific than one of this VPC's CIDR blocks. "
            "This route can target only an interface or an instance."
        )
    other = ec2.describe_internet_gateways(Filters=by("attachment.state", "available"))["InternetGateways"]
    (far,) = (each["InternetGatewayId"] for each in other if each["InternetGatewayId"] != gateway)
    for operation in ("create_route", "replace_route"):
        assert wrong("InvalidParameterValue", operation, GatewayId=far, **OUTSIDE) == (
            f"route table {table} and network gateway {far} belong to different networks"
        )
    wrong("InvalidInternetGatewayID.NotFound", GatewayId="igw-0", **OUTSIDE)
    wrong("InvalidRouteTableID.NotFound", RouteTableId="rtb-0", **OUTSIDE)
    wrong("MissingParameter")
    wrong("InvalidParameterValue", DestinationCidrBlock="everything")
    refused("NatGatewayNotFound", ec2.create_route, RouteTableId=table, NatGatewayId="nat-0", **OUTSIDE)
    refused("UnsupportedOperation", ec2.create_route, RouteTableId=table, TransitGatewayId="tgw-0", **OUTSIDE)
    assert refused(
        "InvalidParameterValue", ec2.delete_route, RouteTableId=table, DestinationCidrBlock="10.0.0.0/16"
    ) == (f"cannot remove local route 10.0.0.0/16 in route table {table}")
    refused("InvalidRoute.NotFound", ec2.delete_route, RouteTableId=table, **OUTSIDE)
    refused("MissingParameter", ec2.delete_route, RouteTableId=table)
    assert routes(ec2, table) == {"10.0.0.0/16": "local"}


def test_a_subnet_has_one_table(ec2: Any, vpc: str, subnet: str, table: str) -> None:
    association = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    again = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    assert again == association
    other = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    assert refused("Resource.AlreadyAssociated", ec2.associate_route_table, RouteTableId=other, SubnetId=subnet) == (
        f"the specified association for route table {other} conflicts with an existing association"
    )
    moved = ec2.replace_route_table_association(AssociationId=association, RouteTableId=other)["NewAssociationId"]
    refused("InvalidAssociationID.NotFound", ec2.disassociate_route_table, AssociationId=association)
    (found,) = ec2.describe_route_tables(Filters=by("association.subnet-id", subnet))["RouteTables"]
    assert found["RouteTableId"] == other
    assert refused("DependencyViolation", ec2.delete_route_table, RouteTableId=other) == (
        f"The routeTable '{other}' has dependencies and cannot be deleted."
    )
    ec2.disassociate_route_table(AssociationId=moved)
    ec2.delete_route_table(RouteTableId=other)
    refused("InvalidRouteTableID.NotFound", ec2.delete_route_table, RouteTableId=other)


def test_the_main_table_changes_places(ec2: Any, vpc: str, table: str) -> None:
    main_filter = [*by("vpc-id", vpc), *by("association.main", "true")]
    (main,) = ec2.describe_route_tables(Filters=main_filter)["RouteTables"]
    association = main["Associations"][0]["RouteTableAssociationId"]
    assert refused("InvalidParameterValue", ec2.disassociate_route_table, AssociationId=association) == (
        f"cannot disassociate the main route table association {association}"
    )
    refused("DependencyViolation", ec2.delete_route_table, RouteTableId=main["RouteTableId"])
    # To itself, and then to the other one.
    association = ec2.replace_route_table_association(AssociationId=association, RouteTableId=main["RouteTableId"])[
        "NewAssociationId"
    ]
    ec2.replace_route_table_association(AssociationId=association, RouteTableId=table)
    (now,) = ec2.describe_route_tables(Filters=main_filter)["RouteTables"]
    assert now["RouteTableId"] == table
    ec2.delete_route_table(RouteTableId=main["RouteTableId"])


def test_tables_stay_in_their_vpc(ec2: Any, table: str, default_subnet: str) -> None:
    refused("InvalidParameterValue", ec2.associate_route_table, RouteTableId=table, SubnetId=default_subnet)
    (main,) = ec2.describe_route_tables(Filters=by("route.destination-cidr-block", "172.31.0.0/16"))["RouteTables"]
    association = main["Associations"][0]["RouteTableAssociationId"]
    refused(
        "InvalidParameterValue",
        ec2.replace_route_table_association,
        AssociationId=association,
        RouteTableId=table,
    )
    (still,) = ec2.describe_route_tables(RouteTableIds=[main["RouteTableId"]])["RouteTables"]
    assert still == main


def test_a_gateway_is_attached_to_one_vpc(ec2: Any, vpc: str, gateway: str) -> None:
    assert refused("Resource.AlreadyAssociated", ec2.attach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc) == (
        f"resource {gateway} is already attached to network {vpc}"
    )
    second = ec2.create_internet_gateway()["InternetGateway"]
    assert second["Attachments"] == []
    id_ = second["InternetGatewayId"]
    refused("InvalidParameterValue", ec2.attach_internet_gateway, InternetGatewayId=id_, VpcId=vpc)
    assert refused("Gateway.NotAttached", ec2.detach_internet_gateway, InternetGatewayId=id_, VpcId=vpc) == (
        f"resource {id_} is not attached to network {vpc}"
    )
    ec2.delete_internet_gateway(InternetGatewayId=id_)
    assert refused("DependencyViolation", ec2.delete_internet_gateway, InternetGatewayId=gateway) == (
        f"The internetGateway '{gateway}' has dependencies and cannot be deleted."
    )


def test_a_gateway_that_is_gone_leaves_a_blackhole(ec2: Any, vpc: str, table: str, gateway: str) -> None:
    ec2.create_route(RouteTableId=table, GatewayId=gateway, **OUTSIDE)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    (found,) = ec2.describe_route_tables(Filters=by("route.state", "blackhole"))["RouteTables"]
    assert found["RouteTableId"] == table
    ec2.delete_route(RouteTableId=table, **OUTSIDE)


def test_a_table_that_is_asked_for_twice_is_made_once(ec2: Any, vpc: str) -> None:
    first = ec2.create_route_table(VpcId=vpc, ClientToken="one")
    again = ec2.create_route_table(VpcId=vpc, ClientToken="one")
    assert again["RouteTable"] == first["RouteTable"]
    assert again["ClientToken"] == "one"
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    refused("IdempotentParameterMismatch", ec2.create_route_table, VpcId=other, ClientToken="one")
