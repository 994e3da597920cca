"""One suite, two fabrics."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.contract.network.labs import Lab, RealLab, SimulatedLab


@pytest_asyncio.fixture(params=["simulated", pytest.param("real", marks=pytest.mark.real)])
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    made: Lab = SimulatedLab(tmp_path) if request.param == "simulated" else RealLab(tmp_path)
    try:
        await made.start()
        yield made
    finally:
        await made.close()


@pytest_asyncio.fixture
async def real(tmp_path: Path) -> AsyncIterator[RealLab]:
    made = RealLab(tmp_path)
    try:
        await made.start()
        yield made
    finally:
        await made.close()
