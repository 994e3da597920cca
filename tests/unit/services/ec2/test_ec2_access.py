"""What EC2's requests need to be allowed, as the service authorisation reference has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hatoba.gateway.tags import Tags
from hatoba.gateway.tags import tags as tag_table
from hatoba.services.ec2.access import ACCESS
from hatoba.services.ec2.model.acl import network_acls
from hatoba.services.ec2.model.address import Elastic, elastics
from hatoba.services.ec2.model.endpoint import vpc_endpoints
from hatoba.services.ec2.model.group import SecurityGroup, groups
from hatoba.services.ec2.model.interface import Eni, enis
from hatoba.services.ec2.model.keypair import KeyPair, key_pairs
from hatoba.services.ec2.model.network import Block, Subnet, Vpc, subnets, vpcs
from hatoba.services.ec2.model.peering import Peering, Side, peerings
from hatoba.services.ec2.model.prefixlist import lists_of_aws
from hatoba.services.ec2.model.routes import Association, RouteTable, local_route, route_tables
from tests.unit.services.asked import SCOPE, Asked

TABLES = (
    vpcs,
    subnets,
    groups,
    enis,
    elastics,
    route_tables,
    network_acls,
    peerings,
    key_pairs,
    vpc_endpoints,
    tag_table,
)


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    """A default VPC vpc-1 with one of everything in it."""
    asked = Asked("ec2", ACCESS, *TABLES)
    further = (Block(id="vpc-cidr-assoc-2", cidr="10.1.0.0/16"),)
    asked.put(vpcs, Vpc(key=vpcs.key(SCOPE, "vpc-1"), cidr="10.0.0.0/16", further=further, is_default=True))
    block6 = Block(id="subnet-cidr-assoc-1", cidr="fd68:6174:6f00::/64")
    key = subnets.key(SCOPE, "subnet-1")
    asked.put(subnets, Subnet(key=key, vpc="vpc-1", cidr="10.0.0.0/24", zone="us-east-1b", block6=block6))
    asked.put(groups, SecurityGroup(key=groups.key(SCOPE, "sg-1"), vpc="vpc-1", name="web", description="web"))
    eni = Eni(
        key=enis.key(SCOPE, "eni-1"),
        vpc="vpc-1",
        subnet="subnet-1",
        zone="us-east-1b",
        public="100.64.4.1",
        association="eipassoc-1",
        allocation="eipalloc-1",
    )
    asked.put(enis, eni)
    of_ecs = Eni(
        key=enis.key(SCOPE, "eni-2"),
        vpc="vpc-1",
        subnet="subnet-1",
        zone="us-east-1b",
        requester="AWSServiceRoleForECS:ecs",
    )
    asked.put(enis, of_ecs)
    asked.put(elastics, Elastic(key=elastics.key(SCOPE, "eipalloc-1"), public="100.64.4.1"))
    associations = (Association(id="rtbassoc-0"), Association(id="rtbassoc-1", subnet="subnet-1"))
    table = RouteTable(
        key=route_tables.key(SCOPE, "rtb-1"),
        vpc="vpc-1",
        routes=(local_route("10.0.0.0/16"),),
        associations=associations,
    )
    asked.put(route_tables, table)
    far = Side(vpc="vpc-2", account=SCOPE.account, region=SCOPE.region)
    near = Side(vpc="vpc-1", account=SCOPE.account, region=SCOPE.region)
    key = peerings.key(SCOPE, "pcx-1")
    asked.put(peerings, Peering(key=key, requester=near, accepter=far, state="active", words="Active", until=None))
    pair = KeyPair(key=key_pairs.key(SCOPE, "key-1"), name="web", kind="rsa", public="", fingerprint="", created=0.0)
    asked.put(key_pairs, pair)
    asked.put(
        tag_table, Tags(key=tag_table.key(SCOPE, "arn:aws:ec2:us-east-1:123456789012:key-pair/key-1"), tags={"a": "b"})
    )
    yield asked
    asked.close()


PERMISSION = {"IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]}
NAMED: list[tuple[str, dict[str, Any], list[str]]] = [
    ("DescribeVpcs", {"VpcIds": ["vpc-1"]}, ["*"]),
    ("CreateDefaultVpc", {}, ["*"]),
    ("CreateVpc", {"CidrBlock": "10.0.0.0/16"}, ["vpc/*"]),
    ("DescribeVpcAttribute", {"VpcId": "vpc-1", "Attribute": "enableDnsSupport"}, ["vpc/vpc-1"]),
    ("CreateSubnet", {"VpcId": "vpc-1"}, ["subnet/*", "vpc/vpc-1"]),
    ("DeleteSubnet", {"SubnetId": "no such id"}, ["subnet/no such id"]),
    ("AssociateDhcpOptions", {"DhcpOptionsId": "default", "VpcId": "vpc-1"}, ["dhcp-options/default", "vpc/vpc-1"]),
    ("DisassociateVpcCidrBlock", {"AssociationId": "vpc-cidr-assoc-2"}, ["vpc/vpc-1"]),
    ("DisassociateVpcCidrBlock", {"AssociationId": "vpc-cidr-assoc-7"}, ["vpc/vpc-7"]),
    ("AssociateSubnetCidrBlock", {"SubnetId": "subnet-1"}, ["subnet/subnet-1"]),
    ("DisassociateSubnetCidrBlock", {"AssociationId": "subnet-cidr-assoc-1"}, ["subnet/subnet-1"]),
    ("DisassociateSubnetCidrBlock", {"AssociationId": "subnet-cidr-assoc-9"}, ["*"]),
    ("CreateEgressOnlyInternetGateway", {"VpcId": "vpc-1"}, ["egress-only-internet-gateway/*", "vpc/vpc-1"]),
    ("DeleteEgressOnlyInternetGateway", {"EgressOnlyInternetGatewayId": "eigw-1"},
     ["egress-only-internet-gateway/eigw-1"]),
    ("AttachInternetGateway", {"InternetGatewayId": "igw-1", "VpcId": "vpc-1"},
     ["internet-gateway/igw-1", "vpc/vpc-1"]),
    ("CreateNatGateway", {"SubnetId": "subnet-1", "AllocationId": "eipalloc-1"},
     ["natgateway/*", "subnet/subnet-1", "elastic-ip/eipalloc-1"]),
    ("DeleteNatGateway", {"NatGatewayId": "nat-1"}, ["natgateway/nat-1"]),
    ("CreateVpcPeeringConnection", {"VpcId": "vpc-1", "PeerVpcId": "vpc-2"},
     ["vpc-peering-connection/*", "vpc/vpc-1"]),
    ("AcceptVpcPeeringConnection", {"VpcPeeringConnectionId": "pcx-1"},
     ["vpc-peering-connection/pcx-1", "vpc/vpc-2"]),
    ("DeleteVpcPeeringConnection", {"VpcPeeringConnectionId": "pcx-9"}, ["vpc-peering-connection/pcx-9"]),
    ("CreateVpcEndpoint", {"VpcId": "vpc-1", "ServiceName": "com.amazonaws.us-east-1.s3", "RouteTableIds": ["rtb-1"]},
     ["vpc-endpoint/*", "vpc/vpc-1", "route-table/rtb-1"]),
    ("CreateVpcEndpoint", {"VpcId": "vpc-1", "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
     ["vpc-endpoint/*", "vpc/vpc-1", "security-group/sg-1", "subnet/subnet-1"]),
    ("ModifyVpcEndpoint", {"VpcEndpointId": "vpce-1", "AddRouteTableIds": ["rtb-1"], "RemoveRouteTableIds": ["rtb-2"]},
     ["vpc-endpoint/vpce-1", "route-table/rtb-1", "route-table/rtb-2"]),
    ("DeleteVpcEndpoints", {"VpcEndpointIds": ["vpce-1", "vpce-2"]}, ["vpc-endpoint/vpce-1", "vpc-endpoint/vpce-2"]),
    ("CreateRoute", {"RouteTableId": "rtb-1", "GatewayId": "igw-1"}, ["route-table/rtb-1"]),
    ("AssociateRouteTable", {"RouteTableId": "rtb-1", "SubnetId": "subnet-1"},
     ["route-table/rtb-1", "subnet/subnet-1"]),
    ("DisassociateRouteTable", {"AssociationId": "rtbassoc-1"}, ["route-table/rtb-1", "subnet/subnet-1"]),
    ("DisassociateRouteTable", {"AssociationId": "rtbassoc-0"}, ["route-table/rtb-1"]),
    ("DisassociateRouteTable", {"AssociationId": "rtbassoc-9"}, ["*"]),
    ("ReplaceRouteTableAssociation", {"AssociationId": "rtbassoc-1", "RouteTableId": "rtb-2"},
     ["route-table/rtb-2", "subnet/subnet-1"]),
    ("ReplaceNetworkAclAssociation", {"AssociationId": "aclassoc-1", "NetworkAclId": "acl-2"},
     ["network-acl/acl-2", "subnet/subnet-1"]),
    ("ReplaceNetworkAclAssociation", {"AssociationId": "aclassoc-9", "NetworkAclId": "acl-2"}, ["network-acl/acl-2"]),
    ("CreateSecurityGroup", {"GroupName": "x", "Description": "x"}, ["security-group/*", "vpc/vpc-1"]),
    ("CreateSecurityGroup", {"GroupName": "x", "Description": "x", "VpcId": "vpc-2"},
     ["security-group/*", "vpc/vpc-2"]),
    ("DeleteSecurityGroup", {"GroupName": "web"}, ["security-group/sg-1"]),
    ("DeleteSecurityGroup", {"GroupName": "other"}, ["security-group/other"]),
    ("DeleteSecurityGroup", {"GroupId": "sg-2", "GroupName": "web"}, ["security-group/sg-2"]),
    ("AuthorizeSecurityGroupIngress", {"GroupId": "sg-1", **PERMISSION}, ["security-group/sg-1"]),
    ("ModifySecurityGroupRules",
     {"GroupId": "sg-1", "SecurityGroupRules": [
         {"SecurityGroupRuleId": "sgr-1", "SecurityGroupRule": {"IpProtocol": "-1", "PrefixListId": "pl-1"}}]},
     ["security-group/sg-1", "security-group-rule/sgr-1", "prefix-list/pl-1"]),
    ("AssignIpv6Addresses", {"NetworkInterfaceId": "eni-1"}, ["network-interface/eni-1"]),
    ("UnassignIpv6Addresses", {"NetworkInterfaceId": "eni-1"}, ["network-interface/eni-1"]),
    ("AssignPrivateIpAddresses", {"NetworkInterfaceId": "eni-1"}, ["network-interface/eni-1"]),
    ("UnassignPrivateIpAddresses", {"NetworkInterfaceId": "eni-1"}, ["network-interface/eni-1"]),
    ("CreateNetworkInterface", {"SubnetId": "subnet-1", "Groups": ["sg-1", "sg-2"]},
     ["network-interface/*", "subnet/subnet-1", "security-group/sg-1", "security-group/sg-2"]),
    ("ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": "eni-1", "Groups": ["sg-1"]},
     ["network-interface/eni-1", "security-group/sg-1"]),
    ("AssociateAddress", {"PublicIp": "100.64.4.1", "NetworkInterfaceId": "eni-2"},
     ["elastic-ip/eipalloc-1", "network-interface/eni-2"]),
    ("DisassociateAddress", {"AssociationId": "eipassoc-1"}, ["elastic-ip/eipalloc-1", "network-interface/eni-1"]),
    ("ReleaseAddress", {"PublicIp": "100.64.4.9"}, ["elastic-ip/100.64.4.9"]),
    ("AttachNetworkInterface", {"NetworkInterfaceId": "eni-1", "InstanceId": "i-1", "DeviceIndex": 1},
     ["network-interface/eni-1", "instance/i-1"]),
    ("DetachNetworkInterface", {"AttachmentId": "ela-attach-1"}, ["network-interface/eni-1"]),
    ("CreateKeyPair", {"KeyName": "new"}, ["key-pair/new"]),
    ("ImportKeyPair", {"KeyName": "new", "PublicKeyMaterial": b"x"}, ["key-pair/new"]),
    ("DeleteKeyPair", {"KeyPairId": "key-1"}, ["key-pair/web"]),
    ("DeleteKeyPair", {"KeyName": "other"}, ["key-pair/other"]),
    ("CreateTags", {"Resources": ["key-1"], "Tags": []}, ["key-pair/web"]),
    ("CreateTags", {"Resources": ["vpc-1", "sgr-1", "what"], "Tags": []},
     ["vpc/vpc-1", "security-group-rule/sgr-1", "arn:aws:ec2:us-east-1:123456789012:what"]),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "req", "resources"), NAMED)
def test_what_a_request_touches(asked: Asked, operation: str, req: dict[str, Any], resources: list[str]) -> None:
    said = [text.replace("arn:aws:ec2:us-east-1:123456789012:", "") for text in asked.said(operation, **req)]
    wanted = [resource.replace("arn:aws:ec2:us-east-1:123456789012:", "") for resource in resources]
    assert said == [f"ec2:{operation} {resource}" for resource in wanted]


def test_a_list_of_awss_is_awss(asked: Asked) -> None:
    id_ = lists_of_aws(SCOPE, ("100.64.0.0/22",))[0].id
    (need,) = asked.needs("GetManagedPrefixListEntries", PrefixListId=id_)
    assert need.resource == f"arn:aws:ec2:us-east-1:aws:prefix-list/{id_}"


def test_an_endpoint_is_known_by_its_service(asked: Asked) -> None:
    """Whoever may make endpoints for some services only: the user guide's example."""
    first, *others = asked.needs("CreateVpcEndpoint", VpcId="vpc-1", ServiceName="com.amazonaws.us-east-1.s3")
    assert first.keys["ec2:VpceServiceName"] == "com.amazonaws.us-east-1.s3"
    assert first.keys["ec2:VpceServiceOwner"] == "amazon"
    assert not any("ec2:VpceServiceName" in need.keys for need in others)


