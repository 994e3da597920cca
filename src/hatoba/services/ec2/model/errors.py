"""EC2 declares no errors in its model; these are the codes and words of its API reference."""

from __future__ import annotations

from hatoba.core.errors import AwsError

_KINDS = {
    "vpc": ("InvalidVpcID.NotFound", "vpc ID"),
    "vpc-cidr-assoc": ("InvalidVpcCidrBlockAssociationID.NotFound", "vpc CIDR block association ID"),
    "subnet": ("InvalidSubnetID.NotFound", "subnet ID"),
    "sg": ("InvalidGroup.NotFound", "security group"),
    "eni": ("InvalidNetworkInterfaceID.NotFound", "networkInterface ID"),
    "rtb": ("InvalidRouteTableID.NotFound", "routeTable ID"),
    "igw": ("InvalidInternetGatewayID.NotFound", "internetGateway ID"),
    "sgr": ("InvalidSecurityGroupRuleId.NotFound", "security group rule ID"),
    "rtbassoc": ("InvalidAssociationID.NotFound", "association ID"),
    "eipalloc": ("InvalidAllocationID.NotFound", "allocation ID"),
    "eipassoc": ("InvalidAssociationID.NotFound", "association ID"),
    "acl": ("InvalidNetworkAclID.NotFound", "networkAcl ID"),
    "aclassoc": ("InvalidAssociationID.NotFound", "association ID"),
    "pl": ("InvalidPrefixListID.NotFound", "prefix list ID"),
    "key": ("InvalidKeyPair.NotFound", "key pair ID"),
    "eni-attach": ("InvalidAttachmentID.NotFound", "attachment ID"),
    "eni-perm": ("InvalidPermissionID.NotFound", "network interface permission ID"),
    "dopt": ("InvalidDhcpOptionID.NotFound", "dhcpOptions ID"),
    "nat": ("NatGatewayNotFound", "NatGateway"),
    "pcx": ("InvalidVpcPeeringConnectionID.NotFound", "vpcPeeringConnection ID"),
    "vgw": ("InvalidVpnGatewayID.NotFound", "vpnGateway ID"),
}


def not_found(id_: str, kind: str) -> AwsError:
    code, noun = _KINDS[kind]
    if kind == "nat":
        return AwsError(f"{noun} {id_} was not found", code=code)
    return AwsError(f"The {noun} '{id_}' does not exist", code=code)


def invalid(message: str, code: str = "InvalidParameterValue") -> AwsError:
    return AwsError(message, code=code)


def missing(name: str) -> AwsError:
    return AwsError(f"The request must contain the parameter {name}", code="MissingParameter")


def dependency(what: str) -> AwsError:
    return AwsError(f"{what} has dependencies and cannot be deleted.", code="DependencyViolation")


def in_the_way(message: str) -> AwsError:
    return AwsError(message, code="DependencyViolation")
