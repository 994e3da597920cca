"""Tasks in subnets with an IPv6 block, and in those with IPv6 only: what they have, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.services.ecs.model.task import Eni, Target, tasks
from hatoba.services.ecs.plan.rollout.seen import where
from tests.unit.services.ecs.test_ecs_services import BALANCED, create
from tests.unit.services.ecs.world import SCOPE, World, definition, world

V4, V6, ONLY6 = "subnet-a", "subnet-b", "subnet-c"


def network(subnet: str, **more: Any) -> dict[str, Any]:
    return {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": ["sg-1"], **more}}


async def ran(w: World, subnet: str) -> Any:
    """A task that runs there, as it is described."""
    w.ec2.with_ipv6, w.ec2.only_ipv6 = {V6}, {ONLY6}
    await w.ecs.register_task_definition(**definition())
    made = await w.ecs.run_task(taskDefinition="web", launchType="FARGATE", networkConfiguration=network(subnet))
    await w.settle()
    (task,) = (await w.ecs.describe_tasks(tasks=[made["tasks"][0]["taskArn"]]))["tasks"]
    assert task["lastStatus"] == "RUNNING"
    return task


def details(task: Any) -> dict[str, str]:
    (attachment,) = task["attachments"]
    return {each["name"]: each["value"] for each in attachment["details"]}


@pytest.mark.parametrize(("subnet", "four", "six"), [(V4, True, False), (V6, True, True), (ONLY6, False, True)])
async def test_a_task_has_what_its_subnet_gives(tmp_path: Path, subnet: str, four: bool, six: bool) -> None:
    async with world(tmp_path) as w:
        task = await ran(w, subnet)
        told = details(task)
        assert ("privateIPv4Address" in told, "ipv6Address" in told) == (four, six)
        (shown,) = task["containers"][0]["networkInterfaces"]
        assert shown.get("privateIpv4Address") == told.get("privateIPv4Address")
        assert shown.get("ipv6Address") == told.get("ipv6Address")
        assert ("privateDnsName" in told) == four


async def test_a_task_with_ipv6_only_has_no_public_address(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.ec2.only_ipv6 = {ONLY6}
        await w.ecs.register_task_definition(**definition())
        wanted = network(ONLY6, assignPublicIp="ENABLED")
        with pytest.raises(t.InvalidParameterException, match="assignPublicIp cannot be ENABLED"):
            await w.ecs.run_task(taskDefinition="web", launchType="FARGATE", networkConfiguration=wanted)
        assert w.store.all(tasks) == []


async def test_a_load_balancer_finds_it_at_the_address_that_it_has(tmp_path: Path) -> None:
    """Of the group's family, if it has one."""
    async with world(tmp_path) as w:
        await ran(w, V4)
        (task,) = w.store.scan(tasks, SCOPE)
    target = Target(group="arn", container="web", port=80)
    eni = Eni(id="eni-1", subnet=V6, vpc="vpc-1", address="10.0.0.4", mac="", address6="fd68::4")
    assert where(replace(task, eni=eni), target) == ("10.0.0.4", 80)
    assert where(replace(task, eni=msgspec.structs.replace(eni, address="")), target) == ("fd68::4", 80)
    six = msgspec.structs.replace(target, six=True)
    assert where(replace(task, eni=eni), six) == ("fd68::4", 80)
    assert where(replace(task, eni=msgspec.structs.replace(eni, address6="")), six) == ("10.0.0.4", 80), "refused there"


@pytest.mark.parametrize("ip_type", ["ipv4", "ipv6"])
async def test_a_service_of_both_families_joins_a_group_by_its_groups(tmp_path: Path, ip_type: str) -> None:
    """And leaves it by the same, also when an update has tasks join and leave."""
    async with world(tmp_path) as w:
        w.ec2.with_ipv6, w.elb.ip_type = {V6}, ip_type
        await create(w, loadBalancers=BALANCED, networkConfiguration=network(V6))
        enis = [task.eni for task in w.store.all(tasks) if task.eni is not None]
        own = {eni.address6 if ip_type == "ipv6" else eni.address for eni in enis}
        assert len(own) == 2
        assert {address for _, address, _ in w.elb.states} == own
        await w.ecs.update_service(service="web", desiredCount=0)
        await w.settle()
        assert {address for what, address in w.elb.history if what == "deregister"} == own
