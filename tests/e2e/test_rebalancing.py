"""Availability zone rebalancing: a machine that joins in another zone gets its share of a service that is steady."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import Any

import pytest

from tools.instance import Instance, eventually
from tools.load import Load
from tools.machine import FIRST, Cables, Machine
from tools.web import Web

pytestmark = [pytest.mark.real, pytest.mark.slow]


def where(ecs: Any) -> Counter[str]:
    """Running tasks by instance."""
    arns = ecs.list_tasks(serviceName="even")["taskArns"]
    found = ecs.describe_tasks(tasks=arns)["tasks"] if arns else []
    return Counter(task["containerInstanceArn"] for task in found if task["lastStatus"] == "RUNNING")


def test_a_machine_that_joins_gets_its_share_without_a_failed_request() -> None:
    with Cables() as cables, Instance(options=["--node-host", FIRST]) as hatoba:
        web, ecs = Web(hatoba, "even", count=4), hatoba.client("ecs")
        ecs.create_service(
            serviceName=web.name,
            taskDefinition=web.define("v1"),
            desiredCount=web.count,
            launchType="EC2",
            networkConfiguration=hatoba.network(groups=[web.group], public=False),
            loadBalancers=[{"targetGroupArn": web.target_group, "containerName": "web", "containerPort": 80}],
        )
        web.steady()
        assert web.describe()["availabilityZoneRebalancing"] == "ENABLED"
        assert list(where(ecs).values()) == [4]
        with ExitStack() as until_the_load_is_over, Load(web.address, rate=200) as load:
            until_the_load_is_over.enter_context(Machine(hatoba, cables, 2))
            eventually(lambda: sorted(where(ecs).values()) == [2, 2], pause=0.2)
            eventually(lambda: "is AZ balanced" in told(web), pause=0.2)
            web.steady()
            seen = load.count
            eventually(lambda: load.count > seen + 100)
        assert load.failures == []
        assert "is not AZ balanced with 4 tasks in" in told(web)


def told(web: Web) -> str:
    return "\n".join(event["message"] for event in web.describe()["events"])
