"""What Terraform's AWS provider and a CDK stack's VPC ask for, in their order: made, read back, changed, destroyed.

After each journey the region is as it was before the first call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.ec2.networks import Platform, by
from tests.conformance.ec2.nodes import converge, node
from tests.conformance.serving import refused

ALL = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
ANYWHERE = "0.0.0.0/0"


def named(kind: str, name: str, **tags: str) -> list[dict[str, Any]]:
    given = [{"Key": key, "Value": value} for key, value in {"Name": name, **tags}.items()]
    return [{"ResourceType": kind, "Tags": given}]


@pytest.fixture
def one_node(platform: Platform) -> Iterator[None]:
    node(platform, "journeys", 9)
    yield
    node(platform, "journeys", 9, "lost")


def everything(ec2: Any) -> dict[str, Any]:
    """All that there is in the region; addresses and NAT gateways that are gone are still shown for an hour."""
    live = by("state", "pending", "available", "failed")
    return {
        "vpcs": ec2.describe_vpcs()["Vpcs"],
        "subnets": ec2.describe_subnets()["Subnets"],
        "tables": ec2.describe_route_tables()["RouteTables"],
        "gateways": ec2.describe_internet_gateways()["InternetGateways"],
        "gateways6": ec2.describe_egress_only_internet_gateways()["EgressOnlyInternetGateways"],
        "nats": ec2.describe_nat_gateways(Filter=live)["NatGateways"],
        "groups": ec2.describe_security_groups()["SecurityGroups"],
        "rules": ec2.describe_security_group_rules()["SecurityGroupRules"],
        "acls": ec2.describe_network_acls()["NetworkAcls"],
        "interfaces": ec2.describe_network_interfaces()["NetworkInterfaces"],
        "addresses": ec2.describe_addresses()["Addresses"],
        "lists": ec2.describe_managed_prefix_lists()["PrefixLists"],
        "options": ec2.describe_dhcp_options()["DhcpOptions"],
        "keys": ec2.describe_key_pairs()["KeyPairs"],
        "tags": [tag for tag in ec2.describe_tags()["Tags"] if tag["ResourceType"] != "natgateway"],
    }


# --- Terraform: one resource after the other, each read back by its filters


class Terraform:
    """`create`, `read`, `update` and `delete` of resources, by the calls that the provider makes."""

    def __init__(self, ec2: Any, platform: Platform) -> None:
        self.ec2, self.platform = ec2, platform

    # aws_vpc

    def vpc(self) -> str:
        made = self.ec2.create_vpc(
            CidrBlock="10.20.0.0/16",
            InstanceTenancy="default",
            AmazonProvidedIpv6CidrBlock=False,
            TagSpecifications=named("vpc", "main"),
        )
        id_: str = made["Vpc"]["VpcId"]
        self.ec2.modify_vpc_attribute(VpcId=id_, EnableDnsHostnames={"Value": True})
        return id_

    def read_vpc(self, id_: str) -> dict[str, Any]:
        (vpc,) = self.ec2.describe_vpcs(VpcIds=[id_])["Vpcs"]
        attributes = {}
        for name in ("enableDnsHostnames", "enableDnsSupport", "enableNetworkAddressUsageMetrics"):
            answer = self.ec2.describe_vpc_attribute(VpcId=id_, Attribute=name)
            attributes[name] = answer[name[0].upper() + name[1:]]["Value"]
        in_it = by("vpc-id", id_)
        (acl,) = self.ec2.describe_network_acls(Filters=[*by("default", "true"), *in_it])["NetworkAcls"]
        (table,) = self.ec2.describe_route_tables(Filters=[*by("association.main", "true"), *in_it])["RouteTables"]
        (group,) = self.ec2.describe_security_groups(Filters=[*by("group-name", "default"), *in_it])["SecurityGroups"]
        return {
            "state": vpc["State"],
            "cidr": vpc["CidrBlock"],
            **attributes,
            "acl": acl["NetworkAclId"],
            "table": table["RouteTableId"],
            "group": group["GroupId"],
        }

    # aws_subnet

    def subnet(self, vpc: str, cidr: str, zone: str, *, public: bool = False) -> str:
        made = self.ec2.create_subnet(
            VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone, TagSpecifications=named("subnet", cidr)
        )
        id_: str = made["Subnet"]["SubnetId"]
        if public:
            self.ec2.modify_subnet_attribute(SubnetId=id_, MapPublicIpOnLaunch={"Value": True})
        return id_

    # aws_nat_gateway

    def nat(self, subnet: str, allocation: str) -> str:
        made = self.ec2.create_nat_gateway(
            ClientToken="terraform-1",
            SubnetId=subnet,
            AllocationId=allocation,
            ConnectivityType="public",
            TagSpecifications=named("natgateway", "nat"),
        )
        id_: str = made["NatGateway"]["NatGatewayId"]
        converge(self.platform)
        assert self.ec2.describe_nat_gateways(NatGatewayIds=[id_])["NatGateways"][0]["State"] == "available"
        return id_

    # aws_route_table, aws_route, aws_route_table_association

    def table(self, vpc: str, **target: str) -> str:
        made = self.ec2.create_route_table(VpcId=vpc, TagSpecifications=named("route-table", "t"))
        id_: str = made["RouteTable"]["RouteTableId"]
        self.ec2.create_route(RouteTableId=id_, DestinationCidrBlock=ANYWHERE, **target)
        return id_

    def routes(self, id_: str) -> dict[str, str]:
        (table,) = self.ec2.describe_route_tables(RouteTableIds=[id_])["RouteTables"]
        return {
            route.get("DestinationCidrBlock", route.get("DestinationPrefixListId")): route.get(
                "GatewayId", route.get("NatGatewayId")
            )
            for route in table["Routes"]
        }

    # aws_security_group: without the rule that EC2 gives each

    def group(self, vpc: str, name: str) -> str:
        made = self.ec2.create_security_group(
            GroupName=name, Description=name, VpcId=vpc, TagSpecifications=named("security-group", name)
        )
        id_: str = made["GroupId"]
        self.ec2.revoke_security_group_egress(GroupId=id_, IpPermissions=[ALL])
        return id_

    # aws_vpc_security_group_ingress_rule

    def rule(self, group: str, **peer: Any) -> str:
        made = self.ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **peer}],
            TagSpecifications=named("security-group-rule", "https"),
        )
        id_: str = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        return id_

    def read_rule(self, id_: str) -> dict[str, Any]:
        (rule,) = self.ec2.describe_security_group_rules(SecurityGroupRuleIds=[id_])["SecurityGroupRules"]
        found: dict[str, Any] = rule
        return found


@pytest.mark.usefixtures("one_node")
def test_terraform(platform: Platform, ec2: Any, region: str) -> None:
    before = everything(ec2)
    tf = Terraform(ec2, platform)

    # apply
    vpc = tf.vpc()
    read = tf.read_vpc(vpc)
    assert (read["state"], read["enableDnsHostnames"], read["enableDnsSupport"]) == ("available", True, True)
    gateway = ec2.create_internet_gateway(TagSpecifications=named("internet-gateway", "igw"))["InternetGateway"]
    igw = gateway["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    (attached,) = ec2.describe_internet_gateways(Filters=by("attachment.vpc-id", vpc))["InternetGateways"]
    assert attached["Attachments"] == [{"State": "available", "VpcId": vpc}]
    public = tf.subnet(vpc, "10.20.0.0/24", f"{region}a", public=True)
    private = tf.subnet(vpc, "10.20.1.0/24", f"{region}b")
    eip = ec2.allocate_address(Domain="vpc", TagSpecifications=named("elastic-ip", "nat"))["AllocationId"]
    asked = ec2.describe_addresses_attribute(AllocationIds=[eip], Attribute="domain-name")["Addresses"]
    assert [each["AllocationId"] for each in asked] == [eip]
    nat = tf.nat(public, eip)
    out, through = tf.table(vpc, GatewayId=igw), tf.table(vpc, NatGatewayId=nat)
    associations = [
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
        for table, subnet in ((out, public), (through, private))
    ]
    assert tf.routes(through) == {"10.20.0.0/16": "local", ANYWHERE: nat}
    web, db = tf.group(vpc, "web"), tf.group(vpc, "db")
    assert ec2.describe_security_groups(GroupIds=[web])["SecurityGroups"][0]["IpPermissionsEgress"] == []
    lists = ec2.create_managed_prefix_list(
        PrefixListName="offices", AddressFamily="IPv4", MaxEntries=5, Entries=[{"Cidr": "192.0.2.0/24"}]
    )["PrefixList"]["PrefixListId"]
    https = tf.rule(web, PrefixListIds=[{"PrefixListId": lists, "Description": "offices"}])
    inner = tf.rule(db, UserIdGroupPairs=[{"GroupId": web}])
    assert tf.read_rule(inner)["ReferencedGroupInfo"]["GroupId"] == web
    assert tf.read_rule(https)["Tags"] == [{"Key": "Name", "Value": "https"}]
    acl = ec2.create_network_acl(VpcId=vpc, TagSpecifications=named("network-acl", "acl"))["NetworkAcl"]["NetworkAclId"]
    entry = {"NetworkAclId": acl, "RuleNumber": 100, "Egress": False, "Protocol": "6", "CidrBlock": ANYWHERE}
    ec2.create_network_acl_entry(RuleAction="allow", PortRange={"From": 443, "To": 443}, **entry)
    follow(ec2, acl, private)

    # read back: what a second plan sees is what the first one wrote
    assert tf.read_vpc(vpc) == read
    (found,) = ec2.describe_subnets(SubnetIds=[public])["Subnets"]
    assert (found["MapPublicIpOnLaunch"], found["AvailableIpAddressCount"], found["Tags"][0]["Value"]) == (
        True,
        250,
        "10.20.0.0/24",
    )

    # change in place
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "core"}, {"Key": "env", "Value": "test"}])
    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "env"}])
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Tags"] == [{"Key": "Name", "Value": "core"}]
    ec2.modify_security_group_rules(
        GroupId=db,
        SecurityGroupRules=[
            {
                "SecurityGroupRuleId": inner,
                "SecurityGroupRule": {
                    "IpProtocol": "tcp",
                    "FromPort": 5432,
                    "ToPort": 5432,
                    "ReferencedGroupId": web,
                    "Description": "pg",
                },
            }
        ],
    )
    assert (tf.read_rule(inner)["FromPort"], tf.read_rule(inner)["Description"]) == (5432, "pg")
    ec2.replace_route(RouteTableId=through, DestinationCidrBlock=ANYWHERE, GatewayId=igw)
    assert tf.routes(through)[ANYWHERE] == igw
    ec2.replace_route(RouteTableId=through, DestinationCidrBlock=ANYWHERE, NatGatewayId=nat)
    ec2.replace_network_acl_entry(RuleAction="deny", PortRange={"From": 443, "To": 443}, **entry)
    ec2.modify_subnet_attribute(SubnetId=public, MapPublicIpOnLaunch={"Value": False})

    # destroy too early: each is told what is in the way, and nothing is half gone
    there = everything(ec2)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc)
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=public)
    refused("DependencyViolation", ec2.delete_security_group, GroupId=web)
    refused("DependencyViolation", ec2.delete_route_table, RouteTableId=out)
    refused("DependencyViolation", ec2.delete_managed_prefix_list, PrefixListId=lists)
    refused("DependencyViolation", ec2.delete_network_acl, NetworkAclId=acl)
    refused("DependencyViolation", ec2.detach_internet_gateway, InternetGatewayId=igw, VpcId=vpc)
    refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=eip)
    assert everything(ec2) == there

    # destroy
    for group, rule in ((db, inner), (web, https)):
        ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[rule])
        refused("InvalidSecurityGroupRuleId.NotFound", tf.read_rule, id_=rule)
    ec2.delete_managed_prefix_list(PrefixListId=lists)
    for group in (db, web):
        assert ec2.describe_network_interfaces(Filters=by("group-id", group))["NetworkInterfaces"] == []
        ec2.delete_security_group(GroupId=group)
        refused("InvalidGroup.NotFound", ec2.describe_security_groups, GroupIds=[group])
    follow(ec2, read["acl"], private)
    ec2.delete_network_acl(NetworkAclId=acl)
    for association, table in zip(associations, (out, through), strict=True):
        ec2.disassociate_route_table(AssociationId=association)
        ec2.delete_route(RouteTableId=table, DestinationCidrBlock=ANYWHERE)
        ec2.delete_route_table(RouteTableId=table)
    ec2.delete_nat_gateway(NatGatewayId=nat)
    assert ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"][0]["State"] == "deleted"
    ec2.release_address(AllocationId=eip)
    ec2.detach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=igw)
    for subnet in (public, private):
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)
    refused("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=[vpc])
    assert everything(ec2) == before


def follow(ec2: Any, acl: str, subnet: str) -> None:
    """aws_network_acl_association: away from whatever the subnet follows."""
    (now,) = ec2.describe_network_acls(Filters=by("association.subnet-id", subnet))["NetworkAcls"]
    association = next(each for each in now["Associations"] if each["SubnetId"] == subnet)
    ec2.replace_network_acl_association(AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl)
    (now,) = ec2.describe_network_acls(Filters=by("association.subnet-id", subnet))["NetworkAcls"]
    assert now["NetworkAclId"] == acl


# --- CDK's ec2.Vpc: public and private subnets in two zones, a NAT gateway in each, its default group closed


@pytest.mark.usefixtures("one_node")
def test_a_vpc_of_cdk(platform: Platform, ec2: Any, region: str) -> None:
    before = everything(ec2)
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]][:2]
    made = ec2.create_vpc(CidrBlock="10.0.0.0/16", InstanceTenancy="default", TagSpecifications=named("vpc", "Vpc"))
    vpc = made["Vpc"]["VpcId"]
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=vpc, **{name: {"Value": True}})
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(VpcId=vpc, InternetGatewayId=gateway)
    made_of: dict[str, list[str]] = {"subnets": [], "tables": [], "nats": [], "addresses": []}
    for number, zone in enumerate(zones):
        for kind, first in (("Public", 0), ("Private", 128)):
            subnet = ec2.create_subnet(
                VpcId=vpc,
                CidrBlock=f"10.0.{first + 64 * number}.0/18",
                AvailabilityZone=zone,
                TagSpecifications=named("subnet", kind, **{"aws-cdk:subnet-type": kind}),
            )["Subnet"]["SubnetId"]
            table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
            ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
            if kind == "Public":
                ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
                ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANYWHERE, GatewayId=gateway)
                address = ec2.allocate_address(Domain="vpc")["AllocationId"]
                nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
                made_of["nats"].append(nat)
                made_of["addresses"].append(address)
            else:
                ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANYWHERE, NatGatewayId=nat)
            made_of["subnets"].append(subnet)
            made_of["tables"].append(table)
    converge(platform)

    # `Vpc.fromLookup`
    (looked,) = ec2.describe_vpcs(Filters=by("tag:Name", "Vpc"))["Vpcs"]
    found = ec2.describe_subnets(Filters=by("vpc-id", looked["VpcId"]))["Subnets"]
    kinds = {s["SubnetId"]: {tag["Key"]: tag["Value"] for tag in s["Tags"]}["aws-cdk:subnet-type"] for s in found}
    tables = ec2.describe_route_tables(Filters=by("vpc-id", vpc))["RouteTables"]
    outside = {
        association["SubnetId"]
        for table in tables
        for association in table["Associations"]
        if "SubnetId" in association and any(r.get("GatewayId", "").startswith("igw-") for r in table["Routes"])
    }
    assert outside == {subnet for subnet, kind in kinds.items() if kind == "Public"}
    assert {nat["State"] for nat in ec2.describe_nat_gateways(Filter=by("vpc-id", vpc))["NatGateways"]} == {"available"}
    assert ec2.describe_vpn_gateways(Filters=by("attachment.vpc-id", vpc))["VpnGateways"] == []

    # `restrictDefaultSecurityGroup`: its custom resource asks nothing, and expects what EC2 gives each VPC
    (default,) = ec2.describe_security_groups(Filters=[*by("vpc-id", vpc), *by("group-name", "default")])[
        "SecurityGroups"
    ]
    group = default["GroupId"]
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[ALL])
    own = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group, "UserId": default["OwnerId"]}]}
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[own])
    refused("InvalidPermission.NotFound", ec2.revoke_security_group_ingress, GroupId=group, IpPermissions=[own])
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[own])

    # the stack is deleted in the reverse order of its dependencies
    for nat in made_of["nats"]:
        ec2.delete_nat_gateway(NatGatewayId=nat)
    for address in made_of["addresses"]:
        ec2.release_address(AllocationId=address)
    for table in tables:
        for association in table["Associations"]:
            if not association["Main"]:
                ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
    for table_id in made_of["tables"]:
        ec2.delete_route(RouteTableId=table_id, DestinationCidrBlock=ANYWHERE)
        ec2.delete_route_table(RouteTableId=table_id)
    for subnet in made_of["subnets"]:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.delete_vpc(VpcId=vpc)
    assert everything(ec2) == before
