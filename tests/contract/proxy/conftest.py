"""The rigs of `proxy_rigs` as fixtures."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.contract.proxy.proxy_rigs import RealRig, Rig, real_rig, simulated_rig


@pytest.fixture
async def real(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RealRig]:
    async with real_rig(tmp_path_factory.mktemp("px")) as rig:
        yield rig


@pytest.fixture(params=["simulated", pytest.param("real", marks=pytest.mark.real)])
async def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    made = real_rig(tmp_path_factory.mktemp("px")) if request.param == "real" else simulated_rig()
    async with made as rig:
        yield rig
