"""One platform for all of these tests; each has an account of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.keeping.rooms import Platform, served
from tests.conformance.serving import fresh_account


@pytest.fixture(scope="session")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with served(tmp_path_factory.mktemp("keeping")) as platform:
        yield platform


@pytest.fixture
def account() -> str:
    return fresh_account()


@pytest.fixture
def ssm(keeping: Platform, account: str) -> Any:
    return keeping.client("ssm", account=account)


@pytest.fixture
def kms(keeping: Platform, account: str) -> Any:
    return keeping.client("kms", account=account)


@pytest.fixture
def secrets(keeping: Platform, account: str) -> Any:
    return keeping.client("secretsmanager", account=account)
