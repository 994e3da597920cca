"""IPv6 blocks of VPCs and subnets, the routes and gateways that are for them, and what the nodes are told."""

from __future__ import annotations

from ipaddress import IPv6Network
from pathlib import Path
from typing import Any

import pytest

from hatoba.fleet import model as fleet
from hatoba.services.ec2.model.interface import PublicPool
from tests.conformance.ec2.networks import Platform, by, served
from tests.conformance.serving import fresh_account, fresh_region, refused

POOL = IPv6Network("fd68:6174:6f00::/40")
EVERYTHING = {"DestinationIpv6CidrBlock": "::/0"}


@pytest.fixture
def dual(ec2: Any) -> str:
    """A VPC with both families."""
    id_: str = ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
    return id_


def read(ec2: Any, vpc: str) -> dict[str, Any]:
    (found,) = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    answer: dict[str, Any] = found
    return answer


def block(ec2: Any, vpc: str) -> IPv6Network:
    (found,) = read(ec2, vpc)["Ipv6CidrBlockAssociationSet"]
    return IPv6Network(found["Ipv6CidrBlock"])


def part(ec2: Any, vpc: str, number: int, length: int = 64) -> str:
    return str(list(block(ec2, vpc).subnets(new_prefix=length))[number])


def network(platform: Platform, vpc: str) -> fleet.Network:
    (found,) = (each for each in platform.store.all(fleet.networks) if each.id == vpc)
    return found


def main_table(ec2: Any, vpc: str) -> dict[str, Any]:
    (table,) = ec2.describe_route_tables(Filters=[*by("association.main", "true"), *by("vpc-id", vpc)])["RouteTables"]
    found: dict[str, Any] = table
    return found


def routes(ec2: Any, table: str) -> dict[str, str]:
    """Destinations of both families, and what they lead to."""
    found = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    return {
        route.get("DestinationCidrBlock", route.get("DestinationIpv6CidrBlock")): next(
            value for name, value in route.items() if name.endswith("Id") and not name.startswith("Destination")
        )
        for route in found
    }


# --- VPCs


def test_a_vpc_is_made_with_a_block(ec2: Any, platform: Platform, region: str) -> None:
    group = {"Ipv6CidrBlockNetworkBorderGroup": region}
    made = ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True, **group)["Vpc"]
    (association,) = made["Ipv6CidrBlockAssociationSet"]
    assert association.pop("Ipv6CidrBlockState") == {"State": "associating"}
    given = IPv6Network(association["Ipv6CidrBlock"])
    assert given.prefixlen == 56
    assert given.subnet_of(POOL)
    assert association["AssociationId"].startswith("vpc-cidr-assoc-")
    assert (association["Ipv6Pool"], association["NetworkBorderGroup"]) == ("Amazon", region)
    assert (association["IpSource"], association["Ipv6AddressAttribute"]) == ("amazon", "public")
    vpc = made["VpcId"]
    (seen,) = read(ec2, vpc)["Ipv6CidrBlockAssociationSet"]
    assert seen == {**association, "Ipv6CidrBlockState": {"State": "associated"}}
    assert network(platform, vpc).cidrs == ("10.0.0.0/16", str(given))
    assert routes(ec2, main_table(ec2, vpc)["RouteTableId"]) == {"10.0.0.0/16": "local", str(given): "local"}
    new = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    assert routes(ec2, new) == {"10.0.0.0/16": "local", str(given): "local"}
    for name, value in (
        ("ipv6-cidr-block", str(given)),
        ("association-id", association["AssociationId"]),
        ("state", "associated"),
        ("ipv6-pool", "Amazon"),
    ):
        found = ec2.describe_vpcs(Filters=by(f"ipv6-cidr-block-association.{name}", value))["Vpcs"]
        assert [each["VpcId"] for each in found] == [vpc], name


