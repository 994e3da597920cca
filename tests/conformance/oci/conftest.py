from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hatoba.core.ids import SeededIds
from hatoba.registry.engine import Engine
from hatoba.registry.memory import MemoryRepositories, OpenAccess
from tests.conformance.oci.client import Client


@pytest.fixture
def repositories() -> MemoryRepositories:
    return MemoryRepositories("app", "team/other")


@pytest.fixture
async def engine(tmp_path: Path, repositories: MemoryRepositories) -> AsyncIterator[Engine]:
    engine = Engine(tmp_path, repositories, OpenAccess("AWS", "secret"), ids=SeededIds())
    await engine.prepare()
    yield engine
    engine.close()


@pytest.fixture
def client(engine: Engine) -> Client:
    return Client(engine)
