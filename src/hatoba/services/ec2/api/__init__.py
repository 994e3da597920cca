"""EC2's operations, one file a noun."""

from hatoba.services.ec2.api import (
    acl,
    address,
    cidr,
    dhcp,
    gateway,
    group,
    interface,
    nat,
    nothing,
    peering,
    prefixlist,
    route,
    rule,
    subnet,
    tag,
    vpc,
    zone,
)
from hatoba.services.ec2.api.room import ec2

__all__ = [
    "acl",
    "address",
    "cidr",
    "dhcp",
    "ec2",
    "gateway",
    "group",
    "interface",
    "nat",
    "nothing",
    "peering",
    "prefixlist",
    "route",
    "rule",
    "subnet",
    "tag",
    "vpc",
    "zone",
]
