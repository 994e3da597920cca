"""Every operation with a member that is missing, or that names nothing there is: EC2's error, and nothing has changed.

The operations and their members are read from botocore's model; the world that they are asked in has one of everything.
"""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel

from hatoba.services.ec2.api import ec2 as room
from tests.conformance.ec2.networks import Platform, by
from tests.conformance.serving import ACCOUNT, SECRET, fresh_region

MODEL = ServiceModel(Loader().load_service_model("ec2", "service-2"), "ec2")
IMPLEMENTED = {
    name: MODEL.operation_model(name)
    for name in MODEL.operation_names
    if xform_name(name) in room.handlers and MODEL.operation_model(name).input_shape is not None
}
NO = "0123456789abcdef0"
# What each member names when it names nothing, and EC2's word for it.
NOTHING = {
    "AllocationId": (f"eipalloc-{NO}", "InvalidAllocationID.NotFound"),
    "AttachmentId": (f"eni-attach-{NO}", "InvalidAttachmentID.NotFound"),
    "DestinationPrefixListId": (f"pl-{NO}", "InvalidPrefixListID.NotFound"),
    "DhcpOptionsId": (f"dopt-{NO}", "InvalidDhcpOptionID.NotFound"),
    "EgressOnlyInternetGatewayId": (f"eigw-{NO}", "InvalidEgressOnlyInternetGatewayId.NotFound"),
    "GatewayId": (f"igw-{NO}", "InvalidInternetGatewayID.NotFound"),
    "GroupId": (f"sg-{NO}", "InvalidGroup.NotFound"),
    "InstanceId": (f"i-{NO}", "InvalidInstanceID.NotFound"),
    "InternetGatewayId": (f"igw-{NO}", "InvalidInternetGatewayID.NotFound"),
    "NatGatewayId": (f"nat-{NO}", "NatGatewayNotFound"),
    "NetworkAclId": (f"acl-{NO}", "InvalidNetworkAclID.NotFound"),
    "NetworkInterfaceId": (f"eni-{NO}", "InvalidNetworkInterfaceID.NotFound"),
    "PeerVpcId": (f"vpc-{NO}", "InvalidVpcID.NotFound"),
    "PrefixListId": (f"pl-{NO}", "InvalidPrefixListID.NotFound"),
    "RouteTableId": (f"rtb-{NO}", "InvalidRouteTableID.NotFound"),
    "SubnetId": (f"subnet-{NO}", "InvalidSubnetID.NotFound"),
    "VpcId": (f"vpc-{NO}", "InvalidVpcID.NotFound"),
    "VpcPeeringConnectionId": (f"pcx-{NO}", "InvalidVpcPeeringConnectionID.NotFound"),
}
# Its word for what cannot be an id of the kind, by the prefix of those that can.
MALFORMED = {
    "acl": "InvalidNetworkAclId.Malformed",
    "dopt": "InvalidDhcpOptionsId.Malformed",
    "eigw": "InvalidEgressOnlyInternetGatewayId.Malformed",
    "eni": "InvalidNetworkInterfaceId.Malformed",
    "eni-attach": "InvalidNetworkInterfaceAttachmentId.Malformed",
    "igw": "InvalidInternetGatewayId.Malformed",
    "nat": "NatGatewayMalformed",
    "pcx": "InvalidVpcPeeringConnectionId.Malformed",
    "pl": "InvalidPrefixListId.Malformed",
    "rtb": "InvalidRouteTableId.Malformed",
    "sg": "InvalidGroupId.Malformed",
    "subnet": "InvalidSubnetID.Malformed",
    "vpc": "InvalidVpcID.Malformed",
}
# Whose association, by the operation.
ASSOCIATIONS = {
    "DisassociateAddress": (f"eipassoc-{NO}", "InvalidAssociationID.NotFound"),
    "DisassociateRouteTable": (f"rtbassoc-{NO}", "InvalidAssociationID.NotFound"),
    "DisassociateSubnetCidrBlock": (f"subnet-cidr-assoc-{NO}", "InvalidSubnetCidrBlockAssociationID.NotFound"),
    "DisassociateVpcCidrBlock": (f"vpc-cidr-assoc-{NO}", "InvalidVpcCidrBlockAssociationID.NotFound"),
    "ReplaceNetworkAclAssociation": (f"aclassoc-{NO}", "InvalidAssociationID.NotFound"),
    "ReplaceRouteTableAssociation": (f"rtbassoc-{NO}", "InvalidAssociationID.NotFound"),
}
# Members beside the required ones without which an operation would say that they are missing first.
WITH = {
    "AssociateRouteTable": {"SubnetId"},
    "AssociateAddress": {"NetworkInterfaceId", "AllocationId"},
    "AssociateSubnetCidrBlock": {"Ipv6CidrBlock"},
    "AssociateVpcCidrBlock": {"CidrBlock"},
    "AuthorizeSecurityGroupEgress": {"IpPermissions"},
    "AuthorizeSecurityGroupIngress": {"IpPermissions", "GroupId"},
    "CreateNatGateway": {"AllocationId", "SubnetId"},
    "CreateNetworkAclEntry": {"CidrBlock"},
    "CreateRoute": {"DestinationCidrBlock", "GatewayId"},
    "CreateSubnet": {"CidrBlock"},
    "CreateVpcPeeringConnection": {"PeerVpcId"},
    "DeleteRoute": {"DestinationCidrBlock"},
    "ModifyNetworkInterfaceAttribute": {"Description"},
    "ModifySubnetAttribute": {"MapPublicIpOnLaunch"},
    "ModifyVpcAttribute": {"EnableDnsSupport"},
    "ReplaceNetworkAclEntry": {"CidrBlock"},
    "ReplaceRoute": {"DestinationCidrBlock", "GatewayId"},
    "ResetNetworkInterfaceAttribute": {"SourceDestCheck"},
    "RevokeSecurityGroupEgress": {"IpPermissions"},
    "RevokeSecurityGroupIngress": {"IpPermissions", "GroupId"},
    "UpdateSecurityGroupRuleDescriptionsEgress": {"IpPermissions", "GroupId"},
    "UpdateSecurityGroupRuleDescriptionsIngress": {"IpPermissions", "GroupId"},
}
INSTEAD = [
    {"EgressOnlyInternetGatewayId", "GatewayId", "NatGatewayId", "VpcPeeringConnectionId"},
    {"DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId"},
]
# Members that an operation has, and that EC2 takes for something else: machines and other things there are not.
OTHERWISE = {
    ("AssociateRouteTable", "GatewayId"): "UnsupportedOperation",
    ("CreateNatGateway", "VpcId"): "UnsupportedOperation",
    ("CreateRoute", "EgressOnlyInternetGatewayId"): "InvalidParameterValue",  # of a route of IPv4
    ("CreateRoute", "InstanceId"): "UnsupportedOperation",
    ("CreateRoute", "NetworkInterfaceId"): "UnsupportedOperation",
    ("DeleteRoute", "DestinationPrefixListId"): "InvalidRoute.NotFound",
    ("DetachInternetGateway", "VpcId"): "Gateway.NotAttached",
    ("ReplaceRoute", "EgressOnlyInternetGatewayId"): "InvalidParameterValue",
    ("ReplaceRoute", "InstanceId"): "UnsupportedOperation",
    ("ReplaceRoute", "NetworkInterfaceId"): "UnsupportedOperation",
}