def test_no_two_vpcs_have_the_same_block(ec2: Any, platform: Platform, dual: str) -> None:
    """Whatever their accounts and regions; one that was given back rests."""
    blocks = [block(ec2, dual)]
    for client in (ec2, platform.client("ec2", region=fresh_region()), platform.client("ec2", account=fresh_account())):
        vpc = client.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
        blocks.append(block(client, vpc))
    ec2.delete_vpc(VpcId=dual)
    again = ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
    blocks.append(block(ec2, again))
    assert len(set(blocks)) == len(blocks) == 5


def test_a_block_comes_later_and_goes(ec2: Any, platform: Platform, vpc: str) -> None:
    table = main_table(ec2, vpc)["RouteTableId"]
    default = {"Filters": [*by("vpc-id", vpc), *by("group-name", "default")]}
    before = read(ec2, vpc)
    associated = ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    given = associated["Ipv6CidrBlockAssociation"]
    assert "CidrBlockAssociation" not in associated
    assert given["Ipv6CidrBlockState"] == {"State": "associating"}
    assert routes(ec2, table) == {"10.0.0.0/16": "local", given["Ipv6CidrBlock"]: "local"}
    (group,) = ec2.describe_security_groups(**default)["SecurityGroups"]
    (out,) = group["IpPermissionsEgress"]
    assert (out["IpRanges"], out["Ipv6Ranges"]) == ([{"CidrIp": "0.0.0.0/0"}], [{"CidrIpv6": "::/0"}])
    (acl,) = ec2.describe_network_acls(Filters=by("vpc-id", vpc))["NetworkAcls"]
    assert {entry.get("Ipv6CidrBlock") for entry in acl["Entries"]} == {None, "::/0"}
    words = refused("CidrLimitExceeded", ec2.associate_vpc_cidr_block, VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    assert words == f"This network '{vpc}' has met its maximum number of allowed CIDRs: 1"
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", Ipv6CidrBlock=part(ec2, vpc, 1))["Subnet"]
    gone = {"AssociationId": given["AssociationId"]}
    refused("InvalidCidrBlock.InUse", ec2.disassociate_vpc_cidr_block, **gone)
    ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    answer = ec2.disassociate_vpc_cidr_block(**gone)["Ipv6CidrBlockAssociation"]
    assert (answer["Ipv6CidrBlock"], answer["Ipv6CidrBlockState"]) == (
        given["Ipv6CidrBlock"],
        {"State": "disassociating"},
    )
    assert read(ec2, vpc) == before
    assert routes(ec2, table) == {"10.0.0.0/16": "local"}
    assert network(platform, vpc).cidrs == ("10.0.0.0/16",)
    refused("InvalidVpcCidrBlockAssociationID.NotFound", ec2.disassociate_vpc_cidr_block, **gone)


def test_a_default_group_that_was_changed_stays_as_it_is(ec2: Any, vpc: str) -> None:
    (group,) = ec2.describe_security_groups(Filters=by("vpc-id", vpc))["SecurityGroups"]
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.revoke_security_group_egress(GroupId=group["GroupId"], IpPermissions=everything)
    ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    (group,) = ec2.describe_security_groups(Filters=by("vpc-id", vpc))["SecurityGroups"]
    assert group["IpPermissionsEgress"] == []


def test_new_groups_let_both_families_out(ec2: Any, dual: str, vpc: str) -> None:
    def out(vpc: str) -> tuple[int, int]:
        id_ = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
        ((rule),) = ec2.describe_security_groups(GroupIds=[id_])["SecurityGroups"][0]["IpPermissionsEgress"]
        return len(rule["IpRanges"]), len(rule["Ipv6Ranges"])

    assert (out(dual), out(vpc)) == ((1, 1), (1, 0))


@pytest.mark.parametrize(
    ("code", "asked"),
    [
        ("MissingParameter", {"Ipv6CidrBlock": "fd68:6174:6f00::/56"}),
        ("UnsupportedOperation", {"Ipv6CidrBlock": "fd68:6174:6f00::/56", "Ipv6Pool": "ipv6pool-ec2-0"}),
        ("UnsupportedOperation", {"Ipv6IpamPoolId": "ipam-pool-0", "Ipv6NetmaskLength": 56}),
        ("InvalidParameterCombination", {"Ipv6CidrBlockNetworkBorderGroup": "us-east-1"}),
        (
            "InvalidParameterValue",
            {"AmazonProvidedIpv6CidrBlock": True, "Ipv6CidrBlockNetworkBorderGroup": "us-east-1-wl1-bos-wlz-1"},
        ),
    ],
)
def test_other_blocks_of_a_vpc_are_refused(ec2: Any, vpc: str, code: str, asked: dict[str, Any]) -> None:
    refused(code, ec2.create_vpc, CidrBlock="10.9.0.0/16", **asked)
    refused(code, ec2.associate_vpc_cidr_block, VpcId=vpc, **asked)
    assert read(ec2, vpc)["Ipv6CidrBlockAssociationSet"] == []


def test_one_block_at_a_time(ec2: Any, vpc: str) -> None:
    both = {"CidrBlock": "10.7.0.0/16", "AmazonProvidedIpv6CidrBlock": True}
    refused("InvalidParameterCombination", ec2.associate_vpc_cidr_block, VpcId=vpc, **both)
    refused("MissingParameter", ec2.associate_vpc_cidr_block, VpcId=vpc, AmazonProvidedIpv6CidrBlock=False)


# --- subnets


def test_a_subnet_is_made_with_a_block(ec2: Any, platform: Platform, dual: str) -> None:
    wanted = part(ec2, dual, 0)
    made = ec2.create_subnet(VpcId=dual, CidrBlock="10.0.1.0/24", Ipv6CidrBlock=wanted)["Subnet"]
    (association,) = made["Ipv6CidrBlockAssociationSet"]
    assert association["Ipv6CidrBlockState"] == {"State": "associating"}
    assert association["AssociationId"].startswith("subnet-cidr-assoc-")
    assert (made["CidrBlock"], made["Ipv6Native"], made["AvailableIpAddressCount"]) == ("10.0.1.0/24", False, 251)
    (found,) = ec2.describe_subnets(SubnetIds=[made["SubnetId"]])["Subnets"]
    (seen,) = found["Ipv6CidrBlockAssociationSet"]
    assert seen == {**association, "Ipv6CidrBlockState": {"State": "associated"}}
    (told,) = network(platform, dual).subnets
    assert told.blocks == ("10.0.1.0/24", wanted)
    for name, value in (
        ("ipv6-cidr-block", wanted),
        ("association-id", association["AssociationId"]),
        ("state", "associated"),
    ):
        rows = ec2.describe_subnets(Filters=by(f"ipv6-cidr-block-association.{name}", value))["Subnets"]
        assert [row["SubnetId"] for row in rows] == [made["SubnetId"]], name


def test_a_block_of_a_subnet_comes_later_and_goes(ec2: Any, platform: Platform, dual: str) -> None:
    subnet = ec2.create_subnet(VpcId=dual, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    wanted = part(ec2, dual, 3, 60)
    given = ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=wanted)
    assert (given["SubnetId"], given["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]) == (subnet, wanted)
    (told,) = network(platform, dual).subnets
    assert told.blocks == ("10.0.1.0/24", wanted)
    associate = ec2.associate_subnet_cidr_block
    refused("CidrLimitExceeded", associate, SubnetId=subnet, Ipv6CidrBlock=part(ec2, dual, 1))
    other = ec2.create_subnet(VpcId=dual, CidrBlock="10.0.2.0/24")["Subnet"]["SubnetId"]
    inside = str(next(IPv6Network(wanted).subnets(new_prefix=64)))
    words = refused("InvalidSubnet.Conflict", associate, SubnetId=other, Ipv6CidrBlock=inside)
    assert words == f"The CIDR '{inside}' conflicts with another subnet"
    gone = {"AssociationId": given["Ipv6CidrBlockAssociation"]["AssociationId"]}
    answer = ec2.disassociate_subnet_cidr_block(**gone)
    assert answer["Ipv6CidrBlockAssociation"]["Ipv6CidrBlockState"] == {"State": "disassociating"}
    refused("InvalidSubnetCidrBlockAssociationID.NotFound", ec2.disassociate_subnet_cidr_block, **gone)
    assert {subnet.blocks for subnet in network(platform, dual).subnets} == {("10.0.1.0/24",), ("10.0.2.0/24",)}
    associate(SubnetId=other, Ipv6CidrBlock=inside)


@pytest.mark.parametrize(
    "wrong", ["fd68::/64", "{}:1::/62", "{}::1/64", "{}::", "10.0.3.0/24", "six", "{}::/68", "{}::%1/64"]
)
def test_what_no_subnet_may_have(ec2: Any, dual: str, vpc: str, wrong: str) -> None:
    prefix = str(block(ec2, dual)).removesuffix("::/56")
    text = wrong.format(prefix)
    code = "InvalidSubnet.Range" if wrong == "fd68::/64" else "InvalidParameterValue"
    create = {"CidrBlock": "10.0.1.0/24", "Ipv6CidrBlock": text}
    words = refused(code, ec2.create_subnet, VpcId=dual, **create)
    assert words in (f"The CIDR '{text}' is invalid.", f"invalid value for parameter ipv6-cidr-block: {text}")
    assert ec2.describe_subnets(Filters=by("vpc-id", dual))["Subnets"] == []
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    refused("InvalidSubnet.Range", ec2.associate_subnet_cidr_block, SubnetId=subnet, Ipv6CidrBlock=part(ec2, dual, 0))
    refused("MissingParameter", ec2.associate_subnet_cidr_block, SubnetId=subnet)


# --- egress-only internet gateways


def test_egress_only_gateways(ec2: Any, dual: str) -> None:
    tags = [{"ResourceType": "egress-only-internet-gateway", "Tags": [{"Key": "Name", "Value": "out"}]}]
    create = ec2.create_egress_only_internet_gateway
    asked = {"VpcId": dual, "ClientToken": "t", "TagSpecifications": tags}
    answer = create(**asked)
    gateway = answer["EgressOnlyInternetGateway"]
    assert answer["ClientToken"] == "t"
    assert gateway["Attachments"] == [{"State": "attached", "VpcId": dual}]
    assert gateway["Tags"] == [{"Key": "Name", "Value": "out"}]
    id_ = gateway["EgressOnlyInternetGatewayId"]
    assert id_.startswith("eigw-")
    assert create(**asked)["EgressOnlyInternetGateway"] == gateway
    refused("IdempotentParameterMismatch", create, VpcId=dual, ClientToken="t")
    words = refused("InvalidParameterValue", create, VpcId=dual)
    assert words == f"Network {dual} already has an egress-only internet gateway attached"
    describe = ec2.describe_egress_only_internet_gateways
    assert describe(EgressOnlyInternetGatewayIds=[id_])["EgressOnlyInternetGateways"] == [gateway]
    assert describe(Filters=by("tag:Name", "out"))["EgressOnlyInternetGateways"] == [gateway]
    assert describe(Filters=by("tag:Name", "in"))["EgressOnlyInternetGateways"] == []
    (tag,) = ec2.describe_tags(Filters=by("resource-id", id_))["Tags"]
    assert tag["ResourceType"] == "egress-only-internet-gateway"
    ec2.delete_tags(Resources=[id_], Tags=[{"Key": "Name"}])
    refused("DependencyViolation", ec2.delete_vpc, VpcId=dual)
    assert ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=id_)["ReturnCode"] is True
    missing = "InvalidEgressOnlyInternetGatewayId.NotFound"
    refused(missing, ec2.delete_egress_only_internet_gateway, EgressOnlyInternetGatewayId=id_)
    refused(missing, describe, EgressOnlyInternetGatewayIds=[id_])
    ec2.delete_vpc(VpcId=dual)


# --- routes


@pytest.fixture
def gateways(ec2: Any, dual: str) -> tuple[str, str]:
    """An internet gateway and one that lets out only."""
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=dual)
    made = ec2.create_egress_only_internet_gateway(VpcId=dual)["EgressOnlyInternetGateway"]
    return igw, made["EgressOnlyInternetGatewayId"]


def test_routes_of_ipv6(ec2: Any, platform: Platform, dual: str, gateways: tuple[str, str]) -> None:
    igw, eigw = gateways
    table = main_table(ec2, dual)["RouteTableId"]
    ec2.create_subnet(VpcId=dual, CidrBlock="10.0.1.0/24", Ipv6CidrBlock=part(ec2, dual, 0))
    given = str(block(ec2, dual))

    def way() -> list[tuple[str, str]]:
        (subnet,) = network(platform, dual).subnets
        return [(route.to, route.kind) for route in subnet.routes]

    create = ec2.create_route
    create(RouteTableId=table, EgressOnlyInternetGatewayId=eigw, **EVERYTHING)
    create(RouteTableId=table, EgressOnlyInternetGatewayId=eigw, **EVERYTHING)
    refused("RouteAlreadyExists", create, RouteTableId=table, GatewayId=igw, **EVERYTHING)
    assert routes(ec2, table) == {"10.0.0.0/16": "local", given: "local", "::/0": eigw}
    assert way() == [("::/0", "outside")]
    for name, value in (
        ("route.destination-ipv6-cidr-block", "::/0"),
        ("route.egress-only-internet-gateway-id", eigw),
    ):
        assert [t["RouteTableId"] for t in ec2.describe_route_tables(Filters=by(name, value))["RouteTables"]] == [table]
    assert ec2.describe_route_tables(Filters=by("route.destination-cidr-block", "::/0"))["RouteTables"] == []
    ec2.replace_route(RouteTableId=table, GatewayId=igw, **EVERYTHING)
    assert routes(ec2, table)["::/0"] == igw
    ec2.replace_route(RouteTableId=table, EgressOnlyInternetGatewayId=eigw, **EVERYTHING)
    ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=eigw)
    states = {route.get("DestinationIpv6CidrBlock"): route["State"] for route in main_table(ec2, dual)["Routes"]}
    assert states == {None: "active", given: "active", "::/0": "blackhole"}
    assert way() == [("::/0", "closed")]
    ec2.delete_route(RouteTableId=table, DestinationIpv6CidrBlock="0::/0")
    assert way() == []
    words = refused("InvalidRoute.NotFound", ec2.delete_route, RouteTableId=table, **EVERYTHING)
    assert words == f"no route with destination-ipv6-cidr-block ::/0 in route table {table}"
    words = refused("InvalidParameterValue", ec2.delete_route, RouteTableId=table, DestinationIpv6CidrBlock=given)
    assert words == f"cannot remove local route {given} in route table {table}"


