"""`POST /_hatoba/reset`: everything of AWS is gone, containers and load balancers too; then all works again."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tools.instance import Instance, eventually
from tools.traces import Traces
from tools.web import Web, page

pytestmark = pytest.mark.real

OF_TASKS = ("bundles", "task folders", "spools")


@pytest.fixture(scope="module")
def open_to_all() -> Iterator[Instance]:
    with Instance(options=["--auth", "off"]) as hatoba:
        yield hatoba


def reset(hatoba: Instance, **headers: str) -> int:
    asked = urllib.request.Request(f"http://127.0.0.1:{hatoba.port}/_hatoba/reset", b"", headers, method="POST")
    try:
        with urllib.request.urlopen(asked, timeout=90) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_reset_and_again(open_to_all: Instance) -> None:
    hatoba = open_to_all
    traces = Traces(hatoba.folder)
    fresh = traces.counts()
    for version in ("v1", "v2"):
        web = Web(hatoba, "shop")
        web.create(version)
        web.steady()
        address = web.address
        assert eventually(lambda address=address: page(address)) == version
        assert reset(hatoba) == 200
        ecs, ec2 = hatoba.client("ecs"), hatoba.client("ec2")
        assert hatoba.client("elbv2").describe_load_balancers()["LoadBalancers"] == []
        assert hatoba.client("ecr").describe_repositories()["repositories"] == []
        assert ecs.list_task_definitions()["taskDefinitionArns"] == []
        assert [c for c in ecs.list_clusters()["clusterArns"] if not c.endswith("/default")] == []
        assert ecs.list_tasks()["taskArns"] == []
        assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
        assert page(address) == ""
        assert not [line for line in traces.processes().values() if "httpd" in line]
        eventually(lambda: all(traces.counts()[name] == fresh[name] for name in OF_TASKS))


def test_a_page_of_somebody_else_cannot_ask_for_it(open_to_all: Instance) -> None:
    assert reset(open_to_all, Origin="https://evil.example") == 403


def test_refused_when_signatures_are_verified(hatoba: Instance) -> None:
    assert reset(hatoba) == 403
    assert hatoba.client("ecs").list_clusters()
