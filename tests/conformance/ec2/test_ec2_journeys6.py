"""What Terraform's AWS provider and a CDK stack ask for a dual-stack VPC, in their order; nothing is left of it."""

from __future__ import annotations

from ipaddress import IPv6Network
from typing import Any

from tests.conformance.ec2.networks import Platform, by
from tests.conformance.ec2.test_ec2_journeys import ANYWHERE, Terraform, everything, named
from tests.conformance.serving import refused

ANYWHERE6 = "::/0"


class Terraform6(Terraform):
    """The resources' IPv6 halves."""

    # aws_vpc, assign_generated_ipv6_cidr_block

    def vpc6(self, region: str) -> str:
        made = self.ec2.create_vpc(
            CidrBlock="10.20.0.0/16",
            InstanceTenancy="default",
            AmazonProvidedIpv6CidrBlock=True,
            Ipv6CidrBlockNetworkBorderGroup=region,
            TagSpecifications=named("vpc", "main"),
        )["Vpc"]
        self.wait_for_block(made["Ipv6CidrBlockAssociationSet"][0]["AssociationId"])
        id_: str = made["VpcId"]
        return id_

    def wait_for_block(self, association: str) -> None:
        filters = by("ipv6-cidr-block-association.association-id", association)
        (vpc,) = self.ec2.describe_vpcs(Filters=filters)["Vpcs"]
        (found,) = vpc["Ipv6CidrBlockAssociationSet"]
        assert (found["AssociationId"], found["Ipv6CidrBlockState"]["State"]) == (association, "associated")

    def block(self, vpc: str) -> IPv6Network:
        (found,) = self.ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
        return IPv6Network(found["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"])

    # aws_subnet: made, waited for, then one attribute after the other

    def subnet6(self, vpc: str, number: int, zone: str, *, native: bool = False) -> str:
        cidr = str(list(self.block(vpc).subnets(new_prefix=64))[number])
        own = {"Ipv6Native": True} if native else {"CidrBlock": f"10.20.{number}.0/24"}
        made = self.ec2.create_subnet(
            VpcId=vpc,
            AvailabilityZone=zone,
            Ipv6CidrBlock=cidr,
            TagSpecifications=named("subnet", f"s{number}"),
            **own,
        )["Subnet"]
        id_: str = made["SubnetId"]
        found = self.read_subnet(id_)
        assert found["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlockState"]["State"] == "associated"
        if not native:
            self.ec2.modify_subnet_attribute(SubnetId=id_, AssignIpv6AddressOnCreation={"Value": True})
        self.ec2.modify_subnet_attribute(SubnetId=id_, EnableResourceNameDnsAAAARecordOnLaunch={"Value": True})
        self.ec2.modify_subnet_attribute(SubnetId=id_, PrivateDnsHostnameTypeOnLaunch="resource-name")
        return id_

    def read_subnet(self, id_: str) -> dict[str, Any]:
        (found,) = self.ec2.describe_subnets(SubnetIds=[id_])["Subnets"]
        answer: dict[str, Any] = found
        return answer

    # aws_security_group: without the rules that EC2 gives each, of either family

    def group6(self, vpc: str) -> str:
        id_ = self.group(vpc, "web")
        everything6 = {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": ANYWHERE6}]}
        self.ec2.revoke_security_group_egress(GroupId=id_, IpPermissions=[everything6])
        return id_

    # aws_egress_only_internet_gateway

    def egress(self, vpc: str) -> str:
        tags = named("egress-only-internet-gateway", "out")
        made = self.ec2.create_egress_only_internet_gateway(ClientToken="tf", VpcId=vpc, TagSpecifications=tags)
        id_: str = made["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
        (found,) = self.ec2.describe_egress_only_internet_gateways(EgressOnlyInternetGatewayIds=[id_])[
            "EgressOnlyInternetGateways"
        ]
        assert found["Attachments"] == [{"State": "attached", "VpcId": vpc}]
        return id_


def test_terraform_dual_stack(platform: Platform, ec2: Any, region: str) -> None:
    before = everything(ec2)
    tf = Terraform6(ec2, platform)

    # apply
    vpc = tf.vpc6(region)
    igw = ec2.create_internet_gateway(TagSpecifications=named("internet-gateway", "igw"))["InternetGateway"][
        "InternetGatewayId"
    ]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    eigw = tf.egress(vpc)
    public, private = tf.subnet6(vpc, 0, f"{region}a"), tf.subnet6(vpc, 1, f"{region}b")
    native = tf.subnet6(vpc, 2, f"{region}c", native=True)
    out, through = tf.table(vpc, GatewayId=igw), tf.table(vpc, GatewayId=igw)
    ec2.create_route(RouteTableId=out, DestinationIpv6CidrBlock=ANYWHERE6, GatewayId=igw)
    ec2.create_route(RouteTableId=through, DestinationIpv6CidrBlock=ANYWHERE6, EgressOnlyInternetGatewayId=eigw)
    associations = [
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
        for table, subnet in ((out, public), (through, private), (through, native))
    ]
    web = tf.group6(vpc)
    https = tf.rule(web, Ipv6Ranges=[{"CidrIpv6": ANYWHERE6}])
    assert tf.read_rule(https)["CidrIpv6"] == ANYWHERE6
    interface = ec2.create_network_interface(SubnetId=native, Groups=[web])["NetworkInterface"]
    assert IPv6Network(interface["Ipv6Address"]).subnet_of(tf.block(vpc))

    # read back
    assert [tf.read_subnet(each)["AssignIpv6AddressOnCreation"] for each in (public, private, native)] == [True] * 3
    assert [tf.read_subnet(each)["Ipv6Native"] for each in (public, private, native)] == [False, False, True]
    (table,) = ec2.describe_route_tables(RouteTableIds=[through])["RouteTables"]
    ways = {
        route.get("DestinationIpv6CidrBlock"): route.get("EgressOnlyInternetGatewayId") for route in table["Routes"]
    }
    assert ways[ANYWHERE6] == eigw

    # destroy too early
    there = everything(ec2)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc)
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=native)
    association = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["AssociationId"]
    refused("InvalidCidrBlock.InUse", ec2.disassociate_vpc_cidr_block, AssociationId=association)
    assert everything(ec2) == there

    # destroy
    ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
    ec2.revoke_security_group_ingress(GroupId=web, SecurityGroupRuleIds=[https])
    ec2.delete_security_group(GroupId=web)
    for each in associations:
        ec2.disassociate_route_table(AssociationId=each)
    for each in (out, through):
        for destination in ({"DestinationCidrBlock": ANYWHERE}, {"DestinationIpv6CidrBlock": ANYWHERE6}):
            ec2.delete_route(RouteTableId=each, **destination)
        ec2.delete_route_table(RouteTableId=each)
    ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=eigw)
    refused(
        "InvalidEgressOnlyInternetGatewayId.NotFound",
        ec2.delete_egress_only_internet_gateway,
        EgressOnlyInternetGatewayId=eigw,
    )
    for each in (public, private, native):
        ec2.delete_subnet(SubnetId=each)
    ec2.detach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=igw)
    ec2.delete_vpc(VpcId=vpc)
    assert everything(ec2) == before


