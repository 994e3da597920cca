"""What all describe operations have in common: ids, filters, pages; and tags."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.ec2.networks import Platform, by
from tests.conformance.serving import refused

# Operation, its list, its members for ids and for one id, an id of the right kind that is not there, its error.
LISTS = [
    ("describe_vpcs", "Vpcs", "VpcIds", "VpcId", "vpc-0123456789abcdef0", "InvalidVpcID.NotFound"),
    ("describe_subnets", "Subnets", "SubnetIds", "SubnetId", "subnet-0123456789abcdef0", "InvalidSubnetID.NotFound"),
    (
        "describe_security_groups",
        "SecurityGroups",
        "GroupIds",
        "GroupId",
        "sg-0123456789abcdef0",
        "InvalidGroup.NotFound",
    ),
    (
        "describe_route_tables",
        "RouteTables",
        "RouteTableIds",
        "RouteTableId",
        "rtb-0123456789abcdef0",
        "InvalidRouteTableID.NotFound",
    ),
    (
        "describe_internet_gateways",
        "InternetGateways",
        "InternetGatewayIds",
        "InternetGatewayId",
        "igw-0123456789abcdef0",
        "InvalidInternetGatewayID.NotFound",
    ),
    (
        "describe_network_interfaces",
        "NetworkInterfaces",
        "NetworkInterfaceIds",
        "NetworkInterfaceId",
        "eni-0123456789abcdef0",
        "InvalidNetworkInterfaceID.NotFound",
    ),
]


@pytest.fixture
def filled(ec2: Any, vpc: str, subnet: str) -> None:
    """At least six of everything."""
    for number in range(6):
        ec2.create_vpc(CidrBlock="10.0.0.0/16")
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{100 + number}.0/24")
        ec2.create_internet_gateway()
        ec2.create_network_interface(SubnetId=subnet)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(("operation", "name", "ids", "id_", "absent", "code"), LISTS)
def test_by_id_by_page_and_what_is_not_there(
    ec2: Any, operation: str, name: str, ids: str, id_: str, absent: str, code: str
) -> None:
    describe = getattr(ec2, operation)
    everything = [each[id_] for each in describe()[name]]
    assert len(everything) >= 6
    wanted = [everything[3], everything[1], everything[3]]
    assert {each[id_] for each in describe(**{ids: wanted})[name]} == set(wanted)
    refused(code, describe, **{ids: [everything[0], absent]})

    first = describe(MaxResults=5)
    assert len(first[name]) == 5
    rest = describe(NextToken=first["NextToken"], MaxResults=100)
    assert [each[id_] for each in first[name] + rest[name]] == everything
    assert "NextToken" not in rest
    other = by("tag-key", "x")
    refused("InvalidNextToken", describe, NextToken=first["NextToken"], Filters=other)
    refused("InvalidNextToken", describe, NextToken="made-up")
    refused("InvalidParameterCombination", describe, MaxResults=5, **{ids: wanted})
    words = refused("InvalidParameterValue", describe, Filters=by("colour", "red"))
    assert words == "The filter 'colour' is invalid"


def test_filters_are_all_needed_and_any_value_does(ec2: Any, vpc: str) -> None:
    def found(*filters: dict[str, Any]) -> set[str]:
        return {each["CidrBlock"] for each in ec2.describe_vpcs(Filters=list(filters))["Vpcs"]}

    assert found() == {"10.0.0.0/16", "172.31.0.0/16"}
    assert found(*by("cidr", "10.0.0.0/16", "172.31.0.0/16")) == {"10.0.0.0/16", "172.31.0.0/16"}
    assert found(*by("cidr", "10.*"), *by("is-default", "true")) == set()
    assert found(*by("is-default", "fal?e")) == {"10.0.0.0/16"}
    assert found(*by("vpc-id", vpc)) == {"10.0.0.0/16"}
    assert found(*by("cidr", "[1]*")) == set()


def test_filters_with_an_index_find_the_same(platform: Platform, ec2: Any, vpc: str, subnet: str, region: str) -> None:
    for number in range(4):
        ec2.create_network_interface(SubnetId=subnet, Description=f"d{number % 2}*")
    other = platform.client("ec2", region=region, account="210987654321")
    mine = other.describe_subnets()["Subnets"][0]["SubnetId"]
    other.create_network_interface(SubnetId=mine, Description="d1*")

    def found(*filters: dict[str, Any]) -> int:
        return len(ec2.describe_network_interfaces(Filters=list(filters))["NetworkInterfaces"])

    assert found(*by("description", "d1\\*")) == 2
    assert found(*by("description", "d1*")) == 2
    assert found(*by("description", "d0*", "d1*", "d1*")) == 4
    assert found(*by("subnet-id", subnet, subnet)) == 4
    assert found(*by("subnet-id", mine)) == 0, "another account's"
    assert found(*by("vpc-id", vpc), *by("description", "d0*")) == 2
    assert found(*by("vpc-id", vpc[:-1] + "?")) == 4
    ids = [each["NetworkInterfaceId"] for each in ec2.describe_network_interfaces()["NetworkInterfaces"]][:2]
    both = ec2.describe_network_interfaces(NetworkInterfaceIds=ids, Filters=by("subnet-id", "subnet-0"))
    assert both["NetworkInterfaces"] == []


def test_tags_of_everything(platform: Platform, ec2: Any, vpc: str, subnet: str) -> None:
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    address = ec2.allocate_address()["AllocationId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    group = ec2.create_security_group(GroupName="a", Description="a", VpcId=vpc)["GroupId"]
    (rule,) = ec2.describe_security_group_rules(Filters=by("group-id", group))["SecurityGroupRules"]
    kinds = {
        vpc: "vpc",
        subnet: "subnet",
        interface: "network-interface",
        address: "elastic-ip",
        table: "route-table",
        gateway: "internet-gateway",
        group: "security-group",
        rule["SecurityGroupRuleId"]: "security-group-rule",
        vpc.replace("vpc-", "acl-"): "network-acl",
        ec2.describe_dhcp_options()["DhcpOptions"][0]["DhcpOptionsId"]: "dhcp-options",
    }
    ec2.create_tags(Resources=list(kinds), Tags=[{"Key": "team", "Value": "a"}, {"Key": "empty", "Value": ""}])
    rows = ec2.describe_tags(Filters=by("key", "team"))["Tags"]
    assert {row["ResourceId"]: row["ResourceType"] for row in rows} == kinds
    assert {row["Value"] for row in rows} == {"a"}
    assert len(ec2.describe_tags(Filters=by("resource-type", "vpc"))["Tags"]) == 2
    assert ec2.describe_vpcs(Filters=by("tag:team", "a", "b"))["Vpcs"][0]["VpcId"] == vpc
    assert ec2.describe_vpcs(Filters=by("tag:team", "b"))["Vpcs"] == []
    assert len(ec2.describe_subnets(Filters=by("tag-key", "team"))["Subnets"]) == 1
    first = ec2.describe_tags(MaxResults=7)
    second = ec2.describe_tags(MaxResults=1000, NextToken=first["NextToken"])
    assert len(first["Tags"]) + len(second["Tags"]) == 2 * len(kinds)
    refused("InvalidNextToken", ec2.describe_tags, NextToken="made-up")

    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "team", "Value": "b"}])  # not this value
    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "empty", "Value": ""}])
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Tags"] == [{"Key": "team", "Value": "a"}]
    ec2.delete_tags(Resources=list(kinds))
    assert ec2.describe_tags()["Tags"] == []


def test_tags_that_cannot_be(ec2: Any, vpc: str) -> None:
    def wrong(code: str, *tags: dict[str, str]) -> str:
        return refused(code, ec2.create_tags, Resources=[vpc], Tags=list(tags))

    assert wrong("InvalidParameterValue", {"Key": "aws:x", "Value": ""}) == (
        "Tag keys starting with 'aws:' are reserved for internal use: aws:x"
    )
    wrong("InvalidParameterValue", {"Key": "", "Value": "x"})
    wrong("InvalidParameterValue", {"Value": "x"})
    wrong("InvalidParameterValue", {"Key": "k" * 129, "Value": "x"})
    wrong("InvalidParameterValue", {"Key": "k", "Value": "v" * 257})
    assert wrong("InvalidParameterValue", {"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}) == (
        "Duplicate tag key 'k' specified."
    )
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": f"k{number}", "Value": ""} for number in range(50)])
    wrong("TagLimitExceeded", {"Key": "one more", "Value": ""})
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "k7", "Value": "changed"}])
    assert (
        refused("InvalidID", ec2.create_tags, Resources=["nonsense"], Tags=[{"Key": "a"}])
        == "The ID 'nonsense' is not valid"
    )
    tag = [{"Key": "k8", "Value": "of a refused call"}]
    for id_, code in [
        ("vpc-0123456789abcdef0", "InvalidVpcID.NotFound"),
        ("sgr-0123456789abcdef0", "InvalidSecurityGroupRuleId.NotFound"),
        ("acl-0123456789abcdef0", "InvalidNetworkAclID.NotFound"),
        ("dopt-0123456789abcdef0", "InvalidDhcpOptionID.NotFound"),
    ]:
        refused(code, ec2.create_tags, Resources=[vpc, id_], Tags=tag)
    tags = {tag["Key"]: tag["Value"] for tag in ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Tags"]}
    assert (len(tags), tags["k7"], tags["k8"]) == (50, "changed", "")


def test_tags_on_creation_are_for_what_is_created(ec2: Any) -> None:
    specification = [{"ResourceType": "subnet", "Tags": [{"Key": "a", "Value": "b"}]}]
    words = refused("InvalidParameterValue", ec2.create_vpc, CidrBlock="10.0.0.0/16", TagSpecifications=specification)
    assert words == "'subnet' is not a valid taggable resource type for this operation."
    assert len(ec2.describe_vpcs()["Vpcs"]) == 1


def test_there_are_no_vpn_gateways(ec2: Any, vpc: str) -> None:
    assert ec2.describe_vpn_gateways(Filters=by("attachment.vpc-id", vpc))["VpnGateways"] == []
    refused("InvalidVpnGatewayID.NotFound", ec2.describe_vpn_gateways, VpnGatewayIds=["vgw-0123456789abcdef0"])


def test_what_is_not_there_yet_says_its_name(ec2: Any, vpc: str) -> None:
    words = refused("NotImplementedException", ec2.create_carrier_gateway, VpcId=vpc)
    assert "CreateCarrierGateway" in words
