"""VPCs and subnets: the default ones, one's own, what may not be made and what may not go."""

from __future__ import annotations

from typing import Any

import pytest

from hatoba.core.keys import Scope
from hatoba.fleet import model as fleet
from tests.conformance.ec2.networks import Platform, by
from tests.conformance.serving import ACCOUNT, refused


def ids(found: list[dict[str, Any]], name: str) -> set[str]:
    return {each[name] for each in found}


# --- the default VPC


def test_every_region_has_a_default_vpc_from_its_first_use(ec2: Any, region: str) -> None:
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    assert (vpc["CidrBlock"], vpc["IsDefault"], vpc["State"]) == ("172.31.0.0/16", True, "available")
    assert vpc["CidrBlockAssociationSet"][0]["CidrBlock"] == "172.31.0.0/16"
    subnets = ec2.describe_subnets(Filters=by("vpc-id", vpc["VpcId"]))["Subnets"]
    shown = sorted((s["AvailabilityZone"], s["CidrBlock"], s["MapPublicIpOnLaunch"]) for s in subnets)
    assert shown == [(f"{region}{z}", f"172.31.{n}.0/20", True) for z, n in zip("abc", (0, 16, 32), strict=True)]
    assert all(s["DefaultForAz"] and s["AvailableIpAddressCount"] == 4091 for s in subnets)
    (table,) = ec2.describe_route_tables()["RouteTables"]
    assert table["Associations"][0]["Main"] is True
    (gateway,) = ec2.describe_internet_gateways()["InternetGateways"]
    assert gateway["Attachments"] == [{"State": "available", "VpcId": vpc["VpcId"]}]
    routes = {route["DestinationCidrBlock"]: (route["GatewayId"], route["State"]) for route in table["Routes"]}
    assert routes == {
        "172.31.0.0/16": ("local", "active"),
        "0.0.0.0/0": (gateway["InternetGatewayId"], "active"),
    }
    (group,) = ec2.describe_security_groups()["SecurityGroups"]
    assert group["GroupName"] == "default"
    assert group["IpPermissions"][0]["UserIdGroupPairs"] == [{"GroupId": group["GroupId"], "UserId": ACCOUNT}]


def test_accounts_and_regions_do_not_share_their_networks(platform: Platform, region: str) -> None:
    here = platform.client("ec2", region=region).describe_vpcs()["Vpcs"][0]["VpcId"]
    there = platform.client("ec2", region=region, account="210987654321")
    assert there.describe_vpcs()["Vpcs"][0]["VpcId"] != here
    refused("InvalidVpcID.NotFound", there.describe_vpcs, VpcIds=[here])
    refused("InvalidVpcID.NotFound", there.create_subnet, VpcId=here, CidrBlock="172.31.128.0/24")


def delete_default_vpc(ec2: Any) -> str:
    vpc: str = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    (gateway,) = ec2.describe_internet_gateways()["InternetGateways"]
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    assert refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc) == (
        f"The vpc '{vpc}' has dependencies and cannot be deleted."
    )
    refused("DependencyViolation", ec2.delete_internet_gateway, InternetGatewayId=gateway["InternetGatewayId"])
    ec2.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"])
    ec2.delete_vpc(VpcId=vpc)
    return vpc


def test_a_deleted_default_vpc_stays_away_until_it_is_asked_for(platform: Platform, ec2: Any, region: str) -> None:
    gone = delete_default_vpc(ec2)
    assert ec2.describe_vpcs()["Vpcs"] == []
    assert ec2.describe_security_groups()["SecurityGroups"] == []
    assert ec2.describe_route_tables()["RouteTables"] == []
    assert platform.store.find(fleet.networks, Scope("aws", ACCOUNT, region), gone) is None
    assert refused("VPCIdNotSpecified", ec2.create_security_group, GroupName="a", Description="a") == (
        "No default VPC for this user"
    )
    refused("DefaultVpcDoesNotExist", ec2.create_default_subnet, AvailabilityZone=f"{region}a")
    (default,) = (
        a for a in ec2.describe_account_attributes()["AccountAttributes"] if a["AttributeName"] == "default-vpc"
    )
    assert default["AttributeValues"] == [{"AttributeValue": "none"}]

    vpc = ec2.create_default_vpc()["Vpc"]
    assert vpc["IsDefault"]
    assert vpc["VpcId"] != gone
    assert len(ec2.describe_subnets(Filters=by("default-for-az", "true"))["Subnets"]) == 3
    refused("DefaultVpcAlreadyExists", ec2.create_default_vpc)


