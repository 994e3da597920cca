"""Route tables and internet gateways."""

from __future__ import annotations

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.services.ec2.model.errors import not_found
from hatoba.services.ec2.model.network import Subnet, Vpc, the_subnet
from hatoba.store import Index, Table
from hatoba.store.store import View


class Route(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """To a gateway by id, or "local"."""

    destination: str
    gateway: str
    origin: str = "CreateRoute"


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


route_tables = Table(
    "ec2.route_tables",
    RouteTable,
    indexes=(
        Index("vpc", lambda table: table.vpc),
        Index("main", lambda table: table.vpc if table.main else None),
        Index("subnet", lambda table: {a.subnet for a in table.associations if a.subnet}, many=True),
        Index("association", lambda table: {a.id for a in table.associations}, many=True),
        Index("gateway", lambda table: {route.gateway for route in table.routes}, many=True),
    ),
)
internet_gateways = Table("ec2.internet_gateways", InternetGateway, indexes=(Index("vpc", lambda igw: igw.vpc),))


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


def main_table(view: View, vpc: Vpc) -> RouteTable:
    return view.index(route_tables, "main", vpc.id)[0]


def table_of(view: View, subnet: Subnet) -> RouteTable:
    """The route table in force for a subnet: its own, or its VPC's main one."""
    own = view.index(route_tables, "subnet", subnet.id)
    return own[0] if own else view.index(route_tables, "main", subnet.vpc)[0]


def leads_outside(view: View, scope: Scope, subnet: str) -> bool:
    """Its default route goes to an internet gateway: a public subnet."""
    table = table_of(view, the_subnet(view, scope, subnet))
    return any(route.destination == "0.0.0.0/0" and route.gateway.startswith("igw-") for route in table.routes)
