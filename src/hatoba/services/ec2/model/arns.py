"""Ids and ARNs of EC2's resources: the prefix of an id tells the type of its resource."""

from __future__ import annotations

from hatoba.aws.shapes import ec2 as t
from hatoba.core.keys import Scope
from hatoba.services.ec2.model.errors import invalid

TYPES: dict[str, t.ResourceType] = {
    "vpc": "vpc",
    "subnet": "subnet",
    "sgr": "security-group-rule",
    "sg": "security-group",
    "eni": "network-interface",
    "rtb": "route-table",
    "igw": "internet-gateway",
    "eigw": "egress-only-internet-gateway",
    "eipalloc": "elastic-ip",
    "acl": "network-acl",
    "dopt": "dhcp-options",
    "pl": "prefix-list",
    "key": "key-pair",
    "nat": "natgateway",
    "pcx": "vpc-peering-connection",
    "vpce": "vpc-endpoint",
}


def resource_type(id_: str) -> t.ResourceType:
    """Raises InvalidID for what is no id of this room's."""
    found = TYPES.get(id_.rpartition("-")[0])
    if found is None:
        raise invalid(f"The ID '{id_}' is not valid", "InvalidID")
    return found


def arn(scope: Scope, id_: str) -> str:
    return arn_of(scope, resource_type(id_), id_)


def arn_of(scope: Scope, kind: str, name: str) -> str:
    return f"arn:{scope.partition}:ec2:{scope.region}:{scope.account}:{kind}/{name}"
