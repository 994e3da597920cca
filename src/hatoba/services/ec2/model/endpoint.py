"""VPC endpoints: ways from a VPC to a service that do not lead outside, and the services there are ways to.

A gateway endpoint is a route to the service's prefix list in each of its route tables, and these routes are all that
says which tables it has: a table that goes takes its route along.

Source: the PrivateLink guide, "Gateway endpoints".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record, replace
from hatoba.services.ec2.model.errors import invalid, not_found
from hatoba.services.ec2.model.prefixlist import PrefixList
from hatoba.services.ec2.model.routes import ENDPOINT, Route, RouteTable, route_tables
from hatoba.services.ec2.model.ways import refresh_ways
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View

Kind = Literal["Gateway"]

# What is attached to an endpoint that is made without a policy: everything to everybody.
FULL_ACCESS = '{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'


class EndpointService(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is its full one, `dns` that of the service itself."""

    name: str
    dns: str
    kinds: tuple[Kind, ...]

    @property
    def id(self) -> str:
        return f"vpce-svc-{hashlib.blake2b(self.name.encode(), digest_size=8).hexdigest()}0"


class VpcEndpoint(Record, frozen=True, kw_only=True):
    vpc: str
    service: str  # its full name
    kind: Kind
    policy: str | None = None  # None: full access
    created: float = 0.0


vpc_endpoints = Table("ec2.vpc_endpoints", VpcEndpoint, indexes=(Index("vpc", lambda endpoint: endpoint.vpc),))

_GATEWAYS = ("dynamodb", "s3")


def services_in(region: str) -> Iterator[EndpointService]:
    """By name."""
    for name in _GATEWAYS:
        yield EndpointService(
            name=f"com.amazonaws.{region}.{name}", dns=f"{name}.{region}.amazonaws.com", kinds=("Gateway",)
        )


def the_service(scope: Scope, name: str) -> EndpointService:
    """Raises InvalidServiceName."""
    for service in services_in(scope.region):
        if service.name == name:
            return service
    raise invalid(f"The Vpc Endpoint Service '{name}' does not exist", "InvalidServiceName")


def the_endpoint(view: View, scope: Scope, id_: str) -> VpcEndpoint:
    found = view.find(vpc_endpoints, scope, id_)
    if found is None:
        raise not_found(id_, ENDPOINT)
    return found


def tables_of(view: View, endpoint: VpcEndpoint) -> list[RouteTable]:
    """A gateway's, by their ids."""
    return sorted(view.index(route_tables, "target", endpoint.id), key=lambda table: table.id)


def add_tables(tx: Tx, endpoint: VpcEndpoint, tables: Iterable[RouteTable], listed: PrefixList) -> None:
    """Routes to the service's addresses. Raises InvalidParameter, RouteAlreadyExists."""
    for table in tables:
        if table.vpc != endpoint.vpc:
            raise invalid(
                f"Route table {table.id} and VPC {endpoint.vpc} belong to different networks.", "InvalidParameter"
            )
        if any(route.destination == listed.id for route in table.routes):
            raise invalid(
                f"route table {table.id} already has a route with destination-prefix-list-id {listed.id}",
                "RouteAlreadyExists",
            )
        route = Route(destination=listed.id, gateway=endpoint.id, listed=listed.cidrs)
        tx.put(route_tables, replace(table, routes=(*table.routes, route)))
    refresh_ways(tx, endpoint.scope, endpoint.vpc)


def remove_tables(tx: Tx, endpoint: VpcEndpoint, tables: Iterable[RouteTable]) -> None:
    for table in tables:
        left = tuple(route for route in table.routes if route.gateway != endpoint.id)
        tx.put(route_tables, replace(table, routes=left))
    refresh_ways(tx, endpoint.scope, endpoint.vpc)


def forget_endpoint(tx: Tx, endpoint: VpcEndpoint) -> None:
    remove_tables(tx, endpoint, tables_of(tx, endpoint))
    tx.forget(vpc_endpoints, endpoint.key)
