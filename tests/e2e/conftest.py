"""One instance for all end-to-end tests of a session; those that break things start their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.instance import Instance


@pytest.fixture(scope="session")
def hatoba() -> Iterator[Instance]:
    with Instance() as instance:
        yield instance
