"""One platform with log groups for all tests; those that kill it start their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.conformance.logs.platform import Platform


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """For tests that do not disturb each other: they use groups of their own."""
    with Platform.serving(tmp_path_factory.mktemp("logs")) as platform:
        yield platform


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Platform]:
    """For tests that kill it."""
    with Platform.serving(tmp_path) as platform:
        yield platform


@pytest.fixture
def logs(shared: Platform) -> Any:
    return shared.logs()


@pytest.fixture
def group(logs: Any) -> str:
    name = f"/ecs/shop-{uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=name)
    return name
