"""What EC2 stores, one file a noun. Ids are EC2's own and unique everywhere: `vpc-0…`, `subnet-0…`, `eni-0…`."""

from typing import Any

from hatoba.services.ec2.model.acl import network_acls
from hatoba.services.ec2.model.address import cursors, elastics, released
from hatoba.services.ec2.model.dhcp import dhcp_options
from hatoba.services.ec2.model.endpoint import vpc_endpoints
from hatoba.services.ec2.model.group import groups
from hatoba.services.ec2.model.interface import enis
from hatoba.services.ec2.model.keypair import key_pairs
from hatoba.services.ec2.model.nat import nat_gateways
from hatoba.services.ec2.model.network import opened, subnets, vpcs
from hatoba.services.ec2.model.peering import peerings
from hatoba.services.ec2.model.prefixlist import earlier_versions, prefix_lists
from hatoba.services.ec2.model.routes import egress_gateways, internet_gateways, route_tables
from hatoba.store import Table

TABLES: tuple[Table[Any], ...] = (
    opened,
    vpcs,
    subnets,
    groups,
    enis,
    elastics,
    cursors,
    released,
    route_tables,
    internet_gateways,
    egress_gateways,
    network_acls,
    dhcp_options,
    prefix_lists,
    earlier_versions,
    nat_gateways,
    peerings,
    vpc_endpoints,
    key_pairs,
)