def test_a_default_subnet_comes_back(ec2: Any, region: str) -> None:
    message = refused(
        "DefaultSubnetAlreadyExistsInAvailabilityZone", ec2.create_default_subnet, AvailabilityZone=f"{region}b"
    )
    (old,) = ec2.describe_subnets(Filters=by("availability-zone", f"{region}b"))["Subnets"]
    assert message == f"'{old['SubnetId']}' is already the default subnet in {region}b."
    ec2.delete_subnet(SubnetId=old["SubnetId"])
    vpc = old["VpcId"]
    ec2.create_subnet(VpcId=vpc, CidrBlock="172.31.16.0/24")  # in the place of the old one
    new = ec2.create_default_subnet(AvailabilityZone=f"{region}b")["Subnet"]
    assert (new["CidrBlock"], new["DefaultForAz"], new["MapPublicIpOnLaunch"]) == ("172.31.48.0/20", True, True)


# --- VPCs


def test_a_vpc_reaches_the_nodes_with_what_it_brings(platform: Platform, ec2: Any, region: str) -> None:
    specification = [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "shop"}]}]
    vpc = ec2.create_vpc(CidrBlock="10.7.0.9/20", TagSpecifications=specification)["Vpc"]
    assert vpc["CidrBlock"] == "10.7.0.0/20"  # as EC2 does: bits beyond the prefix are dropped
    assert vpc["Tags"] == [{"Key": "Name", "Value": "shop"}]
    id_ = vpc["VpcId"]
    scope = Scope("aws", ACCOUNT, region)
    network = platform.store.find(fleet.networks, scope, id_)
    assert network is not None
    assert (network.cidrs, network.resolver) == (("10.7.0.0/20",), "10.7.0.2")
    (group,) = ec2.describe_security_groups(Filters=by("vpc-id", id_))["SecurityGroups"]
    policies = platform.store.find(fleet.policy_sets, scope, group["GroupId"])
    assert policies is not None
    assert policies.ingress == (fleet.Rule(groups=(group["GroupId"],)),)
    assert policies.egress == (fleet.Rule(cidrs=("0.0.0.0/0",)),)
    ec2.delete_vpc(VpcId=id_)
    assert platform.store.find(fleet.networks, scope, id_) is None
    assert platform.store.find(fleet.policy_sets, scope, group["GroupId"]) is None
    refused("InvalidVpcID.NotFound", ec2.delete_vpc, VpcId=id_)


def test_networks_have_numbers_of_their_own(platform: Platform, ec2: Any) -> None:
    for _ in range(3):
        ec2.create_vpc(CidrBlock="10.0.0.0/16")  # the same block as often as one likes
    numbers = [network.vni for network in platform.store.all(fleet.networks)]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(
    ("cidr", "code", "words"),
    [
        ("10.0.0.0/15", "InvalidVpc.Range", "The CIDR '10.0.0.0/15' is invalid."),
        ("10.0.0.0/29", "InvalidVpc.Range", "The CIDR '10.0.0.0/29' is invalid."),
        (
            "nonsense",
            "InvalidParameterValue",
            "Value (nonsense) for parameter cidrBlock is invalid. This is not a valid CIDR block.",
        ),
        (
            "10.0.0.0",
            "InvalidParameterValue",
            "Value (10.0.0.0) for parameter cidrBlock is invalid. This is not a valid CIDR block.",
        ),
        (
            "10.0.0.0/255.255.0.0",
            "InvalidParameterValue",
            "Value (10.0.0.0/255.255.0.0) for parameter cidrBlock is invalid. This is not a valid CIDR block.",
        ),
        (
            "169.254.0.0/16",
            "InvalidVpc.Range",
            "The CIDR '169.254.0.0/16' is invalid. It overlaps 169.254.0.0/16, the link-local addresses.",
        ),
        (
            "100.64.128.0/20",
            "InvalidVpc.Range",
            "The CIDR '100.64.128.0/20' is invalid. It overlaps 100.64.0.0/16, this platform's public addresses.",
        ),
    ],
)
def test_blocks_that_no_vpc_may_have(ec2: Any, cidr: str, code: str, words: str) -> None:
    assert refused(code, ec2.create_vpc, CidrBlock=cidr) == words


