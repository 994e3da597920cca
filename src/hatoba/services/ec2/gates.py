"""Which gateway endpoint a request goes by: that of its service and region to which the routes lead of the subnet that
it comes from. A task's interface is found by its address: its own, a further one, or one of a delegated prefix.

Source: the PrivateLink guide, "Gateway endpoints".
"""

from __future__ import annotations

from functools import partial

from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.gateway.way import Gate, Guest, Way
from hatoba.services.ec2.model.endpoint import has_gate, vpc_endpoints
from hatoba.services.ec2.model.network import subnets
from hatoba.services.ec2.model.routes import table_of
from hatoba.store.store import Store, View

_SERVED = frozenset(("s3",))  # services with gateway endpoints and a room


def guest_at(view: View, vpc: str, client: str) -> Guest:
    """Who asks by IPv4, from a VPC of which a router says so."""
    network = next(iter(view.index(fleet.networks, "id", vpc)), None)
    interface = _of_network(view, network, client) if network is not None else None
    gate = partial(_way, view, interface, client)
    return Guest(gate=gate, seen=_public(interface, client), gated=network is not None and network.gated)


def gate_of(view: View, client: str) -> Gate:
    """Of who asks by IPv6, whose addresses are no other VPC's."""
    return lambda service, region: (
        _way(view, _by_ipv6(view, client), client, service, region) if service in _SERVED else None
    )


def _way(view: View, interface: fleet.Interface | None, client: str, service: str, region: str) -> Way | None:
    if service not in _SERVED or interface is None:
        return None
    subnet = view.find(subnets, interface.scope, interface.subnet)
    if subnet is None:
        return None
    for route in table_of(view, subnet).routes:
        endpoint = view.find(vpc_endpoints, interface.scope, route.gateway) if route.of_endpoint else None
        if endpoint is not None and endpoint.service == f"com.amazonaws.{region}.{service}":
            return Way(
                endpoint=endpoint.id,
                vpc=endpoint.vpc,
                account=endpoint.key.account,
                service=service,
                policy=endpoint.policy,
                client=client,
            )
    return None


def _public(interface: fleet.Interface | None, client: str) -> str:
    """The public address that stands for one; "": none."""
    if interface is None:
        return ""
    own = interface.public if client == interface.address else dict(interface.publics).get(client)
    return own or ""


def _of_network(view: View, network: fleet.Network, client: str) -> fleet.Interface | None:
    key = network.key
    for held in fleet.around(client):
        for interface in view.index(
            fleet.interfaces, "address", (key.partition, key.account, key.region, key.id, held)
        ):
            return interface
    return None


def _by_ipv6(view: View, client: str) -> fleet.Interface | None:
    for held in fleet.around(client):
        for interface in view.index(fleet.interfaces, "six", held):
            return interface
    return None


def renew_gates(store: Store) -> None:
    """VPCs whose gateway endpoints were made by a version that led nobody there."""
    with store.tx() as tx:
        for network in store.all(fleet.networks):
            gated = has_gate(tx, network.id)
            if network.gated != gated:
                tx.put(fleet.networks, replace(network, gated=gated))