def test_what_no_route_of_ipv6_may_be(ec2: Any, dual: str, vpc: str, gateways: tuple[str, str]) -> None:
    igw, eigw = gateways
    table = main_table(ec2, dual)["RouteTableId"]
    before = main_table(ec2, dual)["Routes"]

    def wrong(code: str, **asked: str) -> str:
        return refused(code, ec2.create_route, RouteTableId=table, **asked)

    wrong("InvalidParameterCombination", GatewayId=igw, DestinationCidrBlock="0.0.0.0/0", **EVERYTHING)
    wrong("InvalidParameterCombination", GatewayId=igw, EgressOnlyInternetGatewayId=eigw, **EVERYTHING)
    wrong("InvalidParameterValue", EgressOnlyInternetGatewayId=eigw, DestinationCidrBlock="0.0.0.0/0")
    wrong("InvalidParameterValue", GatewayId=igw, DestinationIpv6CidrBlock="0.0.0.0/0")
    wrong("InvalidParameterValue", GatewayId=igw, DestinationIpv6CidrBlock="2001:db8::%eth0/32")
    wrong("InvalidParameterValue", GatewayId=igw, DestinationIpv6CidrBlock=part(ec2, dual, 2))
    wrong("InvalidEgressOnlyInternetGatewayId.NotFound", EgressOnlyInternetGatewayId="eigw-0", **EVERYTHING)
    wrong("InvalidEgressOnlyInternetGatewayId.Malformed", EgressOnlyInternetGatewayId="igw-0", **EVERYTHING)
    words = wrong("UnsupportedOperation", NatGatewayId="nat-0", DestinationIpv6CidrBlock="64:ff9b::/96")
    assert words == "IPv6 routes to NAT gateways (NAT64) are not supported here yet."
    far = main_table(ec2, vpc)["RouteTableId"]
    words = refused(
        "InvalidParameterValue", ec2.create_route, RouteTableId=far, EgressOnlyInternetGatewayId=eigw, **EVERYTHING
    )
    assert words == f"route table {far} and egress-only internet gateway {eigw} belong to different networks"
    assert main_table(ec2, dual)["Routes"] == before


