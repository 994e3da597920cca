"""EC2 declares no errors in its model; these are the codes and words of its API reference, "Error codes"."""

from __future__ import annotations

import re

from hatoba.core.errors import AwsError

_KINDS = {
    "vpc": ("InvalidVpcID.NotFound", "vpc ID"),
    "vpc-cidr-assoc": ("InvalidVpcCidrBlockAssociationID.NotFound", "vpc CIDR block association ID"),
    "subnet": ("InvalidSubnetID.NotFound", "subnet ID"),
    "subnet-cidr-assoc": ("InvalidSubnetCidrBlockAssociationID.NotFound", "subnet CIDR block association ID"),
    "sg": ("InvalidGroup.NotFound", "security group"),
    "eni": ("InvalidNetworkInterfaceID.NotFound", "networkInterface ID"),
    "rtb": ("InvalidRouteTableID.NotFound", "routeTable ID"),
    "igw": ("InvalidInternetGatewayID.NotFound", "internetGateway ID"),
    "eigw": ("InvalidEgressOnlyInternetGatewayId.NotFound", "egress only internet gateway ID"),
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
    "vpce": ("InvalidVpcEndpointId.NotFound", "Vpc Endpoint Id"),
    "vgw": ("InvalidVpnGatewayID.NotFound", "vpnGateway ID"),
}


# Of ids that are not of their kind's form; other kinds are looked for, and not found.
_MALFORMED = {
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
    "sgr": "InvalidSecurityGroupRuleId.Malformed",
    "subnet": "InvalidSubnetID.Malformed",
    "vpc": "InvalidVpcID.Malformed",
    "vpce": "InvalidVpcEndpointId.Malformed",
}
_ALSO = {"eni-attach": "ela-attach"}  # attachments of the platform's own
_FORM = re.compile(r"(?P<kind>[a-z]+(-[a-z]+)*)-[0-9a-f]+")


def not_found(id_: str, kind: str) -> AwsError:
    """What is said of an id that nothing has: also that nothing can have it."""
    code, noun = _KINDS[kind]
    form = _FORM.fullmatch(id_)
    if kind in _MALFORMED and (form is None or form["kind"] not in (kind, _ALSO.get(kind))):
        return AwsError(f'Invalid id: "{id_}" (expecting "{kind}-...")', code=_MALFORMED[kind])
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