class World:
    """A region with one of everything that members name."""

    def __init__(self, platform: Platform) -> None:
        self.platform, self.region = platform, fresh_region()
        self.ec2: Any = boto3.client(
            "ec2",
            endpoint_url=f"http://localhost:{platform.port}",
            region_name=self.region,
            aws_access_key_id=f"AKIA{ACCOUNT}",
            aws_secret_access_key=SECRET,
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )
        ec2 = self.ec2
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
        table = ec2.describe_route_tables(Filters=by("vpc-id", vpc))["RouteTables"][0]["RouteTableId"]
        peer = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        pcx = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=peer)["VpcPeeringConnection"]
        pl = ec2.create_managed_prefix_list(PrefixListName="l", AddressFamily="IPv4", MaxEntries=2)["PrefixList"]
        allocation = ec2.allocate_address()["AllocationId"]
        self.associations = {
            "ReplaceNetworkAclAssociation": subnet.replace("subnet-", "aclassoc-"),
            "ReplaceRouteTableAssociation": ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)[
                "AssociationId"
            ],
        }
        self.values: dict[str, Any] = {
            "AddressFamily": "IPv4",
            "AllocationId": allocation,
            "Attribute": "enableDnsSupport",
            "AttachmentId": f"eni-attach-{NO}",
            "AvailabilityZone": f"{self.region}a",
            "CidrBlock": "10.0.7.0/24",
            "CurrentVersion": 1,
            "Description": "x",
            "DestinationCidrBlock": "0.0.0.0/0",
            "DestinationPrefixListId": pl["PrefixListId"],
            "DeviceIndex": 1,
            "DhcpConfigurations": [{"Key": "domain-name", "Values": ["x.test"]}],
            "DhcpOptionsId": "default",
            "Egress": False,
            "EgressOnlyInternetGatewayId": ec2.create_egress_only_internet_gateway(VpcId=vpc)[
                "EgressOnlyInternetGateway"
            ]["EgressOnlyInternetGatewayId"],
            "EnableDnsSupport": {"Value": True},
            "GatewayId": igw,
            "GroupId": ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"],
            "GroupName": "new",
            "InstanceId": f"i-{NO}",
            "InternetGatewayBlockMode": "off",
            "InternetGatewayId": igw,
            "Ipv6CidrBlock": "fd68:6174:6f00::/64",
            "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
            "KeyName": "k",
            "MapPublicIpOnLaunch": {"Value": True},
            "MaxEntries": 5,
            "NatGatewayId": ec2.create_nat_gateway(SubnetId=subnet, AllocationId=allocation)["NatGateway"][
                "NatGatewayId"
            ],
            "NetworkAclId": ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"],
            "NetworkInterfaceId": ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"][
                "NetworkInterfaceId"
            ],
            "PeerVpcId": peer,
            "PrefixListId": pl["PrefixListId"],
            "PrefixListName": "x",
            "PreviousVersion": 1,
            "Protocol": "-1",
            "PublicKeyMaterial": b"x",
            "Resources": [vpc],
            "RouteTableId": table,
            "RuleAction": "allow",
            "RuleNumber": 7,
            "SecurityGroupRules": [{"SecurityGroupRuleId": "sgr-1", "SecurityGroupRule": {"IpProtocol": "-1"}}],
            "SourceDestCheck": "true",
            "SubnetId": subnet,
            "Tags": [{"Key": "a", "Value": "b"}],
            "VpcId": vpc,
            "VpcPeeringConnectionId": pcx["VpcPeeringConnectionId"],
            "InstanceTenancy": "default",
        }

    def given(self, name: str, *, but: str = "") -> dict[str, Any]:
        """What the operation cannot do without, each of it there, but for one."""
        needed = {*IMPLEMENTED[name].input_shape.required_members, *WITH.get(name, ())}
        for choice in INSTEAD:
            if but in choice:
                needed -= choice
        values: dict[str, Any] = {**self.values, **self._special(name)}
        values["AssociationId"] = self.associations.get(name, "eipassoc-1")
        return {member: values[member] for member in needed - {but}}

    def _special(self, name: str) -> dict[str, Any]:
        """Members that mean another thing in some operations."""
        return {
            "ModifyNetworkInterfaceAttribute": {"Description": {"Value": "x"}},
            "AssociateVpcCidrBlock": {"CidrBlock": "10.9.0.0/16"},
            "CreateVpc": {"CidrBlock": "10.9.0.0/16"},
        }.get(name, {})

    def refusal(self, name: str, params: dict[str, Any]) -> str:
        """The error's code; nothing may have been written."""
        before = self.platform.store.seq
        try:
            getattr(self.ec2, xform_name(name))(**params)
        except ClientError as error:
            assert self.platform.store.seq == before, "it was refused, and yet something has changed"
            code: str = error.response["Error"]["Code"]
            return code
        return ""


