"""The rigs of `proxy_rigs` as fixtures."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hatoba.proxy import tracer
from tests.contract.proxy.proxy_rigs import RealRig, Rig, real_rig, simulated_rig
from tools import compile_module


@pytest.fixture(scope="session", autouse=True)
def module() -> None:
    """As after a setup, also where the source has changed since."""
    compile_module.main()
    tracer.module.cache_clear()


@pytest.fixture
async def real(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RealRig]:
    async with real_rig(tmp_path_factory.mktemp("px")) as rig:
        yield rig


@pytest.fixture(params=["simulated", pytest.param("real", marks=pytest.mark.real)])
async def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    made = real_rig(tmp_path_factory.mktemp("px")) if request.param == "real" else simulated_rig()
    async with made as rig:
        yield rig
