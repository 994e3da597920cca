"""An external controller: a version beside the other, each with its target group, and the traffic goes over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tools.instance import Instance, eventually
from tools.load import Load
from tools.web import Web

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def web(hatoba: Instance) -> Iterator[Web]:
    web = Web(hatoba, "sets")
    hatoba.client("ecs").create_service(
        serviceName=web.name, desiredCount=web.count, deploymentController={"type": "EXTERNAL"}
    )
    yield web
    web.remove()


@pytest.fixture(scope="module")
def green(web: Web) -> Iterator[str]:
    """A second target group of the same listener, that is given nothing."""
    elb = web.hatoba.client("elbv2")
    (known,) = elb.describe_target_groups(TargetGroupArns=[web.target_group])["TargetGroups"]
    alike = ("Protocol", "Port", "VpcId", "TargetType", "HealthCheckIntervalSeconds", "HealthCheckTimeoutSeconds")
    made = elb.create_target_group(Name="sets-green", HealthyThresholdCount=2, **{name: known[name] for name in alike})
    arn: str = made["TargetGroups"][0]["TargetGroupArn"]
    elb.modify_target_group_attributes(
        TargetGroupArn=arn, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}]
    )
    share(web, {web.target_group: 100, arn: 0})
    yield arn
    share(web, {web.target_group: 100})
    elb.delete_target_group(TargetGroupArn=arn)


def share(web: Web, weights: dict[str, int]) -> None:
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
    web.hatoba.client("elbv2").modify_listener(
        ListenerArn=web.listener, DefaultActions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
    )


def task_set(web: Web, definition: str, target_group: str) -> str:
    made = web.hatoba.client("ecs").create_task_set(
        cluster="default",
        service=web.name,
        taskDefinition=definition,
        launchType="FARGATE",
        networkConfiguration=web.hatoba.network(groups=[web.group]),
        loadBalancers=[{"targetGroupArn": target_group, "containerName": "web", "containerPort": 80}],
        scale={"value": 100, "unit": "PERCENT"},
    )
    name: str = made["taskSet"]["id"]
    eventually(lambda: described(web, name)["stabilityStatus"] == "STEADY_STATE")
    return name


def described(web: Web, name: str) -> dict[str, Any]:
    found = web.hatoba.client("ecs").describe_task_sets(cluster="default", service=web.name, taskSets=[name])
    return dict(found["taskSets"][0]) if found["taskSets"] else {"status": "gone"}


def test_the_primary_is_switched_without_a_failed_request(web: Web, green: str) -> None:
    ecs = web.hatoba.client("ecs")
    of = {"cluster": "default", "service": web.name}
    old = task_set(web, web.define("v1"), web.target_group)
    ecs.update_service_primary_task_set(**of, primaryTaskSet=old)
    definition = web.define("v2")
    with Load(web.address, rate=200) as load:
        eventually(lambda: load.count > 100)
        new = task_set(web, definition, green)
        assert set(load.answers) == {b"v1\n"}
        assert web.describe()["runningCount"] == 4
        for weight in (50, 100):
            share(web, {web.target_group: 100 - weight, green: weight})
            seen = load.count
            eventually(lambda seen=seen: load.count > seen + 100)
        ecs.update_service_primary_task_set(**of, primaryTaskSet=new)
        ecs.update_task_set(**of, taskSet=old, scale={"value": 0, "unit": "PERCENT"})
        eventually(lambda: described(web, old)["runningCount"] == 0)
        ecs.delete_task_set(**of, taskSet=old)
        eventually(lambda: described(web, old)["status"] == "gone")
        seen = load.count
        eventually(lambda: load.count > seen + 100)
    assert load.failures == []
    assert set(load.answers) == {b"v1\n", b"v2\n"}
    shown = web.describe()
    assert [(s["id"], s["status"], s["runningCount"]) for s in shown["taskSets"]] == [(new, "PRIMARY", 2)]
    assert shown["taskDefinition"] == definition
    told = [event["message"] for event in shown["events"]]
    assert any(f"(service sets, taskSet {old}) has begun draining connections on 2 tasks." in line for line in told)
