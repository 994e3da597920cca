"""Who of a peered network is a member of what groups, as far as it matters here; the addresses of endpoints; gates."""

from __future__ import annotations

import msgspec

from hatoba.fleet import model as fleet
from hatoba.fleet.items import NetworkItem, PeerItem, PolicyItem
from hatoba.fleet.model import Rule
from hatoba.network.beyond import Endpoint, Gate, Guest
from hatoba.node.beyond import gate_at, guests_of, routing_of


def far(network: str, address: str, *groups: str, further: tuple[str, ...] = ()) -> PeerItem:
    return PeerItem(network=network, address=address, node="192.0.2.1", groups=groups, further=further)


def test_only_members_of_named_groups_of_peered_networks_are_guests() -> None:
    policies = (
        PolicyItem(network="v1", ingress=(Rule(groups=("sg-app",)),), egress=()),
        PolicyItem(network="v1", ingress=(), egress=(Rule(groups=("sg-db",)),)),
    )
    members = (
        far("v2", "10.2.0.6", "sg-db", "sg-other"),
        far("v2", "10.2.0.5", "sg-app", further=("10.2.0.9", "10.2.0.16/28")),
        far("v2", "10.2.0.7", "sg-other"),
        far("v3", "10.3.0.5", "sg-app"),
    )
    entrance = fleet.Endpoint(addresses=("10.2.0.3", "10.2.1.3"), groups=("sg-db", "sg-other"))
    other = fleet.Endpoint(addresses=("10.2.0.4",), groups=("sg-other",))
    peered = {"v2": NetworkItem(cidrs=("10.2.0.0/16",), vni=2, resolver="10.2.0.2", endpoints=(entrance, other))}
    assert guests_of(policies, peered, members) == (
        Guest(address="10.2.0.3", groups=("sg-db",)),
        Guest(address="10.2.0.5", groups=("sg-app",), further=("10.2.0.9", "10.2.0.16/28")),
        Guest(address="10.2.0.6", groups=("sg-db",)),
        Guest(address="10.2.1.3", groups=("sg-db",)),
    )


def test_every_address_of_an_endpoint_is_a_way_to_the_platform() -> None:
    one = fleet.Endpoint(addresses=("10.0.0.7", "10.0.1.7"), groups=("sg-1", "sg-2"))
    other = fleet.Endpoint(addresses=("10.0.0.8",), groups=("sg-3",))
    item = NetworkItem(cidrs=("10.0.0.0/16",), vni=1, resolver="10.0.0.2", endpoints=(one, other))
    assert routing_of(item).endpoints == (
        Endpoint(address="10.0.0.7", groups=("sg-1", "sg-2")),
        Endpoint(address="10.0.1.7", groups=("sg-1", "sg-2")),
        Endpoint(address="10.0.0.8", groups=("sg-3",)),
    )


def test_a_network_with_gateway_endpoints_has_a_gate_where_the_platform_is_asked() -> None:
    direct = Gate(address="192.0.2.1", port=4566)
    item = NetworkItem(cidrs=("10.0.0.0/16", "fd00::/56"), vni=1, resolver="10.0.0.2", gated=True)
    assert routing_of(item, direct).gate == direct
    assert routing_of(item).gate is None, "nobody knows where"
    assert routing_of(msgspec.structs.replace(item, gated=False), direct).gate is None
    around = msgspec.structs.replace(item, cidrs=("192.0.2.0/24",))
    assert routing_of(around, direct).gate is None, "there that is an address of its own"


def test_where_the_platform_is_asked() -> None:
    assert gate_at("192.0.2.1:4566") == Gate(address="192.0.2.1", port=4566)
    for place in ("", "hatoba.example:4566", "[::1]:4566", "192.0.2.1:", "192.0.2.1"):
        assert gate_at(place) is None