def test_a_subnet_with_a_way_out_for_ipv6_only_is_not_public(
    ec2: Any, platform: Platform, dual: str, gateways: tuple[str, str]
) -> None:
    """Its IPv4 addresses are not reached from outside."""
    table = main_table(ec2, dual)["RouteTableId"]
    subnet = ec2.create_subnet(VpcId=dual, CidrBlock="10.0.1.0/24", Ipv6CidrBlock=part(ec2, dual, 0))["Subnet"]
    made = ec2.create_network_interface(SubnetId=subnet["SubnetId"])["NetworkInterface"]["NetworkInterfaceId"]
    elastic = ec2.allocate_address()
    ec2.associate_address(NetworkInterfaceId=made, AllocationId=elastic["AllocationId"])

    def public() -> str | None:
        (found,) = (each for each in platform.store.all(fleet.interfaces) if each.id == made)
        return found.public

    ec2.create_route(RouteTableId=table, GatewayId=gateways[0], **EVERYTHING)
    assert public() is None
    ec2.create_route(RouteTableId=table, GatewayId=gateways[0], DestinationCidrBlock="0.0.0.0/0")
    assert public() == elastic["PublicIp"]


def test_routes_to_lists_of_ipv6(ec2: Any, platform: Platform, dual: str, gateways: tuple[str, str]) -> None:
    """What they list of the VPC itself stays in it."""
    table = main_table(ec2, dual)["RouteTableId"]
    ec2.create_subnet(VpcId=dual, CidrBlock="10.0.1.0/24", Ipv6CidrBlock=part(ec2, dual, 0))
    entries = [{"Cidr": "2001:db8::/32"}, {"Cidr": part(ec2, dual, 5)}]
    made = ec2.create_managed_prefix_list(PrefixListName="l", AddressFamily="IPv6", MaxEntries=3, Entries=entries)
    to = {"RouteTableId": table, "DestinationPrefixListId": made["PrefixList"]["PrefixListId"]}
    refused("UnsupportedOperation", ec2.create_route, NatGatewayId="nat-0", **to)
    ec2.create_route(EgressOnlyInternetGatewayId=gateways[1], **to)
    (subnet,) = network(platform, dual).subnets
    assert [(route.to, route.kind) for route in subnet.routes] == [("2001:db8::/32", "outside")]
    four = ec2.create_managed_prefix_list(PrefixListName="f", AddressFamily="IPv4", MaxEntries=1)["PrefixList"]
    refused(
        "InvalidParameterValue",
        ec2.create_route,
        RouteTableId=table,
        DestinationPrefixListId=four["PrefixListId"],
        EgressOnlyInternetGatewayId=gateways[1],
    )


