"""VPC endpoints: ways from a VPC to a service that do not lead outside.

A gateway endpoint is a route to the service's prefix list in each of its route tables, and these routes are all that
says which tables it has: a table that goes takes its route along. An interface endpoint is a network interface in each
of its subnets; what the nodes know of them (addresses, groups, names) is written with the VPC's `fleet.Network`.

Source: the PrivateLink guide, "Gateway endpoints", "Access an AWS service using an interface VPC endpoint".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from hatoba.core.ids import Ids
from hatoba.core.keys import Scope
from hatoba.core.records import Record, replace
from hatoba.fleet import model as fleet
from hatoba.gateway.tags import forget_tags
from hatoba.services.ec2.model.arns import arn
from hatoba.services.ec2.model.endpointservice import EndpointService, Kind, the_service
from hatoba.services.ec2.model.errors import invalid, not_found
from hatoba.services.ec2.model.interface import Eni, create_eni, enis, forget_eni, of_fleet, only_ipv6, the_eni
from hatoba.services.ec2.model.network import Subnet
from hatoba.services.ec2.model.prefixlist import PrefixList
from hatoba.services.ec2.model.routes import ENDPOINT, Route, RouteTable, route_tables
from hatoba.services.ec2.model.ways import refresh_ways
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View

# What is attached to an endpoint that is made without a policy: everything to everybody.
FULL_ACCESS = '{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'


GATED = ".s3"  # how names of services end that have gateway endpoints, and a room


class VpcEndpoint(Record, frozen=True, kw_only=True):
    vpc: str
    service: str  # its full name
    kind: Kind
    policy: str | None = None  # None: full access
    created: float = 0.0
    interfaces: tuple[str, ...] = ()  # this one and those below: of the interface type
    groups: tuple[str, ...] = ()
    private_dns: bool = False


vpc_endpoints = Table("ec2.vpc_endpoints", VpcEndpoint, indexes=(Index("vpc", lambda endpoint: endpoint.vpc),))


def the_endpoint(view: View, scope: Scope, id_: str) -> VpcEndpoint:
    found = view.find(vpc_endpoints, scope, id_)
    if found is None:
        raise not_found(id_, ENDPOINT)
    return found


def service_of(endpoint: VpcEndpoint) -> EndpointService:
    return the_service(endpoint.scope, endpoint.service)


# --- gateways


def tables_of(view: View, endpoint: VpcEndpoint) -> list[RouteTable]:
    """By their ids."""
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


# --- interfaces


def interfaces_of(view: View, endpoint: VpcEndpoint) -> list[Eni]:
    return [the_eni(view, endpoint.scope, id_) for id_ in endpoint.interfaces]


def add_interface(
    tx: Tx, ids: Ids, endpoint: VpcEndpoint, subnet: Subnet, address: str | None, now: float
) -> VpcEndpoint:
    """In one more subnet. Raises InvalidParameter, DuplicateSubnetsInSameZone, and what `create_eni` raises."""
    if subnet.vpc != endpoint.vpc:
        raise invalid(f"Subnet {subnet.id} and VPC {endpoint.vpc} belong to different networks.", "InvalidParameter")
    if subnet.only6:
        raise only_ipv6(subnet)
    if any(eni.zone == subnet.zone for eni in interfaces_of(tx, endpoint)):
        raise invalid(
            f"Found another VPC endpoint subnet in the availability zone of {subnet.id}", "DuplicateSubnetsInSameZone"
        )
    eni = create_eni(
        tx,
        ids,
        subnet,
        groups=endpoint.groups,
        address=address,
        description=f"VPC Endpoint Interface {endpoint.id}",
        requester="amazon-aws",
        now=now,
    )
    tx.put(enis, replace(eni, kind="vpc_endpoint"))
    return tx.put(vpc_endpoints, replace(endpoint, interfaces=(*endpoint.interfaces, eni.id)))


def remove_interface(tx: Tx, endpoint: VpcEndpoint, eni: Eni) -> VpcEndpoint:
    forget_eni(tx, eni)
    forget_tags(tx, eni.scope, arn(eni.scope, eni.id))
    left = tuple(id_ for id_ in endpoint.interfaces if id_ != eni.id)
    return tx.put(vpc_endpoints, replace(endpoint, interfaces=left))


def put_groups(tx: Tx, endpoint: VpcEndpoint, groups: tuple[str, ...]) -> VpcEndpoint:
    for eni in interfaces_of(tx, endpoint):
        tx.put(fleet.interfaces, replace(of_fleet(tx, eni), groups=groups))
    return tx.put(vpc_endpoints, replace(endpoint, groups=groups))


def check_private_dns(view: View, endpoint: VpcEndpoint) -> None:
    """One endpoint of a VPC has a name. Raises InvalidParameter."""
    for other in view.index(vpc_endpoints, "vpc", endpoint.vpc):
        if other.id != endpoint.id and other.private_dns and other.service == endpoint.service:
            raise invalid(
                "private-dns-enabled cannot be set because there is already a conflicting DNS domain for "
                f"{service_of(endpoint).private} in the VPC {endpoint.vpc}",
                "InvalidParameter",
            )


def names_of(view: View, endpoint: VpcEndpoint) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The endpoint's own names with their addresses: all of them first, then those of each zone."""
    service, found = service_of(endpoint), interfaces_of(view, endpoint)
    label = f"{endpoint.id}-{hashlib.blake2b(endpoint.id.encode(), digest_size=4).hexdigest()}"
    addresses = [of_fleet(view, eni).address for eni in found]
    yield f"{label}.{service.base}", tuple(addresses)
    for eni, address in zip(found, addresses, strict=True):
        yield f"{label}-{eni.zone}.{service.base}", (address,)


