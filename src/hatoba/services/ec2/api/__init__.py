"""EC2's operations, one file a noun."""

from hatoba.services.ec2.api import gateway, group, interface, route, subnet, tag, vpc, zone
from hatoba.services.ec2.api.room import ec2

__all__ = ["ec2", "gateway", "group", "interface", "route", "subnet", "tag", "vpc", "zone"]
