"""NAT gateways: what they are told to be, what they refuse, and the node that has one."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.services.ec2.model.nat import SHOWN, nat_gateways
from tests.conformance.ec2 import nodes
from tests.conformance.ec2.networks import Platform, by
from tests.conformance.ec2.nodes import node
from tests.conformance.serving import refused

OUTSIDE = {"DestinationCidrBlock": "0.0.0.0/0"}


@pytest.fixture
def gateway(ec2: Any, vpc: str) -> str:
    id_: str = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=id_, VpcId=vpc)
    return id_


@pytest.fixture
def allocation(ec2: Any) -> str:
    id_: str = ec2.allocate_address()["AllocationId"]
    return id_


@pytest.fixture
def nat(ec2: Any, subnet: str, gateway: str, allocation: str) -> str:
    found = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=allocation)["NatGateway"]
    assert (found["State"], found["ConnectivityType"]) == ("pending", "public")
    id_: str = found["NatGatewayId"]
    return id_


@pytest.fixture
def converge(platform: Platform) -> Any:
    """One pass over everything."""
    return functools.partial(nodes.converge, platform)


def of(platform: Platform, nat: str) -> fleet.Gateway | None:
    return next((g for g in platform.store.all(fleet.gateways) if g.id == nat), None)


def shown(ec2: Any, nat: str) -> Any:
    (found,) = ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"]
    return found


def test_a_gateway_is_available_once_a_node_has_it_and_moves_with_it(
    ec2: Any, platform: Platform, nat: str, subnet: str, allocation: str, converge: Any
) -> None:
    node(platform, "n1", 1)
    converge()
    found = shown(ec2, nat)
    assert found["State"] == "available"
    (address,) = found["NatGatewayAddresses"]
    (elastic,) = ec2.describe_addresses(AllocationIds=[allocation])["Addresses"]
    assert address["PublicIp"] == elastic["PublicIp"]
    assert elastic["NetworkInterfaceId"] == address["NetworkInterfaceId"]
    (eni,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[address["NetworkInterfaceId"]])["NetworkInterfaces"]
    assert (eni["InterfaceType"], eni["Status"], eni["Description"], eni["PrivateIpAddress"]) == (
        "natGateway",
        "in-use",
        f"Interface for NAT Gateway {nat}",
        address["PrivateIp"],
    )
    first = of(platform, nat)
    assert first is not None
    assert (first.node, first.interface) == ("n1", eni["NetworkInterfaceId"])
    node(platform, "n2", 2)
    converge()
    assert of(platform, nat) == first, "it stays where it is"
    node(platform, "n1", 1, "lost")
    converge()
    moved = of(platform, nat)
    assert moved is not None
    assert moved.node == "n2"
    for id_ in ("n1", "n2"):
        node(platform, id_, 1, "lost")


def test_its_interface_and_address_are_its_own(ec2: Any, nat: str, subnet: str, allocation: str) -> None:
    (address,) = shown(ec2, nat)["NatGatewayAddresses"]
    eni = address["NetworkInterfaceId"]
    refused("InvalidNetworkInterface.InUse", ec2.delete_network_interface, NetworkInterfaceId=eni)
    words = "You do not have permission to access the specified resource."
    association = address["AssociationId"]
    assert refused("AuthFailure", ec2.disassociate_address, AssociationId=association) == words
    other = ec2.allocate_address()["AllocationId"]
    assert refused("AuthFailure", ec2.associate_address, AllocationId=other, NetworkInterfaceId=eni) == words
    free = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    refused("AuthFailure", ec2.associate_address, AllocationId=allocation, NetworkInterfaceId=free)
    refused(
        "AuthFailure", ec2.modify_network_interface_attribute, NetworkInterfaceId=eni, Description={"Value": "mine"}
    )
    refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=allocation)
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnet)


def test_a_deleted_one_is_shown_for_an_hour_and_its_routes_lead_nowhere(
    ec2: Any, platform: Platform, nat: str, vpc: str, subnet: str, allocation: str, converge: Any
) -> None:
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, NatGatewayId=nat, **OUTSIDE)
    (found,) = ec2.describe_route_tables(Filters=by("route.nat-gateway-id", nat))["RouteTables"]
    assert found["Routes"][1] == {
        "DestinationCidrBlock": "0.0.0.0/0",
        "NatGatewayId": nat,
        "Origin": "CreateRoute",
        "State": "active",
    }
    assert ec2.delete_nat_gateway(NatGatewayId=nat)["NatGatewayId"] == nat
    gone = shown(ec2, nat)
    assert (gone["State"], gone["NatGatewayAddresses"][0]["AllocationId"]) == ("deleted", allocation)
    (found,) = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    assert found["Routes"][1]["State"] == "blackhole"
    refused("NatGatewayNotFound", ec2.delete_nat_gateway, NatGatewayId=nat)
    refused("NatGatewayNotFound", ec2.replace_route, RouteTableId=table, NatGatewayId=nat, **OUTSIDE)
    assert "AssociationId" not in ec2.describe_addresses(AllocationIds=[allocation])["Addresses"][0]
    assert of(platform, nat) is None
    assert [until for until in converge() if until is not None], "it is looked at again"
    assert shown(ec2, nat)
    ec2.delete_subnet(SubnetId=subnet)

    def an_hour_ago() -> None:
        with platform.store.tx() as tx:
            record = next(g for g in tx.all(nat_gateways) if g.id == nat)
            tx.put(nat_gateways, replace(record, ended=platform.clock.now() - SHOWN))

    platform.run(an_hour_ago)
    converge()
    assert refused("NatGatewayNotFound", ec2.describe_nat_gateways, NatGatewayIds=[nat]) == (
        f"NatGateway {nat} was not found"
    )


def test_what_fails_says_so_as_aws_does(ec2: Any, vpc: str, subnet: str, allocation: str) -> None:
    failed = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=allocation)["NatGateway"]
    assert (failed["State"], failed["FailureCode"], failed["FailureMessage"]) == (
        "failed",
        "Gateway.NotAttached",
        f"Network {vpc} has no Internet gateway attached",
    )
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    eni = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=eni)
    failed = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=allocation)["NatGateway"]
    assert (failed["FailureCode"], failed["FailureMessage"]) == (
        "Resource.AlreadyAssociated",
        f"Elastic IP address {allocation} is already associated",
    )
    assert (
        ec2.describe_nat_gateways(Filter=[*by("vpc-id", vpc), *by("state", "available", "pending")])["NatGateways"]
        == []
    )
    ec2.delete_nat_gateway(NatGatewayId=failed["NatGatewayId"])


def test_what_is_refused_changes_nothing(ec2: Any, vpc: str, subnet: str, gateway: str, allocation: str) -> None:
    def wrong(code: str, **params: Any) -> str:
        return refused(code, ec2.create_nat_gateway, **{"SubnetId": subnet, "AllocationId": allocation, **params})

    refused("MissingParameter", ec2.create_nat_gateway, SubnetId=subnet)
    refused("MissingParameter", ec2.create_nat_gateway, AllocationId=allocation)
    wrong("InvalidSubnetID.NotFound", SubnetId="subnet-0")
    wrong("InvalidAllocationID.NotFound", AllocationId="eipalloc-0")
    wrong("InvalidParameterCombination", ConnectivityType="private")
    wrong("UnsupportedOperation", SecondaryPrivateIpAddressCount=1)
    wrong("UnsupportedOperation", AvailabilityMode="regional")
    wrong("InvalidParameterValue", PrivateIpAddress="10.0.2.9")
    wrong("InvalidParameterValue", PrivateIpAddress="nine")
    assert ec2.describe_nat_gateways(Filter=by("vpc-id", vpc))["NatGateways"] == []
    assert ec2.describe_network_interfaces(Filters=by("vpc-id", vpc))["NetworkInterfaces"] == []


def test_one_token_makes_one_gateway_and_private_ones_have_the_address_asked_for(ec2: Any, subnet: str) -> None:
    asked = {
        "SubnetId": subnet,
        "ConnectivityType": "private",
        "PrivateIpAddress": "10.0.1.9",
        "ClientToken": "once",
        "TagSpecifications": [{"ResourceType": "natgateway", "Tags": [{"Key": "Name", "Value": "inner"}]}],
    }
    first, again = ec2.create_nat_gateway(**asked), ec2.create_nat_gateway(**asked)
    assert first["NatGateway"]["NatGatewayId"] == again["NatGateway"]["NatGatewayId"]
    assert first["ClientToken"] == "once"
    assert first["NatGateway"]["NatGatewayAddresses"][0]["PrivateIp"] == "10.0.1.9"
    (found,) = ec2.describe_nat_gateways(Filter=by("tag:Name", "inner"))["NatGateways"]
    assert found["Tags"] == [{"Key": "Name", "Value": "inner"}]
    refused("IdempotentParameterMismatch", ec2.create_nat_gateway, **{**asked, "PrivateIpAddress": "10.0.1.10"})