def spec(kind: str, **tags: str) -> dict[str, Any]:
    return {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def test_tags_at_creation_are_seen_on_what_is_made_and_need_a_permission_of_their_own(asked: Asked) -> None:
    needs = asked.needs("CreateSubnet", VpcId="vpc-1", TagSpecifications=[spec("subnet", team="red")])
    assert [(need.action, need.resource.rpartition(":")[2]) for need in needs] == [
        ("ec2:CreateSubnet", "subnet/*"),
        ("ec2:CreateSubnet", "vpc/vpc-1"),
        ("ec2:CreateTags", "subnet/*"),
    ]
    given = {"aws:TagKeys": ["team"], "aws:RequestTag/team": "red"}
    assert needs[0].keys == {"ec2:Region": "us-east-1", **given}
    assert not given.keys() & needs[1].keys.keys(), "the VPC gets no tags"
    assert needs[2].keys == {"ec2:Region": "us-east-1", "ec2:CreateAction": "CreateSubnet", **given}


def test_tags_for_another_type_need_to_tag_that(asked: Asked) -> None:
    """The operation refuses them; whoever may not tag volumes is told that first."""
    needs = asked.needs("CreateVpc", CidrBlock="10.0.0.0/16", TagSpecifications=[spec("volume", a="b")])
    assert [(need.action, need.resource.rpartition(":")[2]) for need in needs] == [
        ("ec2:CreateVpc", "vpc/*"),
        ("ec2:CreateTags", "volume/*"),
    ]
    assert "aws:TagKeys" not in needs[0].keys


def test_rules_count_only_where_they_are_tagged(asked: Asked) -> None:
    tagging = {"TagSpecifications": [spec("security-group-rule", a="b")]}
    assert asked.said("AuthorizeSecurityGroupEgress", GroupId="sg-1", **PERMISSION, **tagging) == [
        "ec2:AuthorizeSecurityGroupEgress security-group/sg-1",
        "ec2:AuthorizeSecurityGroupEgress security-group-rule/*",
        "ec2:CreateTags security-group-rule/*",
    ]


def test_tagging_itself(asked: Asked) -> None:
    tags = [{"Key": "team", "Value": "red"}]
    given = asked.keys("CreateTags", Resources=["subnet-1"], Tags=tags)
    assert (given["aws:TagKeys"], given["aws:RequestTag/team"]) == (["team"], "red")
    assert "ec2:CreateAction" not in given
    gone = asked.keys("DeleteTags", Resources=["subnet-1"], Tags=tags)
    assert (gone["aws:TagKeys"], "aws:RequestTag/team" in gone) == (["team"], False)


HERE = {"ec2:Region": "us-east-1"}
KEYS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("DescribeVpcs", {}, {}),
    ("DeleteVpc", {"VpcId": "vpc-1"}, {"ec2:VpcID": "vpc-1", "ec2:Tenancy": "default"}),
    ("DeleteVpc", {"VpcId": "vpc-9"}, {"ec2:VpcID": "vpc-9"}),
    ("DeleteSubnet", {"SubnetId": "subnet-1"},
     {"ec2:SubnetID": "subnet-1", "ec2:Vpc": "vpc/vpc-1", "ec2:AvailabilityZone": "us-east-1b",
      "ec2:AvailabilityZoneId": "use1-az2"}),
    ("DeleteSecurityGroup", {"GroupId": "sg-1"}, {"ec2:SecurityGroupID": "sg-1", "ec2:Vpc": "vpc/vpc-1"}),
    ("DeleteNetworkInterface", {"NetworkInterfaceId": "eni-1"},
     {"ec2:NetworkInterfaceID": "eni-1", "ec2:Subnet": "subnet/subnet-1", "ec2:Vpc": "vpc/vpc-1",
      "ec2:AvailabilityZone": "us-east-1b"}),
    ("DeleteNetworkInterface", {"NetworkInterfaceId": "eni-2"},
     {"ec2:NetworkInterfaceID": "eni-2", "ec2:Subnet": "subnet/subnet-1", "ec2:Vpc": "vpc/vpc-1",
      "ec2:AvailabilityZone": "us-east-1b", "ec2:ManagedResourceOperator": "ecs.amazonaws.com"}),
    ("DeleteRouteTable", {"RouteTableId": "rtb-1"}, {"ec2:RouteTableID": "rtb-1", "ec2:Vpc": "vpc/vpc-1"}),
    ("DeleteNetworkAcl", {"NetworkAclId": "acl-1"}, {"ec2:NetworkAclID": "acl-1", "ec2:Vpc": "vpc/vpc-1"}),
    ("DeleteNetworkAcl", {"NetworkAclId": "acl-9"}, {"ec2:NetworkAclID": "acl-9"}),
    ("ReleaseAddress", {"AllocationId": "eipalloc-1"},
     {"ec2:AllocationId": "eipalloc-1", "ec2:Domain": "vpc", "ec2:PublicIpAddress": "100.64.4.1"}),
    ("DeleteInternetGateway", {"InternetGatewayId": "igw-1"}, {"ec2:InternetGatewayID": "igw-1"}),
    ("DeleteDhcpOptions", {"DhcpOptionsId": "dopt-1"}, {"ec2:DhcpOptionsID": "dopt-1"}),
    ("CreateKeyPair", {"KeyName": "new"}, {"ec2:KeyPairType": "rsa"}),
    ("DeleteKeyPair", {"KeyName": "web"},
     {"ec2:KeyPairName": "web", "ec2:KeyPairType": "rsa", "ec2:ResourceTag/a": "b", "aws:ResourceTag/a": "b"}),
    ("ModifyVpcAttribute", {"VpcId": "vpc-1", "EnableDnsSupport": {"Value": False}},
     {"ec2:VpcID": "vpc-1", "ec2:Tenancy": "default", "ec2:Attribute": ["EnableDnsSupport"],
      "ec2:Attribute/EnableDnsSupport": "false"}),
    ("ModifyManagedPrefixList", {"PrefixListId": "pl-1", "CurrentVersion": 1, "MaxEntries": 7, "DryRun": True,
                                 "AddEntries": [{"Cidr": "10.0.0.0/8"}]},
     {"ec2:Attribute": ["MaxEntries", "AddEntries"], "ec2:Attribute/MaxEntries": "7"}),
    ("ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": "eni-9", "Groups": ["sg-1", "sg-2"]},
     {"ec2:NetworkInterfaceID": "eni-9", "ec2:Attribute": ["Groups"], "ec2:Attribute/Groups": ["sg-1", "sg-2"]}),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "req", "keys"), KEYS)
def test_condition_keys(asked: Asked, operation: str, req: dict[str, Any], keys: dict[str, Any]) -> None:
    assert asked.keys(operation, **req) == {**HERE, **keys}


def test_an_attribute_is_the_first_resources(asked: Asked) -> None:
    needs = asked.needs("ModifyNetworkInterfaceAttribute", NetworkInterfaceId="eni-1", Groups=["sg-1"])
    assert "ec2:Attribute" not in needs[1].keys
