"""EC2's operations, one file a noun."""

from hatoba.services.ec2.api import acl, address, cidr, gateway, group, interface, route, rule, subnet, tag, vpc, zone
from hatoba.services.ec2.api.room import ec2

__all__ = [
    "acl",
    "address",
    "cidr",
    "ec2",
    "gateway",
    "group",
    "interface",
    "route",
    "rule",
    "subnet",
    "tag",
    "vpc",
    "zone",
]
