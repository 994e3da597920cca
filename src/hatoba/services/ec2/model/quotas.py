"""How many of what there may be, asked in the transaction that would add one.

What protects a node (a VPC is a namespace and a proxy there, a route a line in the kernel's table) has AWS's numbers.
Those that AWS would raise for whoever asks, and that nobody could raise here, are higher from the start. What a group,
an interface, a network ACL or a prefix list holds is counted beside each. Source: the VPC user guide, "Amazon VPC
quotas"; codes: the EC2 API reference, "Error codes".
"""

from __future__ import annotations

from typing import Final

from hatoba.services.ec2.model.errors import invalid

# Of a region (and its account).
VPCS: Final = 100  # on AWS 5, up to hundreds for whoever asks
ELASTICS: Final = 100  # on AWS 5; all accounts have them from one pool
NAT_GATEWAYS: Final = 100  # of a zone, on AWS 5
SECURITY_GROUPS: Final = 2500
# Of a VPC.
SUBNETS: Final = 200
ROUTE_TABLES: Final = 200
PEERINGS: Final = 50
# Of a route table, the local ones apart.
ROUTES: Final = 500


def check(there: int, most: int, what: str, code: str) -> None:
    """Whether one more fits beside those that are there. `code` is of the error that is raised."""
    if there >= most:
        raise invalid(f"The maximum number of {what} has been reached.", code)
