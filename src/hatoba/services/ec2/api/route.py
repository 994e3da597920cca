"""Route tables: the main one of each VPC, further ones, their routes and associations.

A subnet without an association follows the VPC's main table. What a route means for traffic (a way to the outside,
through a NAT gateway, into a peered VPC, or none) is written through to the fleet in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterator

from hatoba.aws.shapes import ec2 as t
from hatoba.core.errors import AwsError
from hatoba.core.ids import resource_id
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.gateway.tags import forget_tags
from hatoba.services.ec2.api.room import described, dry_run, ec2, made_once, own_tags, refuse_unknown
from hatoba.services.ec2.api.way import asked_destination, asked_route
from hatoba.services.ec2.defaults import ensure_default
from hatoba.services.ec2.filters import flag
from hatoba.services.ec2.model import quotas
from hatoba.services.ec2.model.arns import arn
from hatoba.services.ec2.model.errors import dependency, invalid, missing, not_found
from hatoba.services.ec2.model.network import the_subnet, the_vpc
from hatoba.services.ec2.model.routes import (
    ENDPOINT,
    LOCAL,
    Association,
    RouteTable,
    is_blackhole,
    local_route,
    route_tables,
    the_table,
)
from hatoba.services.ec2.model.ways import refresh_ways
from hatoba.services.ec2.views import route as views
from hatoba.store import Tx

# What the filters call the targets that no route has here yet.
_OTHER_TARGETS = ("route.instance-id", "route.transit-gateway-id")


def _put(tx: Tx, call: Call, table: RouteTable) -> RouteTable:
    """Writes a table and renews where it leads."""
    table = tx.put(route_tables, table)
    refresh_ways(tx, call.scope, table.vpc)
    return table


@ec2.operation
async def create_route_table(req: t.CreateRouteTableRequest, call: Call) -> t.CreateRouteTableResult:
    dry_run(req)
    ensure_default(call)
    table = made_once(call, req, the_table, lambda tx: _create(tx, call, req))
    answer: t.CreateRouteTableResult = {"RouteTable": _view(call, table)}
    if "ClientToken" in req:
        answer["ClientToken"] = req["ClientToken"]
    return answer


def _create(tx: Tx, call: Call, req: t.CreateRouteTableRequest) -> RouteTable:
    vpc = the_vpc(tx, call.scope, req["VpcId"])
    there = tx.count(route_tables, "vpc", vpc.id)
    quotas.check(there, quotas.ROUTE_TABLES, "route tables", "RouteTableLimitExceeded")
    key = route_tables.key(call.scope, resource_id(call.ids, "rtb"))
    routes = tuple(local_route(cidr) for cidr in vpc.all_cidrs)
    return tx.put(route_tables, RouteTable(key=key, vpc=vpc.id, routes=routes))


def _view(call: Call, table: RouteTable) -> t.RouteTable:
    blackholes = {route.destination for route in table.routes if is_blackhole(call.store, table, route)}
    return views.route_table(table, blackholes, own_tags(call, table.id))


@ec2.operation
async def describe_route_tables(req: t.DescribeRouteTablesRequest, call: Call) -> t.DescribeRouteTablesResult:
    ensure_default(call)
    page, token = described(
        call,
        route_tables,
        req,
        {
            "route-table-id": lambda table: (table.id,),
            "vpc-id": lambda table: (table.vpc,),
            "association.gateway-id": lambda table: (),
            "association.main": lambda table: flag(table.main),
            "association.subnet-id": lambda table: (a.subnet for a in table.associations),
            "association.route-table-id": lambda table: (table.id,),
            "association.route-table-association-id": lambda table: (a.id for a in table.associations),
            "route.destination-cidr-block": lambda table: (r.destination for r in table.routes if r.family == 4),
            "route.destination-ipv6-cidr-block": lambda table: (r.destination for r in table.routes if r.family == 6),
            "route.destination-prefix-list-id": lambda table: (r.destination for r in table.routes if r.to_list),
            "route.gateway-id": lambda table: _targets(table, LOCAL, "igw", ENDPOINT),
            "route.egress-only-internet-gateway-id": lambda table: _targets(table, "eigw"),
            "route.nat-gateway-id": lambda table: _targets(table, "nat"),
            "route.vpc-peering-connection-id": lambda table: _targets(table, "pcx"),
            "route.origin": lambda table: (route.origin for route in table.routes),
            "route.state": lambda table: (
                "blackhole" if is_blackhole(call.store, table, route) else "active" for route in table.routes
            ),
            **dict.fromkeys(_OTHER_TARGETS, lambda table: ()),
            "owner-id": lambda table: (table.key.account,),
        },
        ids="RouteTableIds",
        kind="rtb",
        indexed={"vpc-id": "vpc", "association.subnet-id": "subnet"},
    )
    return {"RouteTables": [_view(call, table) for table in page], **next_token(token)}


@ec2.operation
async def delete_route_table(req: t.DeleteRouteTableRequest, call: Call) -> None:
    dry_run(req)
    with call.tx() as tx:
        table = the_table(tx, call.scope, req["RouteTableId"])
        if table.associations:
            raise dependency(f"The routeTable '{table.id}'")
        tx.forget(route_tables, table.key)
        forget_tags(tx, call.scope, arn(call.scope, table.id))


@ec2.operation
async def create_route(req: t.CreateRouteRequest, call: Call) -> t.CreateRouteResult:
    dry_run(req)
    with call.tx() as tx:
        table = the_table(tx, call.scope, req["RouteTableId"])
        route = asked_route(tx, call, table, req)
        known = next((r for r in table.routes if r.destination == route.destination), None)
        if known is not None and known.gateway != route.gateway:
            raise invalid(f"The route identified by {route.destination} already exists.", "RouteAlreadyExists")
        if known is None:
            there = sum(other.gateway != LOCAL for other in table.routes)
            quotas.check(there, quotas.ROUTES, f"routes of {table.id}", "RouteLimitExceeded")
            _put(tx, call, replace(table, routes=(*table.routes, route)))
    return {"Return": True}


@ec2.operation
async def replace_route(req: t.ReplaceRouteRequest, call: Call) -> None:
    dry_run(req)
    with call.tx() as tx:
        table = the_table(tx, call.scope, req["RouteTableId"])
        route = asked_route(tx, call, table, req)
        known = next((r for r in table.routes if r.destination == route.destination), None)
        if known is None:
            raise _no_route(route.destination, table)
        if known.of_endpoint:
            raise invalid(f"cannot replace VPC endpoint route {route.destination} in route table {table.id}")
        routes = tuple(route if r.destination == route.destination else r for r in table.routes)
        _put(tx, call, replace(table, routes=routes))


@ec2.operation
async def delete_route(req: t.DeleteRouteRequest, call: Call) -> None:
    dry_run(req)
    with call.tx() as tx:
        table = the_table(tx, call.scope, req["RouteTableId"])
        destination = asked_destination(req)
        found = next((r for r in table.routes if r.destination == destination), None)
        if found is None:
            raise _no_route(destination, table)
        if found.gateway == LOCAL:
            raise invalid(f"cannot remove local route {destination} in route table {table.id}")
        if found.of_endpoint:
            raise invalid(f"cannot remove VPC endpoint route {destination} in route table {table.id}")
        _put(tx, call, replace(table, routes=tuple(r for r in table.routes if r is not found)))


def _no_route(destination: str, table: RouteTable) -> AwsError:
    block = "ipv6-cidr-block" if ":" in destination else "cidr-block"
    kind = "prefix-list-id" if destination.startswith("pl-") else block
    return invalid(f"no route with destination-{kind} {destination} in route table {table.id}", "InvalidRoute.NotFound")


def _targets(table: RouteTable, *kinds: str) -> Iterator[str]:
    return (route.gateway for route in table.routes if route.gateway.partition("-")[0] in kinds)


@ec2.operation
async def associate_route_table(req: t.AssociateRouteTableRequest, call: Call) -> t.AssociateRouteTableResult:
    dry_run(req)
    refuse_unknown(req, "GatewayId", "PublicIpv4Pool")
    if "SubnetId" not in req:
        raise missing("subnetId")
    with call.tx() as tx:
        table = the_table(tx, call.scope, req["RouteTableId"])
        subnet = the_subnet(tx, call.scope, req["SubnetId"])
        if subnet.vpc != table.vpc:
            raise _different_networks(table, subnet.id)
        for other in tx.index(route_tables, "subnet", subnet.id):
            found = next(a for a in other.associations if a.subnet == subnet.id)
            if other.id == table.id:
                return {"AssociationId": found.id, "AssociationState": {"State": "associated"}}
            raise invalid(
                f"the specified association for route table {table.id} conflicts with an existing association",
                "Resource.AlreadyAssociated",
            )
        association = Association(id=resource_id(call.ids, "rtbassoc"), subnet=subnet.id)
        _put(tx, call, replace(table, associations=(*table.associations, association)))
    return {"AssociationId": association.id, "AssociationState": {"State": "associated"}}


@ec2.operation
async def disassociate_route_table(req: t.DisassociateRouteTableRequest, call: Call) -> None:
    dry_run(req)
    with call.tx() as tx:
        table, association = _associated(tx, call, req["AssociationId"])
        if association.subnet is None:
            raise invalid(f"cannot disassociate the main route table association {association.id}")
        left = tuple(a for a in table.associations if a.id != association.id)
        _put(tx, call, replace(table, associations=left))


@ec2.operation
async def replace_route_table_association(
    req: t.ReplaceRouteTableAssociationRequest, call: Call
) -> t.ReplaceRouteTableAssociationResult:
    dry_run(req)
    with call.tx() as tx:
        old, association = _associated(tx, call, req["AssociationId"])
        new = the_table(tx, call.scope, req["RouteTableId"])
        if new.vpc != old.vpc:
            raise _different_networks(new, association.subnet or old.vpc)
        moved = Association(id=resource_id(call.ids, "rtbassoc"), subnet=association.subnet)
        tx.put(route_tables, replace(old, associations=tuple(a for a in old.associations if a.id != association.id)))
        new = the_table(tx, call.scope, new.id)  # it may be the old one
        _put(tx, call, replace(new, associations=(*new.associations, moved)))
    return {"NewAssociationId": moved.id, "AssociationState": {"State": "associated"}}


def _associated(tx: Tx, call: Call, id_: str) -> tuple[RouteTable, Association]:
    for table in tx.index(route_tables, "association", id_):
        if table.scope == call.scope:
            return table, next(a for a in table.associations if a.id == id_)
    raise not_found(id_, "rtbassoc")


def _different_networks(table: RouteTable, other: str) -> AwsError:
    return invalid(f"Route table {table.id} and {other} belong to different networks")
