"""A service behind a load balancer: it serves, rolls forward without a failed request, and replaces what dies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.instance import Instance, eventually
from tools.load import Load
from tools.web import Web, page

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def web(hatoba: Instance) -> Iterator[Web]:
    web = Web(hatoba, "shop")
    web.create("v1")
    web.steady()
    yield web
    web.remove()


def test_it_serves(web: Web) -> None:
    assert eventually(lambda: page(web.address)) == "v1"
    health = web.hatoba.client("elbv2").describe_target_health(TargetGroupArn=web.target_group)
    assert [t["TargetHealth"]["State"] for t in health["TargetHealthDescriptions"]] == ["healthy", "healthy"]
    assert any("has reached a steady state." in event["message"] for event in web.describe()["events"])


def test_a_new_version_costs_no_request(web: Web) -> None:
    address, definition = web.address, web.define("v2")
    with Load(address, rate=200) as load:
        eventually(lambda: load.count > 100)
        web.update(definition)
        web.steady()
        before = load.count
        eventually(lambda: load.count > before + 200)
    assert load.failures == []
    assert page(address) == "v2"
    assert b"v1\n" in load.answers
    assert b"v2\n" in load.answers


def test_a_task_that_dies_is_replaced(web: Web) -> None:
    ecs = web.hatoba.client("ecs")
    arns = ecs.list_tasks(serviceName="shop")["taskArns"]
    ecs.stop_task(task=arns[0], reason="gone")

    def replaced() -> bool:
        service = web.describe()
        return service["runningCount"] == 2 and arns[0] not in ecs.list_tasks(serviceName="shop")["taskArns"]

    eventually(replaced)
    web.steady()


def test_scaling_out_and_in(web: Web) -> None:
    ecs = web.hatoba.client("ecs")
    with Load(web.address, rate=100) as load:
        for count in (4, 1, 2):
            ecs.update_service(service="shop", desiredCount=count)
            eventually(lambda count=count: web.describe()["runningCount"] == count)
        web.steady()
    assert load.failures == []


def test_the_waiter_of_the_stock_cli(web: Web) -> None:
    web.hatoba.aws("ecs", "wait", "services-stable", "--services", "shop")


def test_everything_is_as_it_was_after_a_restart(web: Web) -> None:
    """Both processes killed at once: tasks run on, traffic flows on, nothing is started anew."""
    ecs = web.hatoba.client("ecs")
    before = sorted(ecs.list_tasks(serviceName="shop")["taskArns"])
    with Load(web.address, rate=100) as load:
        web.hatoba.kill("control")
        web.hatoba.kill("node")
        eventually(lambda: web.hatoba.health_or_none())
        eventually(lambda: web.describe()["runningCount"] == 2)
        seen = load.count
        eventually(lambda: load.count > seen + 100)
    assert load.failures == []
    assert sorted(ecs.list_tasks(serviceName="shop")["taskArns"]) == before
