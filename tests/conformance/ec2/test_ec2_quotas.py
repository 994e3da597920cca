"""What is full: EC2's error, and nothing has changed. The numbers are small here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hatoba.services.ec2.model import quotas
from tests.conformance.ec2.networks import by


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, ec2: Any) -> Callable[[str, int], None]:
    """The platform is a thread of this process."""
    ec2.describe_vpcs()  # the default VPC comes first
    return lambda name, number: monkeypatch.setattr(quotas, name, number)


def full(code: str, words: str, call: Callable[..., Any], **params: Any) -> None:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    assert (error["Code"], error["Message"]) == (code, f"The maximum number of {words} has been reached.")


def test_a_region_is_full(ec2: Any, few: Callable[[str, int], None]) -> None:
    few("VPCS", 2)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    full("VpcLimitExceeded", "VPCs", ec2.create_vpc, CidrBlock="10.1.0.0/16")
    ec2.create_internet_gateway()
    full("InternetGatewayLimitExceeded", "internet gateways", ec2.create_internet_gateway)
    ec2.delete_vpc(VpcId=vpc)
    ec2.create_vpc(CidrBlock="10.1.0.0/16")
    assert len(ec2.describe_vpcs()["Vpcs"]) == 2

    few("ELASTICS", 1)
    allocation = ec2.allocate_address()["AllocationId"]
    full("AddressLimitExceeded", "addresses", ec2.allocate_address)
    ec2.release_address(AllocationId=allocation)
    ec2.allocate_address()

    few("SECURITY_GROUPS", 3)  # with those that the two VPCs have
    ec2.create_security_group(GroupName="one", Description="d")
    full("SecurityGroupLimitExceeded", "security groups", ec2.create_security_group, GroupName="two", Description="d")


def test_a_vpc_is_full(ec2: Any, vpc: str, few: Callable[[str, int], None]) -> None:
    few("SUBNETS", 1)
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")
    full("SubnetLimitExceeded", "subnets", ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.1.0/24")
    few("ROUTE_TABLES", 2)  # with the main one
    ec2.create_route_table(VpcId=vpc)
    full("RouteTableLimitExceeded", "route tables", ec2.create_route_table, VpcId=vpc)
    few("PEERINGS", 1)
    peers = [ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")["Vpc"]["VpcId"] for n in (8, 9)]
    ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=peers[0])
    code, call = "ActiveVpcPeeringConnectionPerVpcLimitExceeded", ec2.create_vpc_peering_connection
    full(code, f"peering connections of {vpc}", call, VpcId=vpc, PeerVpcId=peers[1])


def test_a_route_table_is_full(ec2: Any, vpc: str, few: Callable[[str, int], None]) -> None:
    few("ROUTES", 1)
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    table = ec2.describe_route_tables(Filters=by("vpc-id", vpc))["RouteTables"][0]["RouteTableId"]
    to: dict[str, Any] = {"RouteTableId": table, "GatewayId": igw}
    ec2.create_route(DestinationCidrBlock="0.0.0.0/0", **to)
    ec2.create_route(DestinationCidrBlock="0.0.0.0/0", **to)  # it is there
    full("RouteLimitExceeded", f"routes of {table}", ec2.create_route, DestinationCidrBlock="8.8.8.0/24", **to)


def test_a_zone_has_so_many_nat_gateways(ec2: Any, vpc: str, few: Callable[[str, int], None]) -> None:
    few("NAT_GATEWAYS", 1)
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]]
    here, there = (
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for n, zone in enumerate(zones[:2])
    )
    private = {"ConnectivityType": "private"}
    made = ec2.create_nat_gateway(SubnetId=here, **private)["NatGateway"]["NatGatewayId"]
    full("NatGatewayLimitExceeded", "NAT gateways", ec2.create_nat_gateway, SubnetId=here, **private)
    ec2.create_nat_gateway(SubnetId=there, **private)
    ec2.delete_nat_gateway(NatGatewayId=made)
    ec2.create_nat_gateway(SubnetId=here, **private)


def test_an_interface_has_so_many_groups_and_a_group_so_many_rules(ec2: Any, vpc: str, subnet: str) -> None:
    """As on AWS: the numbers are told by DescribeAccountAttributes, and clients count on them."""
    groups = [ec2.create_security_group(VpcId=vpc, GroupName=f"g{n}", Description="d")["GroupId"] for n in range(6)]
    words = "security groups per interface"
    code = "SecurityGroupsPerInterfaceLimitExceeded"
    full(code, words, ec2.create_network_interface, SubnetId=subnet, Groups=groups)
    eni = ec2.create_network_interface(SubnetId=subnet, Groups=groups[:5])["NetworkInterface"]["NetworkInterfaceId"]
    full(code, words, ec2.modify_network_interface_attribute, NetworkInterfaceId=eni, Groups=groups)

    def rules(first: int, count: int) -> list[dict[str, Any]]:
        ranges = [{"CidrIp": f"10.{n}.0.0/16"} for n in range(first, first + count)]
        return [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": ranges}]

    ec2.authorize_security_group_ingress(GroupId=groups[0], IpPermissions=rules(0, 60))
    add = ec2.authorize_security_group_ingress
    code = "RulesPerSecurityGroupLimitExceeded"
    full(code, "rules per security group", add, GroupId=groups[0], IpPermissions=rules(60, 1))
    ec2.authorize_security_group_egress(GroupId=groups[0], IpPermissions=rules(0, 1))  # each direction has its own
