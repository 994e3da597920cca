"""What the nodes see of route tables: where what leaves a VPC goes, by subnet; and whose public addresses count.

Whatever changes a route, a gateway or an association calls `refresh_ways` in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.network.routing import within
from hatoba.services.ec2.model.interface import refresh_egress
from hatoba.services.ec2.model.network import Subnet, subnets
from hatoba.services.ec2.model.peering import Peering, beyond, peerings, scope_of
from hatoba.services.ec2.model.routes import LOCAL, Route, RouteTable, blocks_of, is_blackhole, table_of
from hatoba.store import Tx
from hatoba.store.store import View


def refresh_ways(tx: Tx, scope: Scope, vpc: str) -> None:
    """After a change of a VPC's routes, of what they lead to, or of its subnets."""
    network = tx.find(fleet.networks, scope, vpc)
    if network is None:
        return
    inside = sorted(tx.index(subnets, "vpc", vpc), key=lambda subnet: subnet.id)
    ways = tuple(fleet.Subnet(blocks=subnet.cidrs, routes=tuple(_routes(tx, subnet))) for subnet in inside)
    if network.subnets != ways:
        tx.put(fleet.networks, replace(network, subnets=ways))
    for subnet in inside:
        refresh_egress(tx, scope, subnet.id)


def refresh_both_ways(tx: Tx, peering: Peering) -> None:
    for side in (peering.requester, peering.accepter):
        refresh_ways(tx, scope_of(peering, side), side.vpc)


def _routes(view: View, subnet: Subnet) -> Iterator[fleet.Route]:
    """Of prefix lists only what no block of the VPC and no route of its own is for: both count for more."""
    table = table_of(view, subnet)
    own = {route.destination for route in table.routes if not route.to_list}
    inside = [ip_network(route.destination) for route in table.routes if route.gateway == LOCAL]
    for route in table.routes:
        # The platform is reached from every subnet, and the services of gateway endpoints are there.
        if route.gateway == LOCAL or route.of_endpoint:
            continue
        for block in blocks_of(view, table.scope, route):
            if route.to_list:
                if block in own or any(within(ip_network(block), local) for local in inside):
                    continue
                own.add(block)
            yield _route(view, table, route, block)


def _route(view: View, table: RouteTable, route: Route, block: str) -> fleet.Route:
    if is_blackhole(view, table, route):
        return fleet.Route(to=block, kind="closed")
    match route.gateway.partition("-")[0]:
        case "nat":
            return fleet.Route(to=block, kind="nat", target=route.gateway)
        case "pcx":
            peering = view.index(peerings, "id", route.gateway)[0]
            return fleet.Route(to=block, kind="peering", target=beyond(peering, table.vpc))
    return fleet.Route(to=block, kind="outside")
