"""Deployments that shift traffic, behind a real load balancer under load: forward and back, and no request is lost."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest

from tools.instance import Instance, eventually
from tools.load import Load
from tools.shifts import CANARY, LINEAR, TEST_PORT, Shifted, strategy

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def web(hatoba: Instance) -> Iterator[Shifted]:
    web = Shifted(hatoba)
    web.create("v1")
    assert web.over() == "SUCCESSFUL"
    yield web
    web.remove()


def page(address: str, port: int = 80) -> str:
    with urllib.request.urlopen(f"http://{address}:{port}/", timeout=20) as answer:
        return str(answer.read().decode().strip())


def shows(web: Shifted, production: str, test: str = "") -> bool:
    """Once Envoy knows what the listeners' rules have become."""
    return page(web.address) == production and (not test or page(web.address, TEST_PORT) == test)


def settled(load: Load, more: int = 100) -> None:
    seen = load.count
    eventually(lambda: load.count > seen + more)


def test_the_new_version_is_tried_on_the_test_port_before_it_serves(web: Shifted) -> None:
    definition, before = web.define("v2"), page(web.address)
    with Load(web.address, rate=200) as load:
        web.deploy(definition, strategy("BLUE_GREEN", "POST_TEST_TRAFFIC_SHIFT"))
        hook = web.paused()
        eventually(lambda: shows(web, before, "v2"))
        assert set(load.answers) == {f"{before}\n".encode()}
        web.resume(hook)
        assert web.over() == "SUCCESSFUL"
        settled(load)
    assert load.failures == []
    eventually(lambda: shows(web, "v2", "v2"))
    eventually(lambda: len(web.tasks()) == 2)


def test_all_traffic_comes_back_when_it_is_rolled_back(web: Shifted) -> None:
    before, tasks = page(web.address), web.tasks()
    with Load(web.address, rate=200) as load:
        web.deploy(web.define("v3"), strategy("BLUE_GREEN", "POST_PRODUCTION_TRAFFIC_SHIFT"))
        hook = web.paused()
        eventually(lambda: page(web.address) == "v3")
        web.resume(hook, "ROLLBACK")
        assert web.over() == "ROLLBACK_SUCCESSFUL"
        settled(load)
    assert load.failures == []
    assert b"v3\n" in load.answers
    eventually(lambda: shows(web, before) and web.tasks() == tasks)


def test_step_by_step_with_the_control_plane_killed_in_between(web: Shifted) -> None:
    with Load(web.address, rate=200) as load:
        web.deploy(web.define("v4"), strategy("LINEAR", "PRE_PRODUCTION_TRAFFIC_SHIFT", **LINEAR))
        for share in (0.0, 25.0, 50.0, 75.0):
            hook = web.paused()
            assert web.deployment()["targetServiceRevision"]["requestedProductionTrafficWeight"] == share
            if share == 50.0:
                web.hatoba.kill("control")
                eventually(lambda: web.hatoba.health_or_none())
            settled(load, 20)
            web.resume(hook)
        assert web.over() == "SUCCESSFUL"
    assert load.failures == []
    eventually(lambda: shows(web, "v4"))


def test_a_canary_that_is_stopped_gives_its_part_back(web: Shifted) -> None:
    before, tasks = page(web.address), web.tasks()
    with Load(web.address, rate=200) as load:
        web.deploy(web.define("v5"), strategy("CANARY", "PRE_PRODUCTION_TRAFFIC_SHIFT", **CANARY))
        web.resume(web.paused())
        eventually(lambda: load.answers.get(b"v5\n", 0) > 20)
        arn = web.deployment()["serviceDeploymentArn"]
        web.hatoba.client("ecs").stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
        assert web.over() == "ROLLBACK_SUCCESSFUL"
        settled(load)
    assert load.failures == []
    assert load.answers[b"v5\n"] < load.answers[f"{before}\n".encode()]
    eventually(lambda: shows(web, before) and web.tasks() == tasks)


def test_a_version_that_does_not_start_never_has_traffic(web: Shifted) -> None:
    before, tasks = page(web.address), web.tasks()
    threshold = {"type": "COUNT", "value": 3}
    breaker = {"enable": True, "rollback": True, "thresholdConfiguration": threshold}
    with Load(web.address, rate=200) as load:
        broken = web.define("v6", command=["sh", "-c", "exit 1"])
        web.deploy(broken, strategy("BLUE_GREEN", deploymentCircuitBreaker=breaker))
        assert web.over() == "ROLLBACK_SUCCESSFUL"
        settled(load)
    assert load.failures == []
    assert set(load.answers) == {f"{before}\n".encode()}
    assert web.tasks() == tasks
    assert web.deployment()["deploymentCircuitBreaker"]["status"] == "TRIGGERED"


def test_a_hook_that_nobody_can_call_undoes_the_deployment_and_says_why(web: Shifted) -> None:
    role = web.hatoba.task_role("hooks", "lambda:InvokeFunction")
    function = "arn:aws:lambda:us-east-1:123456789012:function:judge"
    hook = {"hookTargetArn": function, "roleArn": role, "lifecycleStages": ["POST_SCALE_UP"]}
    before = web.tasks()
    web.deploy(web.define("v7"), strategy(lifecycleHooks=[hook]))
    assert web.over() == "ROLLBACK_SUCCESSFUL"
    assert f"{function} could not be called" in web.deployment()["statusReason"]
    assert web.tasks() == before
