"""VPC peering connections → API shape."""

from __future__ import annotations

from hatoba.aws.shapes import ec2 as t
from hatoba.services.ec2.model.peering import Peering, Side
from hatoba.services.ec2.views import Tags, tags


def peering_connection(record: Peering, own: Tags) -> t.VpcPeeringConnection:
    shown: t.VpcPeeringConnection = {
        "VpcPeeringConnectionId": record.id,
        "RequesterVpcInfo": _side(record.requester),
        "AccepterVpcInfo": _side(record.accepter),
        "Status": {"Code": record.state, "Message": record.words},
        "Tags": tags(own),
    }
    if record.state == "pending-acceptance" and record.until is not None:
        shown["ExpirationTime"] = record.until
    return shown


def options() -> t.PeeringConnectionOptions:
    """Of either side: what may be allowed is not."""
    return {
        "AllowDnsResolutionFromRemoteVpc": False,
        "AllowEgressFromLocalClassicLinkToRemoteVpc": False,
        "AllowEgressFromLocalVpcToRemoteClassicLink": False,
    }


def _side(side: Side) -> t.VpcPeeringConnectionVpcInfo:
    shown: t.VpcPeeringConnectionVpcInfo = {
        "VpcId": side.vpc,
        "OwnerId": side.account,
        "Region": side.region,
        "PeeringOptions": {**options()},
    }
    if side.cidrs:
        shown["CidrBlock"] = side.cidrs[0]
        shown["CidrBlockSet"] = [{"CidrBlock": cidr} for cidr in side.of_family(4)]
    if six := side.of_family(6):
        shown["Ipv6CidrBlockSet"] = [{"Ipv6CidrBlock": cidr} for cidr in six]
    return shown
