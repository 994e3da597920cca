from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.runtime.worlds import ContainerdWorld, SimulatedWorld, World


@pytest.fixture(params=["simulated", pytest.param("containerd", marks=pytest.mark.real)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    made: SimulatedWorld | ContainerdWorld
    made = SimulatedWorld() if request.param == "simulated" else ContainerdWorld(tmp_path)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[ContainerdWorld]:
    made = ContainerdWorld(tmp_path)
    await made.open()
    try:
        yield made
    finally:
        await made.close()
        assert made.leftovers() == []
