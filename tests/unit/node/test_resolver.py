"""A resolver's network may go at any moment, between any two steps of who sees to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hatoba.core.clock import ManualClock
from hatoba.fleet import model as fleet
from hatoba.fleet.items import NetworkItem
from hatoba.network.simulated import SimulatedFabric
from hatoba.node.resolver import Resolver
from tests.unit.node.machine import settings

HERE = Path("/run/netns/v1")


@pytest.fixture
def networks() -> dict[str, NetworkItem]:
    return {}


@pytest.fixture
def resolver(networks: dict[str, NetworkItem], tmp_path: Path) -> Resolver:
    fabric = SimulatedFabric(settings(tmp_path))
    return Resolver(fabric, lambda: networks, dict, None, ManualClock())  # type: ignore[arg-type]


async def test_one_that_has_gone_is_neither_opened_nor_refreshed(resolver: Resolver) -> None:
    await resolver.open("v1", HERE)
    await resolver.refresh("v1", HERE)
    assert resolver._served == {}


async def test_a_question_that_is_on_its_way_is_answered_from_what_everybody_knows(resolver: Resolver) -> None:
    assert resolver._names_of("v1")("a.example.", "A") is None


ENDPOINT = fleet.Endpoint(
    addresses=("10.0.0.7", "10.0.1.7"),
    groups=("sg-1",),
    names=(fleet.Name(name="vpce-1.ecs.eu-west-1.vpce.amazonaws.com", addresses=("10.0.0.7", "10.0.1.7")),),
    private=(fleet.Name(name="ecs.eu-west-1.amazonaws.com", addresses=("10.0.0.7", "10.0.1.7")),),
)


def network(*, hostnames: bool) -> NetworkItem:
    return NetworkItem(cidrs=("10.0.0.0/16",), vni=1, resolver="10.0.0.2", hostnames=hostnames, endpoints=(ENDPOINT,))


def test_names_of_endpoints_are_known_in_their_network_alone(
    resolver: Resolver, networks: dict[str, NetworkItem]
) -> None:
    networks["v1"] = network(hostnames=True)
    networks["v2"] = NetworkItem(cidrs=("10.0.0.0/16",), vni=2, resolver="10.0.0.2")
    for name in ("vpce-1.ecs.eu-west-1.vpce.amazonaws.com", "ecs.eu-west-1.amazonaws.com"):
        found = resolver._names_of("v1")(name, "A")
        assert found is not None
        assert found.values == ENDPOINT.addresses
        assert resolver._names_of("v2")(name, "A") is None
    assert resolver._names_of("v1")("ecs.us-east-1.amazonaws.com", "A") is None, "somebody else's"


def test_an_endpoints_own_names_are_known_in_peered_networks_and_its_services_are_not(
    resolver: Resolver, networks: dict[str, NetworkItem]
) -> None:
    networks["v1"] = network(hostnames=True)
    networks["v2"] = NetworkItem(cidrs=("10.2.0.0/16",), vni=2, resolver="10.2.0.2", peerings=("v1", "v3"))
    assert resolver._names_of("v2")("vpce-1.ecs.eu-west-1.vpce.amazonaws.com", "A") is not None
    assert resolver._names_of("v2")("ecs.eu-west-1.amazonaws.com", "A") is None


def test_services_names_are_hidden_only_where_addresses_have_names(
    resolver: Resolver, networks: dict[str, NetworkItem]
) -> None:
    networks["v1"] = network(hostnames=False)
    assert resolver._names_of("v1")("ecs.eu-west-1.amazonaws.com", "A") is None
    assert resolver._names_of("v1")("vpce-1.ecs.eu-west-1.vpce.amazonaws.com", "A") is not None
