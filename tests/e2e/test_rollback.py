"""Versions that do not work, behind a load balancer with the circuit breaker on: undone, and nobody notices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tools.instance import Instance, eventually
from tools.load import Load
from tools.web import Web

pytestmark = pytest.mark.real

BREAKER = {
    "deploymentCircuitBreaker": {
        "enable": True,
        "rollback": True,
        "thresholdConfiguration": {"type": "COUNT", "value": 3},
    }
}
CRASHES = ["sh", "-c", "exit 1"]
SERVES_NOTHING = ["httpd", "-f", "-p", "80", "-h", "/tmp"]  # every page is a 404


@pytest.fixture(scope="module")
def web(hatoba: Instance) -> Iterator[Web]:
    web = Web(hatoba, "stable")
    web.create("v1")
    web.steady()
    yield web
    web.remove()


def newest(web: Web) -> dict[str, Any]:
    ecs = web.hatoba.client("ecs")
    arn = ecs.list_service_deployments(service=web.name)["serviceDeployments"][0]["serviceDeploymentArn"]
    found: dict[str, Any] = ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]
    return found


def running(web: Web) -> list[str]:
    return sorted(web.hatoba.client("ecs").list_tasks(serviceName=web.name)["taskArns"])


@pytest.mark.parametrize(("version", "command"), [("crashes", CRASHES), ("unhealthy", SERVES_NOTHING)])
def test_a_version_that_does_not_work_is_rolled_back(web: Web, version: str, command: list[str]) -> None:
    ecs, before, last = web.hatoba.client("ecs"), running(web), newest(web)["serviceDeploymentArn"]
    definition = web.define(version, command=command)
    with Load(web.address, rate=200) as load:
        eventually(lambda: load.count > 100)
        ecs.update_service(service=web.name, taskDefinition=definition, deploymentConfiguration=BREAKER)
        eventually(lambda: newest(web)["serviceDeploymentArn"] != last)
        eventually(lambda: newest(web)["status"] == "ROLLBACK_SUCCESSFUL", 90, 0.2)
        web.steady()
        seen = load.count
        eventually(lambda: load.count > seen + 100)
    assert load.failures == []
    assert set(load.answers) == {b"v1\n"}
    eventually(lambda: running(web) == before)
    found = newest(web)
    assert found["statusReason"] == found["rollback"]["reason"]
    assert (found["deploymentCircuitBreaker"]["status"], found["deploymentCircuitBreaker"]["threshold"]) == (
        "TRIGGERED",
        3,
    )
    told = [event["message"] for event in web.describe()["events"]]
    assert any("deployment failed: tasks failed to start." in message for message in told)
    assert any("rolling back to deployment ecs-svc/" in message for message in told)


def test_a_tag_that_moved_changes_nothing_until_the_next_deployment(web: Web) -> None:
    """What is started instead of a task that died runs the bytes of its deployment."""
    ecs = web.hatoba.client("ecs")
    web.update(web.define("v2"))
    web.steady()
    revision = newest(web)["targetServiceRevision"]["arn"]
    (found,) = ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"]
    digest = found["containerImages"][0]["imageDigest"]
    moved = web.hatoba.push(web.name, tag="v2")  # another image under the same tag
    assert moved == found["containerImages"][0]["image"]
    first, *_ = running(web)
    ecs.stop_task(task=first)
    eventually(lambda: first not in running(web) and web.describe()["runningCount"] == 2)
    web.steady()
    tasks = ecs.describe_tasks(tasks=running(web))["tasks"]
    assert {task["containers"][0]["imageDigest"] for task in tasks} == {digest}


def test_a_deployment_is_stopped_on_the_way_and_taken_back(web: Web) -> None:
    ecs, before = web.hatoba.client("ecs"), running(web)
    definition = web.define("v3", command=SERVES_NOTHING)
    with Load(web.address, rate=200) as load:
        web.update(definition)
        eventually(lambda: web.describe()["deployments"][0]["runningCount"] > 0)
        ecs.stop_service_deployment(serviceDeploymentArn=newest(web)["serviceDeploymentArn"], stopType="ROLLBACK")
        eventually(lambda: newest(web)["status"] == "ROLLBACK_SUCCESSFUL", pause=0.2)
    assert load.failures == []
    eventually(lambda: running(web) == before)
