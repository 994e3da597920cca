from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.gateway.world import World, world


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture(scope="module")
def open_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """With `--auth off`."""
    with world(tmp_path_factory.mktemp("gateway"), auth=False) as running:
        yield running
