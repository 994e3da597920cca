"""Services in the network modes bridge and host behind a load balancer: targets are ports of the instance, dynamic ones
on the bridge; they join, serve, are drained, and a new version costs no request. Tasks of VPCs do not get there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tools.instance import Instance, eventually, free_port
from tools.load import Load
from tools.web import Web, page

pytestmark = pytest.mark.real


class OnBridge(Web):
    mode = "bridge"


class OnHost(Web):
    mode = "host"
    port = free_port()


@pytest.fixture(scope="module")
def bridge(hatoba: Instance) -> Iterator[OnBridge]:
    web = OnBridge(hatoba, "bridge")
    web.create("v1")
    web.steady()
    yield web
    web.remove()


def targets(web: Web) -> list[dict[str, Any]]:
    health = web.hatoba.client("elbv2").describe_target_health(TargetGroupArn=web.target_group)
    return [described["Target"] for described in health["TargetHealthDescriptions"]]


def bindings(web: Web) -> set[int]:
    """The ports of the instance that lead to the service's tasks, as ECS tells them."""
    ecs = web.hatoba.client("ecs")
    tasks = ecs.describe_tasks(tasks=ecs.list_tasks(serviceName=web.name)["taskArns"])["tasks"]
    return {binding["hostPort"] for task in tasks for c in task["containers"] for binding in c["networkBindings"]}


def test_tasks_on_the_bridge_are_targets_by_instance_and_dynamic_port(bridge: OnBridge) -> None:
    assert bridge.targets() == ["healthy", "healthy"]
    (instance,) = bridge.hatoba.client("ecs").describe_container_instances(
        containerInstances=bridge.hatoba.client("ecs").list_container_instances()["containerInstanceArns"]
    )["containerInstances"]
    assert {target["Id"] for target in targets(bridge)} == {instance["ec2InstanceId"]}
    assert {target["Port"] for target in targets(bridge)} == bindings(bridge)
    assert eventually(lambda: page(bridge.address)) == "v1"


def test_a_new_version_costs_no_request(bridge: OnBridge) -> None:
    definition = bridge.define("v2")
    with Load(bridge.address, rate=100) as load:
        eventually(lambda: load.count > 50)
        bridge.update(definition)
        bridge.steady()
        before = load.count
        eventually(lambda: load.count > before + 50)
    assert load.failures == []
    assert b"v1\n" in load.answers
    assert b"v2\n" in load.answers
    eventually(lambda: {target["Port"] for target in targets(bridge)} == bindings(bridge))


def test_it_goes_on_when_the_agent_was_killed(bridge: OnBridge) -> None:
    with Load(bridge.address, rate=50) as load:
        bridge.hatoba.kill("node")
        before = load.count
        eventually(lambda: load.count > before + 150)
        eventually(lambda: bridge.targets() == ["healthy", "healthy"])
    assert load.failures == []


def test_a_task_on_the_hosts_network_is_a_target_at_its_own_port(hatoba: Instance) -> None:
    web = OnHost(hatoba, "onhost", count=1)
    web.create("host")
    try:
        web.steady()
        assert [target["Port"] for target in targets(web)] == [web.port]
        assert eventually(lambda: page(web.address)) == "host"
        here = hatoba.client("ecs").describe_container_instances(
            containerInstances=hatoba.client("ecs").list_container_instances()["containerInstanceArns"]
        )["containerInstances"][0]["ec2InstanceId"]
        hatoba.client("elbv2").deregister_targets(
            TargetGroupArn=web.target_group, Targets=[{"Id": here, "Port": web.port}]
        )
        # ECS sees that it was taken out, and registers it again.
        assert eventually(lambda: web.targets() == ["healthy"] and page(web.address) == "host")
    finally:
        web.remove()