def has_gate(view: View, vpc: str) -> bool:
    """It has a gateway endpoint of a service that is asked, whatever its tables: so a table that it is given counts at
    once."""
    found = view.index(vpc_endpoints, "vpc", vpc)
    return any(each.kind == "Gateway" and each.service.endswith(GATED) for each in found)


def refresh_endpoints(tx: Tx, scope: Scope, vpc: str) -> None:
    """What the nodes see of a VPC's endpoints, after a change of one."""
    network = tx.find(fleet.networks, scope, vpc)
    if network is None:
        return
    found = sorted(tx.index(vpc_endpoints, "vpc", vpc), key=lambda endpoint: endpoint.id)
    shown = tuple(_shown(tx, endpoint) for endpoint in found if endpoint.interfaces)
    gated = has_gate(tx, vpc)
    if (network.endpoints, network.gated) != (shown, gated):
        tx.put(fleet.networks, replace(network, endpoints=shown, gated=gated))


def _shown(view: View, endpoint: VpcEndpoint) -> fleet.Endpoint:
    names = [fleet.Name(name=name, addresses=addresses) for name, addresses in names_of(view, endpoint)]
    addresses = names[0].addresses
    private = service_of(endpoint).private_for(endpoint.key.account) if endpoint.private_dns else ""
    return fleet.Endpoint(
        addresses=addresses,
        groups=endpoint.groups,
        names=tuple(names),
        private=(fleet.Name(name=private, addresses=addresses),) if private else (),
    )


def forget_endpoint(tx: Tx, endpoint: VpcEndpoint) -> None:
    remove_tables(tx, endpoint, tables_of(tx, endpoint))
    for eni in interfaces_of(tx, endpoint):
        endpoint = remove_interface(tx, endpoint, eni)
    forget_tags(tx, endpoint.scope, arn(endpoint.scope, endpoint.id))
    tx.forget(vpc_endpoints, endpoint.key)
    refresh_endpoints(tx, endpoint.scope, endpoint.vpc)
