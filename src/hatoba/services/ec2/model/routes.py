"""Route tables, internet gateways (also those for IPv6 that let out only), and which routes lead somewhere."""

from __future__ import annotations

from typing import Literal

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.services.ec2.model.errors import not_found
from hatoba.services.ec2.model.nat import nat_gateways
from hatoba.services.ec2.model.network import Subnet, the_subnet
from hatoba.services.ec2.model.peering import peerings
from hatoba.services.ec2.model.prefixlist import prefix_lists
from hatoba.store import Index, Table
from hatoba.store.store import View

Egress = Literal["none", "out", "both"]

LOCAL = "local"  # a route's target: the VPC itself
ENDPOINT = "vpce"  # of VPC endpoints: the endpoint alone makes and removes such a route


class Route(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """To a gateway by its id, whose prefix says of what kind it is (igw, eigw, nat, pcx, vpce), or `LOCAL`.

    `destination` is a block of either family, or the id of a prefix list. `listed` are the networks of a list of AWS's.
    """

    destination: str
    gateway: str
    listed: tuple[str, ...] = ()
    origin: Literal["CreateRoute", "CreateRouteTable"] = "CreateRoute"

    @property
    def to_list(self) -> bool:
        return self.destination.startswith("pl-")

    @property
    def family(self) -> int:
        """Of the destination: 4, 6, or 0 for a prefix list."""
        return 0 if self.to_list else 6 if ":" in self.destination else 4

    @property
    def of_endpoint(self) -> bool:
        return self.gateway.startswith(f"{ENDPOINT}-")


def local_route(cidr: str) -> Route:
    """The one that every table has for each of its VPC's blocks."""
    return Route(destination=cidr, gateway=LOCAL, origin="CreateRouteTable")


class Association(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    subnet: str | None = None  # None: the main table's


class RouteTable(Record, frozen=True, kw_only=True):
    vpc: str
    routes: tuple[Route, ...]
    associations: tuple[Association, ...] = ()

    @property
    def main(self) -> bool:
        return any(association.subnet is None for association in self.associations)


class InternetGateway(Record, frozen=True, kw_only=True):
    vpc: str | None = None


class EgressOnlyGateway(Record, frozen=True, kw_only=True):
    """For IPv6: out, and answers only. It is its VPC's from its beginning to its end."""

    vpc: str


route_tables = Table(
    "ec2.route_tables",
    RouteTable,
    indexes=(
        Index("vpc", lambda table: table.vpc),
        Index("main", lambda table: table.vpc if table.main else None),
        Index("subnet", lambda table: {a.subnet for a in table.associations if a.subnet}, many=True),
        Index("association", lambda table: {a.id for a in table.associations}, many=True),
        Index("prefix_list", lambda table: {r.destination for r in table.routes if r.to_list}, many=True),
        Index("target", lambda table: {r.gateway for r in table.routes if r.gateway != LOCAL}, many=True),
    ),
)
internet_gateways = Table("ec2.internet_gateways", InternetGateway, indexes=(Index("vpc", lambda igw: igw.vpc),))
egress_gateways = Table("ec2.egress_only_gateways", EgressOnlyGateway, indexes=(Index("vpc", lambda eigw: eigw.vpc),))


def the_table(view: View, scope: Scope, id_: str) -> RouteTable:
    table = view.find(route_tables, scope, id_)
    if table is None:
        raise not_found(id_, "rtb")
    return table


def the_gateway(view: View, scope: Scope, id_: str) -> InternetGateway:
    gateway = view.find(internet_gateways, scope, id_)
    if gateway is None:
        raise not_found(id_, "igw")
    return gateway


def the_egress_gateway(view: View, scope: Scope, id_: str) -> EgressOnlyGateway:
    gateway = view.find(egress_gateways, scope, id_)
    if gateway is None:
        raise not_found(id_, "eigw")
    return gateway


def table_of(view: View, subnet: Subnet) -> RouteTable:
    """The route table in force for a subnet: its own, or its VPC's main one."""
    own = view.index(route_tables, "subnet", subnet.id)
    return own[0] if own else view.index(route_tables, "main", subnet.vpc)[0]


def blocks_of(view: View, scope: Scope, route: Route) -> tuple[str, ...]:
    """The networks that a route is for."""
    if not route.to_list:
        return (route.destination,)
    listed = view.find(prefix_lists, scope, route.destination)
    return listed.cidrs if listed is not None else route.listed


def is_blackhole(view: View, table: RouteTable, route: Route) -> bool:
    """Its target is gone, or has nothing to do with the VPC any more."""
    if route.gateway == LOCAL or route.of_endpoint:
        return False
    match route.gateway.partition("-")[0]:
        case "nat":
            nat = view.find(nat_gateways, table.scope, route.gateway)
            return nat is None or nat.ended is not None
        case "pcx":
            found = view.index(peerings, "id", route.gateway)
            return not found or found[0].state != "active"
        case "eigw":
            return view.find(egress_gateways, table.scope, route.gateway) is None
    gateway = view.find(internet_gateways, table.scope, route.gateway)
    return gateway is None or gateway.vpc != table.vpc


def leads_outside(view: View, scope: Scope, subnet: str) -> bool:
    """An IPv4 route of its goes to an internet gateway that is attached: a public subnet."""
    return "igw" in _ways_out(view, scope, subnet, six=False)


def leads_outside6(view: View, scope: Scope, subnet: str) -> Egress:
    """Where its IPv6 routes lead: an egress-only gateway lets out, an internet gateway in as well."""
    found = _ways_out(view, scope, subnet, six=True)
    return "both" if "igw" in found else "out" if "eigw" in found else "none"


def _ways_out(view: View, scope: Scope, subnet: str, *, six: bool) -> set[str]:
    """The kinds of gateways that its routes of one family lead to."""
    table = table_of(view, the_subnet(view, scope, subnet))
    return {
        kind
        for route in table.routes
        if (kind := route.gateway.partition("-")[0]) in ("igw", "eigw")
        and any((":" in block) == six for block in blocks_of(view, scope, route))
        and not is_blackhole(view, table, route)
    }