def test_peered_vpcs_have_routes_of_ipv6(ec2: Any, platform: Platform, dual: str) -> None:
    far = ec2.create_vpc(CidrBlock="10.2.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
    ec2.create_subnet(VpcId=dual, CidrBlock="10.0.1.0/24", Ipv6CidrBlock=part(ec2, dual, 0))
    asked = ec2.create_vpc_peering_connection(VpcId=dual, PeerVpcId=far)["VpcPeeringConnection"]
    there = str(block(ec2, far))
    peering = ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=asked["VpcPeeringConnectionId"])
    side = peering["VpcPeeringConnection"]["AccepterVpcInfo"]
    assert side["CidrBlockSet"] == [{"CidrBlock": "10.2.0.0/16"}]
    assert side["Ipv6CidrBlockSet"] == [{"Ipv6CidrBlock": there}]
    found = ec2.describe_vpc_peering_connections(Filters=by("accepter-vpc-info.cidr-block", there))
    assert found["VpcPeeringConnections"] == [], "that filter is for IPv4"
    ec2.create_route(
        RouteTableId=main_table(ec2, dual)["RouteTableId"],
        DestinationIpv6CidrBlock=there,
        VpcPeeringConnectionId=asked["VpcPeeringConnectionId"],
    )
    (subnet,) = network(platform, dual).subnets
    assert [(route.to, route.kind, route.target) for route in subnet.routes] == [(there, "peering", far)]


