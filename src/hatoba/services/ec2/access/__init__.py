"""What EC2's operations need to be allowed: the table.

Source: the service authorisation reference, "Amazon EC2". Operations that list need their action on everything: EC2 has
no resources there.
"""

from __future__ import annotations

from hatoba.gateway.needs import Access, Rule
from hatoba.services.ec2.access import resources as r
from hatoba.services.ec2.access.resources import made, of
from hatoba.services.ec2.access.rules import on, tags, when_tagged

VPC, SUBNET = of("vpc", "VpcId"), of("subnet", "SubnetId")
ACL, TABLE = of("network-acl", "NetworkAclId"), of("route-table", "RouteTableId")
GATEWAY = of("internet-gateway", "InternetGatewayId")
INTERFACE = of("network-interface", "NetworkInterfaceId")
LIST = of("prefix-list", "PrefixListId")
ENDPOINT = of("vpc-endpoint", "VpcEndpointId")
OF_ENDPOINT = (  # what it is made of, is given or taken
    of("route-table", "RouteTableIds", "AddRouteTableIds", "RemoveRouteTableIds"),
    of("security-group", "SecurityGroupIds", "AddSecurityGroupIds", "RemoveSecurityGroupIds"),
    of("subnet", "SubnetIds", "AddSubnetIds", "RemoveSubnetIds"),
)
PEERING = of("vpc-peering-connection", "VpcPeeringConnectionId")
RULES = of("security-group-rule", "SecurityGroupRules.SecurityGroupRuleId")
NEW_RULES = when_tagged(made("security-group-rule"))

VPCS: dict[str, Rule] = {
    "AssociateDhcpOptions": on(of("dhcp-options", "DhcpOptionsId"), VPC),
    "AssociateSubnetCidrBlock": on(SUBNET),
    "AssociateVpcCidrBlock": on(VPC),
    "CreateDefaultSubnet": on(),
    "CreateDefaultVpc": on(),
    "CreateDhcpOptions": on(made("dhcp-options")),
    "CreateSubnet": on(made("subnet"), VPC),
    "CreateVpc": on(made("vpc")),
    "DeleteDhcpOptions": on(of("dhcp-options", "DhcpOptionsId")),
    "DeleteSubnet": on(SUBNET),
    "DeleteVpc": on(VPC),
    "DescribeVpcAttribute": on(VPC),
    "DisassociateSubnetCidrBlock": on(r.subnet_of_block),
    "DisassociateVpcCidrBlock": on(r.vpc_of_block),
    "ModifySubnetAttribute": on(SUBNET, changing=("SubnetId",)),
    "ModifyVpcAttribute": on(VPC, changing=("VpcId",)),
    "ModifyVpcBlockPublicAccessOptions": on(),
    "ModifyVpcTenancy": on(VPC, changing=("VpcId",)),
}

ROUTES: dict[str, Rule] = {
    "AcceptVpcPeeringConnection": on(PEERING, r.accepter_of_peering),
    "AssociateRouteTable": on(TABLE, SUBNET, of("internet-gateway", "GatewayId")),
    "AttachInternetGateway": on(GATEWAY, VPC),
    "CreateEgressOnlyInternetGateway": on(made("egress-only-internet-gateway"), VPC),
    "CreateInternetGateway": on(made("internet-gateway")),
    "CreateNetworkAcl": on(made("network-acl"), VPC),
    "CreateNetworkAclEntry": on(ACL),
    "CreateNatGateway": on(made("natgateway"), SUBNET, of("elastic-ip", "AllocationId")),
    "CreateRoute": on(TABLE),
    "CreateRouteTable": on(made("route-table"), VPC),
    "CreateVpcEndpoint": on(r.new_endpoint, VPC, *OF_ENDPOINT),
    "CreateVpcPeeringConnection": on(r.new_peering, VPC),
    "DeleteEgressOnlyInternetGateway": on(of("egress-only-internet-gateway", "EgressOnlyInternetGatewayId")),
    "DeleteInternetGateway": on(GATEWAY),
    "DeleteNatGateway": on(of("natgateway", "NatGatewayId")),
    "DeleteNetworkAcl": on(ACL),
    "DeleteNetworkAclEntry": on(ACL),
    "DeleteRoute": on(TABLE),
    "DeleteRouteTable": on(TABLE),
    "DeleteVpcEndpoints": on(of("vpc-endpoint", "VpcEndpointIds")),
    "DeleteVpcPeeringConnection": on(PEERING),
    "DetachInternetGateway": on(GATEWAY, VPC),
    "DisassociateRouteTable": on(r.table_of_association, r.subnet_of_association),
    "ModifyVpcEndpoint": on(ENDPOINT, *OF_ENDPOINT),
    "ModifyVpcPeeringConnectionOptions": on(PEERING),
    "RejectVpcPeeringConnection": on(PEERING),
    "ReplaceNetworkAclAssociation": on(ACL, r.subnet_of_acl_association),
    "ReplaceNetworkAclEntry": on(ACL),
    "ReplaceRoute": on(TABLE),
    "ReplaceRouteTableAssociation": on(TABLE, r.subnet_of_association),
}

