"""Services and availability zones, on real controllers: where tasks start, stop, and are moved to."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.records import replace
from hatoba.placement import Scheduler
from hatoba.services.ecs.model.task import tasks
from tests.unit.services.ecs.test_ecs_events import listening
from tests.unit.services.ecs.test_ecs_services import create, described, messages
from tests.unit.services.ecs.test_ecs_task_sets import refused
from tests.unit.services.ecs.world import World, definition, world

THREE = {"awsvpcConfiguration": {"subnets": ["subnet-a", "subnet-b", "subnet-c"]}}
ZONES = {f"subnet-{letter}": f"us-east-1{letter}" for letter in "abc"}


def in_zones(w: World) -> Counter[str]:
    return Counter(task.subnet[-1] for task in w.store.all(tasks) if task.status == "RUNNING")


def on_nodes(w: World) -> Counter[str]:
    return Counter(task.node for task in w.store.all(tasks) if task.status == "RUNNING")


async def test_fargate_tasks_that_ended_up_in_one_zone_are_evened_out(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.ec2.zones = ZONES
        made = await create(w, desiredCount=6, networkConfiguration=THREE, availabilityZoneRebalancing="DISABLED")
        assert made["availabilityZoneRebalancing"] == "DISABLED"
        assert in_zones(w) == {"a": 2, "b": 2, "c": 2}
        with w.store.tx() as tx:  # as after the other zones had failed
            for task in tx.all(tasks):
                tx.put(tasks, replace(task, subnet="subnet-a"))
        assert in_zones(w) == {"a": 6}
        await w.settle()
        assert in_zones(w) == {"a": 6}
        await w.ecs.update_service(service="web", availabilityZoneRebalancing="ENABLED")
        await w.settle()
        assert in_zones(w) == {"a": 2, "b": 2, "c": 2}
        told = messages(await described(w))
        begun = told.index(
            "(service web) is not AZ balanced with 6 tasks in us-east-1a, 0 tasks in us-east-1b, 0 tasks in us-east-1c."
            " AZ Rebalancing in progress."
        )
        assert any("has started 2 tasks in us-east-1b to AZ Rebalance: (task " in line for line in told[begun:])
        assert any("running tasks in us-east-1a due to AZ rebalancing: (task " in line for line in told[begun:])
        assert told[-2:] == [
            "(service web) is AZ balanced with 2 tasks in us-east-1a, 2 tasks in us-east-1b, 2 tasks in us-east-1c.",
            "(service web) has reached a steady state.",
        ]


async def test_scaling_in_takes_from_the_fullest_zone(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.ec2.zones = ZONES
        await create(w, desiredCount=6, networkConfiguration=THREE)
        await w.ecs.update_service(service="web", desiredCount=3)
        await w.settle()
        assert in_zones(w) == {"a": 1, "b": 1, "c": 1}
        assert not any("AZ" in line for line in messages(await described(w)))


async def host_service(w: World, count: int, **fields: Any) -> None:
    plain = {"name": "web", "image": "localhost:4566/web:1", "memory": 64}
    await w.ecs.register_task_definition(family="host", networkMode="host", containerDefinitions=[plain])
    await w.ecs.create_service(serviceName="web", taskDefinition="host", desiredCount=count, **fields)
    await w.settle()


async def test_ec2_tasks_follow_the_nodes(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await host_service(w, 4)
        assert on_nodes(w) == {"node-1": 4}
        w.add_node("node-2")
        await w.settle()
        assert on_nodes(w) == {"node-1": 2, "node-2": 2}
        w.change_node("node-2", state="lost")
        await w.settle()
        assert on_nodes(w) == {"node-1": 4}
        w.change_node("node-2", state="ready")
        await w.settle()
        assert on_nodes(w) == {"node-1": 2, "node-2": 2}


async def test_a_zone_without_room_is_left_alone_for_a_while(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await host_service(w, 4)
        w.add_node("node-2", memory=32 << 20)
        await w.settle()
        assert on_nodes(w) == {"node-1": 4}
        told = messages(await described(w))
        where = "us-east-1c because no container instance met all of its requirements."
        assert [line for line in told if "unable" in line] == [f"(service web) is unable to place a task in {where}"]
        assert told[-1] == "(service web) stopped AZ Rebalancing."
        await w.pass_time(301)
        assert messages(await described(w)) == told  # it was tried again, and is no news
        w.change_node("node-2", memory=8 << 30)
        await w.settle()
        assert on_nodes(w) == {"node-1": 4}
        await w.pass_time(301)
        assert on_nodes(w) == {"node-1": 2, "node-2": 2}


async def test_a_crash_in_the_middle_goes_on_where_it_was(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await host_service(w, 4)
        w.auto = False
        w.add_node("node-2")
        await w.settle()
        await w.crash()
        assert len([t for t in w.store.all(tasks) if t.status == "PENDING"]) == 2
        w.auto = True
        for task in w.store.all(tasks):
            w.report(task.id, "running")
        await w.settle()
        assert on_nodes(w) == {"node-1": 2, "node-2": 2}


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({}, "ENABLED"),
        ({"availabilityZoneRebalancing": "DISABLED"}, "DISABLED"),
        ({"deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 100}}, "DISABLED"),
    ],
)
async def test_it_is_on_where_nothing_speaks_against_it(tmp_path: Path, fields: dict[str, Any], shown: str) -> None:
    async with world(tmp_path) as w:
        assert (await create(w, **fields))["availabilityZoneRebalancing"] == shown
        await w.ecs.update_service(service="web", desiredCount=1)
        assert (await described(w))["availabilityZoneRebalancing"] == shown


async def test_what_speaks_against_it_is_said(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        strict = {"minimumHealthyPercent": 0, "maximumPercent": 100}
        words = "AvailabilityZoneRebalancing does not support maximumPercent <= 100"
        asked = create(w, availabilityZoneRebalancing="ENABLED", deploymentConfiguration=strict)
        await refused("InvalidParameterException", words, asked)
        await create(w)
        asked = w.ecs.update_service(service="web", deploymentConfiguration=strict)
        await refused("InvalidParameterException", words, asked)
        await w.ecs.update_service(
            service="web", deploymentConfiguration=strict, availabilityZoneRebalancing="DISABLED"
        )
        assert (await described(w))["deploymentConfiguration"]["maximumPercent"] == 100


async def test_whoever_listens_hears_of_it(tmp_path: Path) -> None:
    async with listening(tmp_path) as (w, bus):
        await host_service(w, 2)
        bus.told.clear()
        w.add_node("node-2", memory=32 << 20)
        await w.settle()
        assert bus.names() == [
            "SERVICE_REBALANCING_STARTED",
            "SERVICE_TASK_PLACEMENT_FAILURE",
            "SERVICE_REBALANCING_STOPPED",
        ]
        bus.told.clear()
        w.change_node("node-2", memory=8 << 30)
        await w.pass_time(301)
        assert [name for name in bus.names() if name != "SERVICE_STEADY_STATE"] == [
            "SERVICE_REBALANCING_STARTED",
            "TASKS_STARTED",
            "TASKS_STOPPED",
            "SERVICE_REBALANCING_COMPLETED",
        ]
        (stopped,) = [t for t in w.store.all(tasks) if t.status == "STOPPED"]
        assert stopped.stopped_reason.startswith("Availability-zone rebalancing initiated by (deployment ecs-svc/")


async def test_where_tasks_may_be_is_looked_for_when_nodes_change_and_not_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    lack = Scheduler.lack

    def counted(self: Scheduler, need: Any, site: Any) -> Any:
        looked.append(site.id)
        return lack(self, need, site)

    async with world(tmp_path) as w:
        await host_service(w, 2)
        monkeypatch.setattr(Scheduler, "lack", counted)
        for seconds in range(1, 6):
            await w.ecs.update_service(service="web", enableExecuteCommand=bool(seconds % 2))
            await w.pass_time(seconds)
        assert looked == []
        w.change_node("node-1", schedulable=True, cpu=4096)
        await w.ecs.update_service(service="web", enableECSManagedTags=True)
        await w.settle()
        assert looked == ["node-1"]


async def test_a_task_on_an_instance_has_its_interface_in_that_zone(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.ec2.zones = ZONES
        for number in (2, 3):
            w.add_node(f"node-{number}")
        both = ["FARGATE", "EC2"]
        await w.ecs.register_task_definition(**definition(requiresCompatibilities=both))
        await w.ecs.create_service(
            serviceName="web", taskDefinition="web", desiredCount=6, launchType="EC2", networkConfiguration=THREE
        )
        await w.settle()
        shown = await w.ecs.describe_container_instances(containerInstances=["node-1", "node-2", "node-3"])
        zones = {
            instance["ec2InstanceId"]: attribute["value"]
            for instance in shown["containerInstances"]
            for attribute in instance["attributes"]
            if attribute["name"] == "ecs.availability-zone"
        }
        assert len(set(zones.values())) == 3
        assert {task.node: ZONES[task.subnet] for task in w.store.all(tasks)} == zones
        assert on_nodes(w) == {"node-1": 2, "node-2": 2, "node-3": 2}
