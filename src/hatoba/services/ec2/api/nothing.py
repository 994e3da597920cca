"""What there is none of here, and what clients ask for all the same: CDK's lookups, Terraform's provider, consoles.

The answer is a true one: an empty list; and who names one by its id is told that it does not exist. Making one is
refused by name, as everything that is not implemented.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hatoba.gateway.call import Call
from hatoba.gateway.room import snake
from hatoba.services.ec2.api.room import bad_token, ec2
from hatoba.services.ec2.model.errors import invalid


class Kind(msgspec.Struct, frozen=True):
    """What an operation lists (the members of its answer), by which member one asks for some of them, and its error."""

    operation: str
    lists: tuple[str, ...]
    ids: str = ""
    code: str = ""
    noun: str = ""


def _kind(operation: str, lists: str, ids: str = "", code: str = "", noun: str = "") -> Kind:
    return Kind(operation, tuple(lists.split()), ids, code, noun)


KINDS = (
    # Machines: nodes join by themselves, and are ECS's container instances.
    _kind("DescribeInstances", "Reservations", "InstanceIds", "InvalidInstanceID.NotFound", "instance ID"),
    _kind("DescribeInstanceStatus", "InstanceStatuses", "InstanceIds", "InvalidInstanceID.NotFound", "instance ID"),
    _kind("DescribeInstanceTypes", "InstanceTypes", "InstanceTypes", "InvalidInstanceType", "instance type"),
    _kind("DescribeInstanceTypeOfferings", "InstanceTypeOfferings"),
    _kind("DescribeImages", "Images", "ImageIds", "InvalidAMIID.NotFound", "image id"),
    _kind("DescribeVolumes", "Volumes", "VolumeIds", "InvalidVolume.NotFound", "volume"),
    _kind("DescribeSnapshots", "Snapshots", "SnapshotIds", "InvalidSnapshot.NotFound", "snapshot"),
    _kind(
        "DescribeLaunchTemplates",
        "LaunchTemplates",
        "LaunchTemplateIds",
        "InvalidLaunchTemplateId.NotFound",
        "launch template ID",
    ),
    _kind("DescribePlacementGroups", "PlacementGroups", "GroupNames", "InvalidPlacementGroup.Unknown", "group"),
    _kind("DescribeHosts", "Hosts", "HostIds", "InvalidHostID.NotFound", "host ID"),
    _kind(
        "DescribeSpotInstanceRequests",
        "SpotInstanceRequests",
        "SpotInstanceRequestIds",
        "InvalidSpotInstanceRequestID.NotFound",
        "spot instance request ID",
    ),
    _kind("DescribeReservedInstances", "ReservedInstances", "ReservedInstancesIds", "InvalidReservationID.NotFound"),
    _kind("DescribeCapacityReservations", "CapacityReservations", "CapacityReservationIds"),
    _kind(
        "DescribeInstanceConnectEndpoints",
        "InstanceConnectEndpoints",
        "InstanceConnectEndpointIds",
        "InvalidInstanceConnectEndpointId.NotFound",
        "instance connect endpoint ID",
    ),
    # Networks of other kinds, and the ways to them.
    _kind("DescribeVpcClassicLink", "Vpcs"),
    _kind("DescribeVpcClassicLinkDnsSupport", "Vpcs"),
    _kind("DescribeClassicLinkInstances", "Instances", "InstanceIds", "InvalidInstanceID.NotFound", "instance ID"),
    _kind("DescribeVpnGateways", "VpnGateways", "VpnGatewayIds", "InvalidVpnGatewayID.NotFound", "vpnGateway ID"),
    _kind(
        "DescribeVpnConnections",
        "VpnConnections",
        "VpnConnectionIds",
        "InvalidVpnConnectionID.NotFound",
        "vpnConnection ID",
    ),
    _kind(
        "DescribeCustomerGateways",
        "CustomerGateways",
        "CustomerGatewayIds",
        "InvalidCustomerGatewayID.NotFound",
        "customerGateway ID",
    ),
    _kind(
        "DescribeTransitGateways",
        "TransitGateways",
        "TransitGatewayIds",
        "InvalidTransitGatewayID.NotFound",
        "transit gateway ID",
    ),
    _kind(
        "DescribeTransitGatewayAttachments",
        "TransitGatewayAttachments",
        "TransitGatewayAttachmentIds",
        "InvalidTransitGatewayAttachmentID.NotFound",
        "transit gateway attachment ID",
    ),
    _kind(
        "DescribeTransitGatewayVpcAttachments",
        "TransitGatewayVpcAttachments",
        "TransitGatewayAttachmentIds",
        "InvalidTransitGatewayAttachmentID.NotFound",
        "transit gateway attachment ID",
    ),
    _kind("DescribeTransitGatewayRouteTables", "TransitGatewayRouteTables", "TransitGatewayRouteTableIds"),
    _kind(
        "DescribeCarrierGateways",
        "CarrierGateways",
        "CarrierGatewayIds",
        "InvalidCarrierGatewayID.NotFound",
        "carrier gateway ID",
    ),
    _kind("DescribeLocalGateways", "LocalGateways", "LocalGatewayIds"),
    _kind("DescribeLocalGatewayRouteTables", "LocalGatewayRouteTables", "LocalGatewayRouteTableIds"),
    _kind("DescribeCoipPools", "CoipPools", "PoolIds", "InvalidPoolID.NotFound", "pool ID"),
    _kind("DescribeClientVpnEndpoints", "ClientVpnEndpoints", "ClientVpnEndpointIds"),
    _kind("DescribePublicIpv4Pools", "PublicIpv4Pools", "PoolIds", "InvalidPublicIpv4PoolID.NotFound", "pool ID"),
    _kind("DescribeIpv6Pools", "Ipv6Pools", "PoolIds", "InvalidPoolID.NotFound", "pool ID"),
    _kind("DescribeIpams", "Ipams", "IpamIds", "InvalidIpamId.NotFound", "ipam ID"),
    _kind("DescribeIpamPools", "IpamPools", "IpamPoolIds", "InvalidIpamPoolId.NotFound", "ipam pool ID"),
    _kind("DescribeMovingAddresses", "MovingAddressStatuses"),
    _kind("DescribeAddressTransfers", "AddressTransfers"),
    _kind("DescribeVpcEndpointConnections", "VpcEndpointConnections"),
    _kind("DescribeFlowLogs", "FlowLogs", "FlowLogIds", "InvalidFlowLogId.NotFound", "flow log ID"),
    _kind("DescribeTrafficMirrorSessions", "TrafficMirrorSessions", "TrafficMirrorSessionIds"),
    _kind("DescribeNetworkInsightsPaths", "NetworkInsightsPaths", "NetworkInsightsPathIds"),
    _kind("DescribeVerifiedAccessEndpoints", "VerifiedAccessEndpoints", "VerifiedAccessEndpointIds"),
    _kind("DescribeVpcBlockPublicAccessExclusions", "VpcBlockPublicAccessExclusions", "ExclusionIds"),
    _kind("DescribeSecurityGroupVpcAssociations", "SecurityGroupVpcAssociations"),
)


def _declare(kind: Kind) -> None:
    async def nothing(req: Mapping[str, Any], call: Call) -> dict[str, Any]:
        for id_ in req.get(kind.ids, ()):
            code, noun = kind.code or "InvalidParameterValue", kind.noun or "ID"
            raise invalid(f"The {noun} '{id_}' does not exist", code)
        if "NextToken" in req:
            raise bad_token()
        return {name: [] for name in kind.lists}

    nothing.__name__ = snake(kind.operation)
    ec2.operation(nothing)


for _each in KINDS:
    _declare(_each)
