"""What there is none of here, and what clients ask for all the same: CDK's lookups, Terraform's provider, consoles.

The answer is a true one: an empty list; and who names one by its id is told that it does not exist. Making one is
refused by name, as everything that is not implemented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.gateway.room import snake
from hatoba.services.ec2.absent import FILTERS
from hatoba.services.ec2.api.room import bad_token, ec2
from hatoba.services.ec2.filters import check
from hatoba.services.ec2.model.address import the_elastic
from hatoba.services.ec2.model.network import the_vpc


class Named(msgspec.Struct, frozen=True):
    """How one asks for some of them: by which member, and what is said of each, since there is none. `{}` is its id,
    `there` what has to be there all the same."""

    member: str
    code: str
    words: str
    there: Callable[[Call, str], object] | None = None


class Kind(msgspec.Struct, frozen=True):
    """What an operation lists (the members of its answer), and by what one may ask for it."""

    operation: str
    lists: tuple[str, ...]
    named: tuple[Named, ...] = ()


def _named(member: str, code: str, noun: str) -> Named:
    """Most are told of so; whose words are others has them in full."""
    return Named(member, code, noun if "{" in noun else f"The {noun} '{{}}' does not exist")


def _kind(operation: str, lists: str, *named: Named) -> Kind:
    return Kind(operation, tuple(lists.split()), named)


def _of_vpcs(call: Call, id_: str) -> object:
    return the_vpc(call.store, call.scope, id_)


def _of_addresses(call: Call, id_: str) -> object:
    return the_elastic(call.store, call.scope, id_)


_INSTANCES = _named("InstanceIds", "InvalidInstanceID.NotFound", "instance ID")
_ATTACHMENTS = _named(
    "TransitGatewayAttachmentIds", "InvalidTransitGatewayAttachmentID.NotFound", "transitGatewayAttachment ID"
)
_VPCS = Named("VpcIds", "", "", _of_vpcs)
_GROUP = "The Placement Group '{}' is unknown."

KINDS = (
    # Machines: nodes join by themselves, and are ECS's container instances.
    _kind("DescribeInstances", "Reservations", _INSTANCES),
    _kind("DescribeInstanceStatus", "InstanceStatuses", _INSTANCES),
    _kind(
        "DescribeInstanceTypes",
        "InstanceTypes",
        _named("InstanceTypes", "InvalidInstanceType", "The following supplied instance types do not exist: [{}]"),
    ),
    _kind("DescribeInstanceTypeOfferings", "InstanceTypeOfferings"),
    _kind(
        "DescribeImages", "Images", _named("ImageIds", "InvalidAMIID.NotFound", "The image id '[{}]' does not exist")
    ),
    _kind("DescribeVolumes", "Volumes", _named("VolumeIds", "InvalidVolume.NotFound", "volume")),
    _kind("DescribeSnapshots", "Snapshots", _named("SnapshotIds", "InvalidSnapshot.NotFound", "snapshot")),
    _kind(
        "DescribeLaunchTemplates",
        "LaunchTemplates",
        _named(
            "LaunchTemplateIds",
            "InvalidLaunchTemplateId.NotFound",
            "The specified launch template, with template ID {}, does not exist.",
        ),
        _named(
            "LaunchTemplateNames",
            "InvalidLaunchTemplateName.NotFoundException",
            "The specified launch template, with template name {}, does not exist.",
        ),
    ),
    _kind(
        "DescribePlacementGroups",
        "PlacementGroups",
        _named("GroupNames", "InvalidPlacementGroup.Unknown", _GROUP),
        _named("GroupIds", "InvalidPlacementGroup.Unknown", _GROUP),
    ),
    _kind("DescribeHosts", "Hosts", _named("HostIds", "InvalidHostID.NotFound", "host ID")),
    _kind(
        "DescribeSpotInstanceRequests",
        "SpotInstanceRequests",
        _named("SpotInstanceRequestIds", "InvalidSpotInstanceRequestID.NotFound", "spot instance request ID"),
    ),
    _kind(
        "DescribeReservedInstances",
        "ReservedInstances",
        _named("ReservedInstancesIds", "InvalidReservedInstancesId", "reserved instances ID"),
    ),
    _kind(
        "DescribeCapacityReservations",
        "CapacityReservations",
        _named("CapacityReservationIds", "InvalidCapacityReservationId.NotFound", "capacity reservation ID"),
    ),
    _kind(
        "DescribeInstanceConnectEndpoints",
        "InstanceConnectEndpoints",
        _named(
            "InstanceConnectEndpointIds", "InvalidInstanceConnectEndpointId.NotFound", "instance connect endpoint ID"
        ),
    ),
    # Networks of other kinds, and the ways to them.
    _kind("DescribeVpcClassicLink", "Vpcs", _VPCS),
    _kind("DescribeVpcClassicLinkDnsSupport", "Vpcs", _VPCS),
    _kind("DescribeClassicLinkInstances", "Instances", _INSTANCES),
    _kind(
        "DescribeVpnGateways", "VpnGateways", _named("VpnGatewayIds", "InvalidVpnGatewayID.NotFound", "vpnGateway ID")
    ),
    _kind(
        "DescribeVpnConnections",
        "VpnConnections",
        _named("VpnConnectionIds", "InvalidVpnConnectionID.NotFound", "vpnConnection ID"),
    ),
    _kind(
        "DescribeCustomerGateways",
        "CustomerGateways",
        _named("CustomerGatewayIds", "InvalidCustomerGatewayID.NotFound", "customerGateway ID"),
    ),
    _kind(
        "DescribeTransitGateways",
        "TransitGateways",
        _named("TransitGatewayIds", "InvalidTransitGatewayID.NotFound", "transitGateway ID"),
    ),
    _kind("DescribeTransitGatewayAttachments", "TransitGatewayAttachments", _ATTACHMENTS),
    _kind("DescribeTransitGatewayVpcAttachments", "TransitGatewayVpcAttachments", _ATTACHMENTS),
    _kind(
        "DescribeTransitGatewayRouteTables",
        "TransitGatewayRouteTables",
        _named("TransitGatewayRouteTableIds", "InvalidRouteTableID.NotFound", "routeTable ID"),
    ),
    _kind(
        "DescribeCarrierGateways",
        "CarrierGateways",
        _named("CarrierGatewayIds", "InvalidCarrierGatewayID.NotFound", "carrier gateway ID"),
    ),
    _kind(
        "DescribeLocalGateways",
        "LocalGateways",
        _named("LocalGatewayIds", "InvalidLocalGatewayID.NotFound", "local gateway ID"),
    ),
    _kind(
        "DescribeLocalGatewayRouteTables",
        "LocalGatewayRouteTables",
        _named("LocalGatewayRouteTableIds", "InvalidLocalGatewayRouteTableID.NotFound", "local gateway route table ID"),
    ),
    _kind("DescribeCoipPools", "CoipPools", _named("PoolIds", "InvalidPoolID.NotFound", "pool ID")),
    _kind(
        "DescribeClientVpnEndpoints",
        "ClientVpnEndpoints",
        _named("ClientVpnEndpointIds", "InvalidClientVpnEndpointId.NotFound", "Endpoint {} does not exist"),
    ),
    _kind(
        "DescribePublicIpv4Pools", "PublicIpv4Pools", _named("PoolIds", "InvalidPublicIpv4PoolID.NotFound", "pool ID")
    ),
    _kind("DescribeIpv6Pools", "Ipv6Pools", _named("PoolIds", "InvalidPoolID.NotFound", "pool ID")),
    _kind("DescribeIpams", "Ipams", _named("IpamIds", "InvalidIpamId.NotFound", "ipam ID")),
    _kind("DescribeIpamPools", "IpamPools", _named("IpamPoolIds", "InvalidIpamPoolId.NotFound", "ipam pool ID")),
    _kind(
        "DescribeMovingAddresses",
        "MovingAddressStatuses",
        _named("PublicIps", "InvalidAddress.NotFound", "Address '{}' not found."),
    ),
    _kind("DescribeAddressTransfers", "AddressTransfers", Named("AllocationIds", "", "", _of_addresses)),
    _kind("DescribeVpcEndpointConnections", "VpcEndpointConnections"),
    _kind("DescribeFlowLogs", "FlowLogs", _named("FlowLogIds", "InvalidFlowLogId.NotFound", "flow log ID")),
    _kind(
        "DescribeTrafficMirrorSessions",
        "TrafficMirrorSessions",
        _named("TrafficMirrorSessionIds", "InvalidTrafficMirrorSessionId.NotFound", "traffic mirror session ID"),
    ),
    _kind(
        "DescribeNetworkInsightsPaths",
        "NetworkInsightsPaths",
        _named("NetworkInsightsPathIds", "InvalidNetworkInsightsPathId.NotFound", "network insights path ID"),
    ),
    _kind(
        "DescribeVerifiedAccessEndpoints",
        "VerifiedAccessEndpoints",
        _named("VerifiedAccessEndpointIds", "InvalidVerifiedAccessEndpointId.NotFound", "verified access endpoint ID"),
        _named("VerifiedAccessInstanceId", "InvalidVerifiedAccessInstanceId.NotFound", "verified access instance ID"),
        _named("VerifiedAccessGroupId", "InvalidVerifiedAccessGroupId.NotFound", "verified access group ID"),
    ),
    _kind(
        "DescribeVpcBlockPublicAccessExclusions",
        "VpcBlockPublicAccessExclusions",
        _named("ExclusionIds", "InvalidVpcBlockPublicAccessExclusionId.NotFound", "exclusion ID"),
    ),
    _kind("DescribeSecurityGroupVpcAssociations", "SecurityGroupVpcAssociations"),
)


def _declare(kind: Kind) -> None:
    known = FILTERS.get(kind.operation)

    async def nothing(req: Mapping[str, Any], call: Call) -> dict[str, Any]:
        for named in kind.named:
            if named.member in req:
                _look_for(call, named, req[named.member])
        if known is not None:
            check(req.get("Filters", req.get("Filter", ())), known)
        if "NextToken" in req:
            raise bad_token()
        return {name: [] for name in kind.lists}

    nothing.__name__ = snake(kind.operation)
    ec2.operation(nothing)


def _look_for(call: Call, named: Named, given: str | Iterable[str]) -> None:
    for id_ in (given,) if isinstance(given, str) else given:
        if named.there is None:
            raise AwsError(named.words.format(id_), code=named.code)
        named.there(call, id_)


for _each in KINDS:
    _declare(_each)