def test_what_is_asked_for_in_two_ways_or_cannot_be_is_not_something_else(ec2: Any, vpc: str) -> None:
    """A zone by its name is not that of another id; and what has a machine to itself is no VPC."""
    twice = {"AvailabilityZone": "us-east-1a", "AvailabilityZoneId": "use1-az2"}
    refused("InvalidParameterCombination", ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.9.0/24", **twice)
    refused("InvalidParameterValue", ec2.create_vpc, CidrBlock="10.9.0.0/16", InstanceTenancy="host")
    assert ec2.describe_subnets(Filters=by("vpc-id", vpc))["Subnets"] == []


def test_what_a_vpc_cannot_have_yet_is_refused_by_name(ec2: Any) -> None:
    words = refused("UnsupportedOperation", ec2.create_vpc, CidrBlock="10.0.0.0/16", Ipv4IpamPoolId="ipam-pool-0")
    assert words == "Ipv4IpamPoolId is not supported here yet."
    assert refused("MissingParameter", ec2.create_vpc) == "The request must contain the parameter cidrBlock"
    assert len(ec2.describe_vpcs()["Vpcs"]) == 1


def test_a_vpc_with_something_in_it_stays(ec2: Any, vpc: str) -> None:
    def stays() -> None:
        refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc)

    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    stays()
    ec2.delete_security_group(GroupId=group)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    stays()
    ec2.delete_route_table(RouteTableId=table)
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    stays()
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    stays()
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def test_tags_go_with_the_vpc(ec2: Any, vpc: str) -> None:
    (table,) = ec2.describe_route_tables(Filters=by("vpc-id", vpc))["RouteTables"]
    (group,) = ec2.describe_security_groups(Filters=by("vpc-id", vpc))["SecurityGroups"]
    (acl,) = ec2.describe_network_acls(Filters=by("vpc-id", vpc))["NetworkAcls"]
    resources = [vpc, table["RouteTableId"], group["GroupId"], acl["NetworkAclId"]]
    ec2.create_tags(Resources=resources, Tags=[{"Key": "team", "Value": "a"}])
    assert ids(ec2.describe_tags(Filters=by("key", "team"))["Tags"], "ResourceId") == set(resources)
    ec2.delete_vpc(VpcId=vpc)
    assert ec2.describe_tags()["Tags"] == []


def test_attributes_one_at_a_time(ec2: Any, vpc: str) -> None:
    def attribute(name: str) -> bool:
        answer = ec2.describe_vpc_attribute(VpcId=vpc, Attribute=name)
        value: bool = answer[name[0].upper() + name[1:]]["Value"]
        return value

    assert (attribute("enableDnsSupport"), attribute("enableDnsHostnames")) == (True, False)
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": False})
    assert (attribute("enableDnsSupport"), attribute("enableDnsHostnames")) == (False, True)
    assert attribute("enableNetworkAddressUsageMetrics") is False
    both = {"EnableDnsSupport": {"Value": True}, "EnableDnsHostnames": {"Value": True}}
    refused("InvalidParameterCombination", ec2.modify_vpc_attribute, VpcId=vpc, **both)
    assert attribute("enableDnsSupport") is False


# --- further blocks


