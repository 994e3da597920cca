"""One platform for all of these tests; each has an organisation of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.organizations.world import Company, World, served


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with served(tmp_path_factory.mktemp("organizations")) as world:
        yield world


@pytest.fixture
def company(world: World) -> Company:
    return Company(world)