@pytest.fixture(scope="module")
def world(platform: Platform) -> World:
    return World(platform)


MISSING = [(name, member) for name in IMPLEMENTED for member in IMPLEMENTED[name].input_shape.required_members]
NAMES = [
    (name, member)
    for name in IMPLEMENTED
    if not name.startswith("Describe")
    for member in IMPLEMENTED[name].input_shape.members
    if member in NOTHING or (member == "AssociationId" and name in ASSOCIATIONS)
]


def test_what_is_missing_is_named(world: World) -> None:
    assert len(MISSING) > 80
    wrong = {}
    for name, member in MISSING:
        code = world.refusal(name, world.given(name, but=member))
        if code != "MissingParameter":
            wrong[name, member] = code
    assert wrong == {}


def test_what_is_not_there_is_not_found(world: World) -> None:
    assert len(NAMES) > 70
    wrong = {}
    for name, member in NAMES:
        value, expected = ASSOCIATIONS[name] if member == "AssociationId" else NOTHING[member]
        expected = OTHERWISE.get((name, member), expected)
        code = world.refusal(name, {**world.given(name, but=member), member: value})
        if code != expected:
            wrong[name, member] = (code, expected)
    assert wrong == {}


@pytest.mark.parametrize("value", ["x", "i-0123456789abcdef0", "arn:aws:ec2:us-east-1:1:vpc/vpc-1", "vpc-xyz", "-"])
def test_what_is_no_id_is_malformed(world: World, value: str) -> None:
    wrong = {}
    for name, member in NAMES:
        prefix = "" if member == "AssociationId" else NOTHING[member][0].rpartition("-")[0]
        if prefix not in MALFORMED or (name, member) in OTHERWISE:
            continue
        code = world.refusal(name, {**world.given(name, but=member), member: value})
        if code != MALFORMED[prefix]:
            wrong[name, member] = code
    assert wrong == {}
