"""One platform for all of these tests; each has a region of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.ec2.networks import Platform, served
from tests.conformance.serving import fresh_region


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with served(tmp_path_factory.mktemp("ec2")) as platform:
        yield platform


@pytest.fixture
def region() -> str:
    return fresh_region()


@pytest.fixture
def ec2(platform: Platform, region: str) -> Any:
    return platform.client("ec2", region=region)


@pytest.fixture
def vpc(ec2: Any) -> str:
    """An empty one."""
    id_: str = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    return id_


@pytest.fixture
def subnet(ec2: Any, vpc: str) -> str:
    id_: str = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    return id_


@pytest.fixture
def default_subnet(ec2: Any) -> str:
    """Public: its route leads outside."""
    id_: str = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    return id_
