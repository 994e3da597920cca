"""A resolver's network may go at any moment, between any two steps of who sees to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hatoba.core.clock import ManualClock
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