def test_an_acl_that_was_changed_lets_no_ipv6_pass_by_itself(ec2: Any, platform: Platform, vpc: str) -> None:
    """A new block brings no new rules for it: what was open is closed for IPv6 now, and the nodes are told so."""
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")
    (acl,) = ec2.describe_network_acls(Filters=by("vpc-id", vpc))["NetworkAcls"]
    open_again = {"NetworkAclId": acl["NetworkAclId"], "RuleNumber": 90, "Protocol": "-1", "Egress": True}
    ec2.create_network_acl_entry(RuleAction="allow", CidrBlock="0.0.0.0/0", **open_again)
    assert network(platform, vpc).acls == ()
    ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    assert [each.id for each in network(platform, vpc).acls] == [acl["NetworkAclId"]]
    six = {"NetworkAclId": acl["NetworkAclId"], "Protocol": "-1", "Ipv6CidrBlock": "::/0", "RuleAction": "allow"}
    for egress in (True, False):
        ec2.create_network_acl_entry(RuleNumber=101, Egress=egress, **six)
    assert network(platform, vpc).acls == ()


def test_a_pool_that_is_used_up_gives_what_comes_back(tmp_path: Path) -> None:
    with served(tmp_path, PublicPool(network6="fd00::/54")) as platform:  # three blocks, and the platform's
        ec2 = platform.client("ec2")
        give = {"CidrBlock": "10.0.0.0/16", "AmazonProvidedIpv6CidrBlock": True}
        vpcs = [ec2.create_vpc(**give)["Vpc"]["VpcId"] for _ in range(3)]
        assert len({block(ec2, vpc) for vpc in vpcs}) == 3
        back = block(ec2, vpcs[0])
        words = refused("InsufficientAddressCapacity", ec2.create_vpc, **give)
        assert words == "There are no free IPv6 blocks left in the pool fd00::/54."
        assert len(ec2.describe_vpcs(Filters=by("is-default", "false"))["Vpcs"]) == 3, "nothing is half made"
        ec2.delete_vpc(VpcId=vpcs[0])
        assert block(ec2, ec2.create_vpc(**give)["Vpc"]["VpcId"]) == back
