"""One platform with ECR and its registry for all tests; those that kill it start their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.conformance.ecr.platform import Platform


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """For tests that do not disturb each other: they use repositories of their own."""
    with Platform.serving(tmp_path_factory.mktemp("ecr")) as platform:
        yield platform


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Platform]:
    """For tests that kill it."""
    with Platform.serving(tmp_path) as platform:
        yield platform


@pytest.fixture
def ecr(shared: Platform) -> Any:
    return shared.client()


@pytest.fixture
def name() -> str:
    return f"team/app-{uuid4().hex[:8]}"
