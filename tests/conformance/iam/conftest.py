"""One platform for all of these tests; each has an account of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.ec2.networks import Platform, served
from tests.conformance.serving import fresh_account


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with served(tmp_path_factory.mktemp("iam")) as platform:
        yield platform


@pytest.fixture
def account() -> str:
    return fresh_account()


@pytest.fixture
def iam(platform: Platform, account: str) -> Any:
    return platform.client("iam", account=account)


@pytest.fixture
def sts(platform: Platform, account: str) -> Any:
    return platform.client("sts", account=account)