GROUPS: dict[str, Rule] = {
    "AuthorizeSecurityGroupEgress": on(r.group, NEW_RULES),
    "AuthorizeSecurityGroupIngress": on(r.group, NEW_RULES),
    "CreateManagedPrefixList": on(made("prefix-list")),
    "CreateSecurityGroup": on(made("security-group"), r.vpc_of_new_group),
    "DeleteManagedPrefixList": on(LIST),
    "DeleteSecurityGroup": on(r.group),
    "DescribeSecurityGroupReferences": on(of("security-group", "GroupId")),
    "GetManagedPrefixListAssociations": on(LIST),
    "GetManagedPrefixListEntries": on(LIST),
    "GetSecurityGroupsForVpc": on(VPC),
    "ModifyManagedPrefixList": on(LIST, changing=("PrefixListId", "CurrentVersion")),
    "ModifySecurityGroupRules": on(
        r.group, RULES, of("prefix-list", "SecurityGroupRules.SecurityGroupRule.PrefixListId")
    ),
    "RestoreManagedPrefixListVersion": on(LIST),
    "RevokeSecurityGroupEgress": on(r.group),
    "RevokeSecurityGroupIngress": on(r.group),
    "UpdateSecurityGroupRuleDescriptionsEgress": on(r.group),
    "UpdateSecurityGroupRuleDescriptionsIngress": on(r.group),
}

INTERFACES: dict[str, Rule] = {
    "AllocateAddress": on(made("elastic-ip")),
    "AssignIpv6Addresses": on(INTERFACE),
    "AssignPrivateIpAddresses": on(INTERFACE),
    "AssociateAddress": on(r.elastic, r.holder),
    "AttachNetworkInterface": on(INTERFACE, of("instance", "InstanceId")),
    "CreateNetworkInterface": on(made("network-interface"), SUBNET, of("security-group", "Groups")),
    "DeleteNetworkInterface": on(INTERFACE),
    "DetachNetworkInterface": on(r.attached),
    "DisassociateAddress": on(r.elastic, r.holder),
    "ModifyNetworkInterfaceAttribute": on(INTERFACE, of("security-group", "Groups"), changing=("NetworkInterfaceId",)),
    "ResetNetworkInterfaceAttribute": on(INTERFACE),
    "ReleaseAddress": on(r.elastic),
    "UnassignIpv6Addresses": on(INTERFACE),
    "UnassignPrivateIpAddresses": on(INTERFACE),
}

LISTS = (
    "DescribeAccountAttributes",
    "DescribeAddressTransfers",
    "DescribeAddresses",
    "DescribeAddressesAttribute",
    "DescribeAvailabilityZones",
    "DescribeCapacityReservations",
    "DescribeCarrierGateways",
    "DescribeClassicLinkInstances",
    "DescribeClientVpnEndpoints",
    "DescribeCoipPools",
    "DescribeCustomerGateways",
    "DescribeDhcpOptions",
    "DescribeEgressOnlyInternetGateways",
    "DescribeFlowLogs",
    "DescribeHosts",
    "DescribeImages",
    "DescribeInstanceConnectEndpoints",
    "DescribeInstanceStatus",
    "DescribeInstanceTypeOfferings",
    "DescribeInstanceTypes",
    "DescribeInstances",
    "DescribeInternetGateways",
    "DescribeIpamPools",
    "DescribeIpams",
    "DescribeIpv6Pools",
    "DescribeKeyPairs",
    "DescribeLaunchTemplates",
    "DescribeLocalGatewayRouteTables",
    "DescribeLocalGateways",
    "DescribeManagedPrefixLists",
    "DescribeMovingAddresses",
    "DescribeNatGateways",
    "DescribeNetworkAcls",
    "DescribeNetworkInsightsPaths",
    "DescribeNetworkInterfaceAttribute",
    "DescribeNetworkInterfaces",
    "DescribePlacementGroups",
    "DescribePrefixLists",
    "DescribePublicIpv4Pools",
    "DescribeRegions",
    "DescribeReservedInstances",
    "DescribeRouteTables",
    "DescribeSecurityGroupRules",
    "DescribeSecurityGroupVpcAssociations",
    "DescribeSecurityGroups",
    "DescribeSnapshots",
    "DescribeSpotInstanceRequests",
    "DescribeStaleSecurityGroups",
    "DescribeSubnets",
    "DescribeTags",
    "DescribeTrafficMirrorSessions",
    "DescribeTransitGatewayAttachments",
    "DescribeTransitGatewayRouteTables",
    "DescribeTransitGatewayVpcAttachments",
    "DescribeTransitGateways",
    "DescribeVerifiedAccessEndpoints",
    "DescribeVolumes",
    "DescribeVpcBlockPublicAccessExclusions",
    "DescribeVpcBlockPublicAccessOptions",
    "DescribeVpcClassicLink",
    "DescribeVpcClassicLinkDnsSupport",
    "DescribeVpcEndpointConnections",
    "DescribeVpcEndpointServices",
    "DescribeVpcEndpoints",
    "DescribeVpcPeeringConnections",
    "DescribeVpcs",
    "DescribeVpnConnections",
    "DescribeVpnGateways",
    "GetSubnetCidrReservations",
)

ACCESS = Access(
    "ec2",
    {
        **VPCS,
        **ROUTES,
        **GROUPS,
        **INTERFACES,
        **dict.fromkeys(LISTS, on()),
        "CreateKeyPair": on(r.new_key_pair),
        "CreateTags": tags,
        "DeleteKeyPair": on(r.key_pair),
        "DeleteTags": tags,
        "ImportKeyPair": on(r.new_key_pair),
    },
)
