"""The default VPC: 172.31.0.0/16 with a public subnet per zone, in every account and region from its first use.

Source: the VPC user guide, "Default VPCs", and ours: zones are `<region>a`, `b` and `c`.
"""

from __future__ import annotations

from hatoba.core.ids import Ids, resource_id
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.ec2.model.group import GroupRule, SecurityGroup, allow_all, groups, put_group
from hatoba.services.ec2.model.network import Opened, Subnet, Vpc, opened, put_vpc, subnets, vpcs
from hatoba.services.ec2.model.routes import (
    Association,
    InternetGateway,
    Route,
    RouteTable,
    internet_gateways,
    local_route,
    route_tables,
)
from hatoba.services.ec2.model.ways import refresh_ways
from hatoba.store import Tx
from hatoba.store.store import View

ZONES = "abc"
CIDR = "172.31.0.0/16"


def zones(region: str) -> tuple[str, ...]:
    return tuple(region + letter for letter in ZONES)


def default_vpc(view: View, scope: Scope) -> Vpc | None:
    return next((vpc for vpc in view.scan(vpcs, scope) if vpc.is_default), None)


def ensure_default(call: Call) -> None:
    """Makes the default VPC when this account and region have never had one. One that was deleted stays away."""
    key = opened.key(call.scope, "default-vpc")
    if call.store.get(opened, key) is not None:
        return
    with call.tx() as tx:
        tx.put(opened, Opened(key=key))
        create_default_vpc(tx, call.ids, call.scope)


def create_default_vpc(tx: Tx, ids: Ids, scope: Scope) -> Vpc:
    """With a public subnet in each zone, and an internet gateway that its main route table leads to."""
    vpc = create_vpc(tx, ids, scope, CIDR, is_default=True)
    gateway = InternetGateway(key=internet_gateways.key(scope, resource_id(ids, "igw")), vpc=vpc.id)
    tx.put(internet_gateways, gateway)
    table = tx.index(route_tables, "main", vpc.id)[0]
    outside = Route(destination="0.0.0.0/0", gateway=gateway.id)
    tx.put(route_tables, replace(table, routes=(*table.routes, outside)))
    for number, zone in enumerate(zones(scope.region)):
        put_default_subnet(tx, ids, vpc, zone, f"172.31.{16 * number}.0/20")
    refresh_ways(tx, scope, vpc.id)
    return vpc


def put_default_subnet(tx: Tx, ids: Ids, vpc: Vpc, zone: str, cidr: str) -> Subnet:
    key = subnets.key(vpc.scope, resource_id(ids, "subnet"))
    return tx.put(subnets, Subnet(key=key, vpc=vpc.id, cidr=cidr, zone=zone, default_for_zone=True, map_public=True))


def create_vpc(tx: Tx, ids: Ids, scope: Scope, cidr: str, *, is_default: bool = False, tenancy: str = "default") -> Vpc:
    """A VPC with its main route table and default security group."""
    vpc = put_vpc(
        tx,
        Vpc(
            key=vpcs.key(scope, resource_id(ids, "vpc")),
            cidr=cidr,
            is_default=is_default,
            tenancy=tenancy,
            dns_hostnames=is_default,
        ),
    )
    table = RouteTable(
        key=route_tables.key(scope, resource_id(ids, "rtb")),
        vpc=vpc.id,
        routes=(local_route(cidr),),
        associations=(Association(id=resource_id(ids, "rtbassoc")),),
    )
    tx.put(route_tables, table)
    group = resource_id(ids, "sg")
    put_group(
        tx,
        SecurityGroup(
            key=groups.key(scope, group),
            vpc=vpc.id,
            name="default",
            description="default VPC security group",
            rules=(GroupRule(id=resource_id(ids, "sgr"), group=group), allow_all(ids)),
        ),
    )
    return vpc