def test_a_vpc_grows_and_shrinks(platform: Platform, ec2: Any, vpc: str, region: str) -> None:
    def told() -> tuple[str, ...]:
        network = platform.store.find(fleet.networks, Scope("aws", ACCOUNT, region), vpc)
        assert network is not None
        return network.cidrs

    def local() -> set[str]:
        (table,) = ec2.describe_route_tables(Filters=by("vpc-id", vpc))["RouteTables"]
        return {route["DestinationCidrBlock"] for route in table["Routes"] if route["GatewayId"] == "local"}

    made = ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.9.0.0/20")
    association = made["CidrBlockAssociation"]["AssociationId"]
    assert (told(), local()) == (("10.0.0.0/16", "10.9.0.0/20"), {"10.0.0.0/16", "10.9.0.0/20"})
    (shown,) = ec2.describe_vpcs(Filters=by("cidr-block-association.cidr-block", "10.9.*"))["Vpcs"]
    states = {each["CidrBlock"]: each["CidrBlockState"]["State"] for each in shown["CidrBlockAssociationSet"]}
    assert states == {"10.0.0.0/16": "associated", "10.9.0.0/20": "associated"}
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.3.0/24")["Subnet"]["SubnetId"]
    refused("InvalidSubnet.Range", ec2.create_subnet, VpcId=vpc, CidrBlock="10.9.16.0/24")
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    assert interface["PrivateIpAddress"] == "10.9.3.4"
    ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
    assert refused("InvalidCidrBlock.InUse", ec2.disassociate_vpc_cidr_block, AssociationId=association) == (
        f"The vpc CIDR block with association ID {association} is in use."
    )
    ec2.delete_subnet(SubnetId=subnet)
    ec2.disassociate_vpc_cidr_block(AssociationId=association)
    assert (told(), local()) == (("10.0.0.0/16",), {"10.0.0.0/16"})
    refused("InvalidVpcCidrBlockAssociationID.NotFound", ec2.disassociate_vpc_cidr_block, AssociationId=association)


def test_blocks_that_a_vpc_may_not_have_as_well(ec2: Any, vpc: str) -> None:
    def wrong(code: str, cidr: str) -> str:
        return refused(code, ec2.associate_vpc_cidr_block, VpcId=vpc, CidrBlock=cidr)

    assert wrong("InvalidVpc.Range", "10.0.7.0/24") == (
        "The CIDR '10.0.7.0/24' overlaps 10.0.0.0/16, another block of the VPC."
    )
    wrong("InvalidVpc.Range", "10.0.0.0/8")
    assert wrong("InvalidVpc.Range", "172.16.0.0/16").startswith("The CIDR '172.16.0.0/16' is restricted. Use a CIDR")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    (table,) = ec2.describe_route_tables(Filters=by("vpc-id", vpc))["RouteTables"]
    route = {"RouteTableId": table["RouteTableId"], "GatewayId": gateway, "DestinationCidrBlock": "192.0.2.0/24"}
    ec2.create_route(**route)
    wrong("InvalidVpc.Range", "192.0.0.0/16")
    for number in range(1, 5):
        ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock=f"10.{number}.0.0/16")
    wrong("CidrLimitExceeded", "10.5.0.0/16")
    primary = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlockAssociationSet"][0]["AssociationId"]
    assert refused("OperationNotPermitted", ec2.disassociate_vpc_cidr_block, AssociationId=primary) == (
        f"The vpc CIDR block with association ID {primary} may not be disassociated. It is the primary IPv4 CIDR block "
        "of the VPC"
    )
    own = ec2.create_route_table(VpcId=vpc)["RouteTable"]["Routes"]
    assert len(own) == 5


# --- subnets


