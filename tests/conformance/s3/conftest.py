"""One platform with S3 for all tests; those that kill or measure it start their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.conformance.s3.objectland import Objectland


@pytest.fixture(scope="session")
def land(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Objectland]:
    """For tests that do not disturb each other: they use buckets of their own."""
    with Objectland.serving(tmp_path_factory.mktemp("s3")) as platform:
        yield platform


@pytest.fixture
def s3(land: Objectland) -> Any:
    return land.client()


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"bucket-{uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name