def test_terraform_gives_a_vpc_ipv6_later_and_takes_it_again(platform: Platform, ec2: Any, region: str) -> None:
    """aws_vpc with `assign_generated_ipv6_cidr_block` changed in place, and aws_subnet's `ipv6_cidr_block`."""
    before = everything(ec2)
    tf = Terraform6(ec2, platform)
    vpc = tf.vpc()
    subnet = tf.subnet(vpc, "10.20.0.0/24", f"{region}a")
    given = ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]
    tf.wait_for_block(given["AssociationId"])
    cidr = str(next(tf.block(vpc).subnets(new_prefix=64)))
    one = ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=cidr)["Ipv6CidrBlockAssociation"]
    ec2.modify_subnet_attribute(SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": True})
    assert tf.read_subnet(subnet)["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"] == cidr
    ec2.modify_subnet_attribute(SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": False})
    ec2.disassociate_subnet_cidr_block(AssociationId=one["AssociationId"])
    filters = by("ipv6-cidr-block-association.association-id", one["AssociationId"])
    assert ec2.describe_subnets(Filters=filters)["Subnets"] == [], "which is how it waits for its end"
    ec2.disassociate_vpc_cidr_block(AssociationId=given["AssociationId"])
    filters = by("ipv6-cidr-block-association.association-id", given["AssociationId"])
    assert ec2.describe_vpcs(Filters=filters)["Vpcs"] == []
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)
    assert everything(ec2) == before


def test_a_dual_stack_vpc_of_cdk(ec2: Any) -> None:
    """`ipProtocol: DUAL_STACK`: the VPC's block is a resource of its own (AWS::EC2::VPCCidrBlock), of which each
    subnet's is chosen by Fn::Cidr; private subnets leave by one egress-only gateway."""
    before = everything(ec2)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=named("vpc", "Vpc"))["Vpc"]["VpcId"]
    association = ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]
    parts = [str(part) for part in IPv6Network(association["Ipv6CidrBlock"]).subnets(new_prefix=64)]
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(VpcId=vpc, InternetGatewayId=igw)
    eigw = ec2.create_egress_only_internet_gateway(VpcId=vpc)["EgressOnlyInternetGateway"][
        "EgressOnlyInternetGatewayId"
    ]
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]][:2]
    subnets, tables = [], []
    for number, (zone, way) in enumerate(
        (zone, way) for way in ({"GatewayId": igw}, {"EgressOnlyInternetGatewayId": eigw}) for zone in zones
    ):
        subnet = ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", Ipv6CidrBlock=parts[number], AvailabilityZone=zone
        )["Subnet"]["SubnetId"]
        ec2.modify_subnet_attribute(SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": True})
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock=ANYWHERE6, **way)
        subnets.append(subnet)
        tables.append(table)
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet)
    for table in tables:
        ec2.delete_route_table(RouteTableId=table)
    ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=eigw)
    ec2.detach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=igw)
    ec2.disassociate_vpc_cidr_block(AssociationId=association["AssociationId"])
    ec2.delete_vpc(VpcId=vpc)
    assert everything(ec2) == before