def test_a_subnet_lies_in_its_vpc_and_meets_no_other(ec2: Any, vpc: str, region: str) -> None:
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.7/24", AvailabilityZone=f"{region}c")["Subnet"]
    assert (subnet["CidrBlock"], subnet["AvailabilityZone"]) == ("10.0.1.0/24", f"{region}c")
    assert subnet["AvailableIpAddressCount"] == 251
    assert not subnet["MapPublicIpOnLaunch"]
    assert not subnet["DefaultForAz"]
    words = refused("InvalidSubnet.Conflict", ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.0.0/20")
    assert words == "The CIDR '10.0.0.0/20' conflicts with another subnet"
    assert refused("InvalidSubnet.Range", ec2.create_subnet, VpcId=vpc, CidrBlock="10.1.0.0/24") == (
        "The CIDR '10.1.0.0/24' is invalid."
    )
    refused("InvalidSubnet.Range", ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.9.0/29")
    words = refused(
        "InvalidParameterValue", ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.9.0/24", AvailabilityZone="mars-1a"
    )
    assert "mars-1a" in words
    assert f"{region}a, {region}b, {region}c" in words
    by_id = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.9.0/24", AvailabilityZoneId=subnet["AvailabilityZoneId"])
    assert by_id["Subnet"]["AvailabilityZone"] == f"{region}c"


def test_a_subnets_attributes(ec2: Any, subnet: str) -> None:
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    assert ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["MapPublicIpOnLaunch"] is True
    ec2.modify_subnet_attribute(SubnetId=subnet, EnableDns64={"Value": False})  # it is
    words = refused("UnsupportedOperation", ec2.modify_subnet_attribute, SubnetId=subnet, EnableDns64={"Value": True})
    assert words == "EnableDns64 is not supported here yet."


def test_a_subnet_in_use_stays_and_its_table_forgets_it(ec2: Any, vpc: str, subnet: str) -> None:
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    assert refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnet) == (
        f"The subnet '{subnet}' has dependencies and cannot be deleted."
    )
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    ec2.delete_subnet(SubnetId=subnet)
    assert ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Associations"] == []
    assert refused("InvalidSubnetID.NotFound", ec2.describe_subnets, SubnetIds=[subnet]) == (
        f"The subnet ID '{subnet}' does not exist"
    )


# --- what is always there


def test_the_default_acl_lets_everything_pass(ec2: Any, vpc: str, subnet: str) -> None:
    (acl,) = ec2.describe_network_acls(Filters=[*by("vpc-id", vpc), *by("default", "true")])["NetworkAcls"]
    assert [each["SubnetId"] for each in acl["Associations"]] == [subnet]
    entries = {(e["Egress"], e["RuleNumber"]): (e["RuleAction"], e["Protocol"], e["CidrBlock"]) for e in acl["Entries"]}
    assert entries == {
        (egress, number): (action, "-1", "0.0.0.0/0")
        for egress in (True, False)
        for number, action in ((100, "allow"), (32767, "deny"))
    }
    assert ec2.describe_network_acls(Filters=by("association.subnet-id", subnet))["NetworkAcls"] == [acl]
    assert ec2.describe_network_acls(NetworkAclIds=[acl["NetworkAclId"]])["NetworkAcls"] == [acl]
    refused("InvalidNetworkAclID.NotFound", ec2.describe_network_acls, NetworkAclIds=["acl-0123456789abcdef0"])


def test_the_default_dhcp_options(ec2: Any, vpc: str, region: str) -> None:
    id_ = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["DhcpOptionsId"]
    (options,) = ec2.describe_dhcp_options(DhcpOptionsIds=[id_])["DhcpOptions"]
    values = {pair["Key"]: [v["Value"] for v in pair["Values"]] for pair in options["DhcpConfigurations"]}
    assert values == {
        "domain-name": [f"{region}.compute.internal"],
        "domain-name-servers": ["AmazonProvidedDNS"],
    }
    refused("InvalidDhcpOptionID.NotFound", ec2.describe_dhcp_options, DhcpOptionsIds=["dopt-0123456789abcdef0"])


def test_zones_and_regions(platform: Platform) -> None:
    ec2 = platform.client("ec2", region="ap-southeast-2")
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    assert [(zone["ZoneName"], zone["ZoneId"]) for zone in zones] == [
        (f"ap-southeast-2{letter}", f"apse2-az{number}") for number, letter in enumerate("abc", 1)
    ]
    assert len(ec2.describe_availability_zones(ZoneIds=["apse2-az2"])["AvailabilityZones"]) == 1
    assert refused("InvalidParameterValue", ec2.describe_availability_zones, ZoneNames=["us-east-1a"]) == (
        "Invalid availability zone: [us-east-1a]"
    )
    refused("InvalidParameterValue", ec2.describe_availability_zones, ZoneIds=["use1-az1"])
    names = [each["RegionName"] for each in ec2.describe_regions()["Regions"]]
    assert names == sorted(names)
    assert {"us-east-1", "ap-southeast-2"} <= set(names)


def test_a_dry_run_changes_nothing(ec2: Any, vpc: str) -> None:
    refused("DryRunOperation", ec2.delete_vpc, VpcId=vpc, DryRun=True)
    refused("DryRunOperation", ec2.create_vpc, CidrBlock="10.0.0.0/16", DryRun=True)
    assert len(ec2.describe_vpcs()["Vpcs"]) == 2
