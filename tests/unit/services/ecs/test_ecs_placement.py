"""Where tasks run: strategies and constraints of requests, services and task definitions, and named instances."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.model.usage import Usage
from hatoba.services.ecs.plan.placement import checked
from tests.unit.services.ecs.world import SCOPE, World, container, world

GIB = 1 << 30


async def register(w: World, family: str = "ec2", **fields: Any) -> None:
    content: dict[str, Any] = {
        "family": family,
        "networkMode": "host",
        "containerDefinitions": [container(cpu=256, memory=512, portMappings=[])],
        **fields,
    }
    await w.ecs.register_task_definition(**content)


async def nodes_of(w: World, answer: Any) -> list[str]:
    return [task["containerInstanceArn"].rpartition("/")[2] for task in answer["tasks"]]


async def running(w: World, service: str) -> Counter[str]:
    found = (await w.ecs.list_tasks(serviceName=service))["taskArns"]
    described = (await w.ecs.describe_tasks(tasks=found))["tasks"] if found else []
    return Counter(task["containerInstanceArn"].rpartition("/")[2] for task in described)


def spread(field: str) -> dict[str, str]:
    return {"type": "spread", "field": field}


async def test_strategies_in_order(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        for number in range(2, 7):
            w.add_node(f"node-{number}")
        await register(w, containerDefinitions=[container(cpu=64, memory=64, portMappings=[])])
        # node-1 … node-6 lie in the zones b, c, a, b, c, a.
        answer = await w.ecs.run_task(
            taskDefinition="ec2", count=6, placementStrategy=[{"type": "binpack", "field": "cpu"}]
        )
        assert await nodes_of(w, answer) == ["node-1"] * 6
        zones = [spread("attribute:ecs.availability-zone"), {"type": "binpack", "field": "memory"}]
        answer = await w.ecs.run_task(taskDefinition="ec2", count=6, group="mine", placementStrategy=zones)
        assert Counter(await nodes_of(w, answer)) == {"node-1": 2, "node-2": 2, "node-3": 2}
        answer = await w.ecs.run_task(taskDefinition="ec2", count=6, group="each", placementStrategy=[spread("host")])
        assert sorted(await nodes_of(w, answer)) == [f"node-{number}" for number in range(1, 7)]
        answer = await w.ecs.run_task(taskDefinition="ec2", count=6, placementStrategy=[{"type": "random"}])
        assert len(await nodes_of(w, answer)) == 6


async def test_constraints_of_the_request_and_of_the_definition(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.add_node("node-2")
        w.add_node("node-3")
        for node, stack in (("node-1", "blue"), ("node-2", "green"), ("node-3", "green")):
            await w.ecs.put_attributes(attributes=[{"name": "stack", "value": stack, "targetId": node}])
        green = {"type": "memberOf", "expression": "attribute:stack == green"}
        await register(w, placementConstraints=[green])
        answer = await w.ecs.run_task(taskDefinition="ec2", count=4)
        assert Counter(await nodes_of(w, answer)) == {"node-2": 2, "node-3": 2}
        here = {"type": "memberOf", "expression": "ec2InstanceId != node-2"}
        answer = await w.ecs.run_task(taskDefinition="ec2", count=2, placementConstraints=[here])
        assert await nodes_of(w, answer) == ["node-3", "node-3"]
        one = {"type": "distinctInstance"}
        answer = await w.ecs.run_task(taskDefinition="ec2", count=3, group="alone", placementConstraints=[one])
        assert await nodes_of(w, answer) == ["node-2", "node-3"]
        (failure,) = answer["failures"]
        assert failure["reason"] == "DistinctInstance placement constraint unsatisfied."
        assert failure["detail"] == (
            "no capacity: 1 node does not meet (attribute:stack == green): node-1; "
            "2 nodes have one of the same group already: node-2, node-3"
        )


async def test_constraints_about_what_runs(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.add_node("node-2")
        await register(w)
        await register(w, "other")
        await w.ecs.start_task(taskDefinition="other", containerInstances=["node-2"], group="database")
        await w.settle()
        for expression, node in (
            ("task:group == database", "node-2"),
            ("not(task:group == database)", "node-1"),
            ("runningTasksCount == 1", "node-2"),
        ):
            rule = {"type": "memberOf", "expression": expression}
            answer = await w.ecs.run_task(taskDefinition="ec2", group=expression, placementConstraints=[rule])
            assert await nodes_of(w, answer) == [node], expression
            await w.ecs.stop_task(task=answer["tasks"][0]["taskArn"])
            await w.settle()
        found = (await w.ecs.list_container_instances(filter="task:group == database"))["containerInstanceArns"]
        assert [arn.rpartition("/")[2] for arn in found] == ["node-2"]
        # What runs in another cluster is not asked about.
        await w.ecs.create_cluster(clusterName="far")
        far = await w.ecs.list_container_instances(cluster="far", filter="task:group == database")
        assert far["containerInstanceArns"] == []


async def test_services_keep_to_theirs(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        for number in (2, 3):
            w.add_node(f"node-{number}")
        await register(w)
        made = await w.ecs.create_service(
            serviceName="web",
            taskDefinition="ec2",
            desiredCount=4,
            placementStrategy=[{"type": "binpack", "field": "memory"}],
            placementConstraints=[{"type": "memberOf", "expression": "ec2InstanceId in [node-2, node-3]"}],
        )
        assert made["service"]["placementStrategy"] == [{"type": "binpack", "field": "MEMORY"}]
        await w.settle()
        assert await running(w, "web") == {"node-2": 4}
        # A changed strategy is for what is placed from now on.
        changed = await w.ecs.update_service(service="web", placementStrategy=[spread("host")], desiredCount=6)
        assert len(changed["service"]["deployments"]) == 1
        assert changed["service"]["placementConstraints"][0]["type"] == "memberOf"
        await w.settle()
        assert await running(w, "web") == {"node-2": 4, "node-3": 2}
        await w.ecs.update_service(service="web", placementConstraints=[], placementStrategy=[], desiredCount=7)
        await w.settle()
        assert (await running(w, "web"))["node-1"] == 1


async def test_a_service_that_cannot_be_placed_says_why(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await register(w)
        rule = {"type": "memberOf", "expression": "attribute:gpu exists"}
        await w.ecs.create_service(serviceName="web", taskDefinition="ec2", desiredCount=1, placementConstraints=[rule])
        await w.settle()
        (service,) = (await w.ecs.describe_services(services=["web"]))["services"]
        assert service["events"][0]["message"] == (
            "(service web) was unable to place a task because no container instance met all of its requirements. The "
            'closest matching (container-instance node-1) encountered error "MemberOf placement constraint '
            'unsatisfied.". Reason: no capacity: 1 node does not meet (attribute:gpu exists).'
        )
        await w.ecs.put_attributes(attributes=[{"name": "gpu", "targetId": "node-1"}])
        await w.settle()
        assert await running(w, "web") == {"node-1": 1}


@pytest.mark.parametrize(
    ("strategies", "constraints", "launch_type", "why"),
    [
        ([{"type": "random"}], [], "FARGATE", "Placement strategies are not supported with FARGATE launch type."),
        ([], [{"type": "distinctInstance"}], "FARGATE", "Placement constraints are not supported with FARGATE launch"),
        ([{"type": "random"}] * 6, [], "EC2", "number of placement strategies is 5"),
        ([], [{"type": "distinctInstance"}] * 11, "EC2", "number of placement constraints is 10"),
        ([{"type": "random", "field": "cpu"}], [], "EC2", "random takes no field"),
        ([{"type": "spread"}], [], "EC2", "instanceId, host or attribute"),
        ([{"type": "spread", "field": "attribute:"}], [], "EC2", "instanceId, host or attribute"),
        ([{"type": "binpack", "field": "disk"}], [], "EC2", "must be cpu or memory"),
        ([{}], [], "EC2", "random, spread or binpack"),
        ([], [{"type": "memberOf"}], "EC2", "Invalid expression '': a subject was expected at character 1."),
        ([], [{"type": "memberOf", "expression": "stack == blue"}], "EC2", "stack is not a subject at character 1."),
        ([], [{"type": "distinctInstance", "expression": "x"}], "EC2", "distinctInstance takes no expression"),
        ([], [{}], "EC2", "distinctInstance or memberOf"),
    ],
)
def test_what_is_not_a_placement(strategies: Any, constraints: Any, launch_type: str, why: str) -> None:
    with pytest.raises(t.InvalidParameterException) as refused:
        checked(strategies, constraints, launch_type)
    assert why in refused.value.message


async def test_a_definition_takes_conditions_only(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        with pytest.raises(t.ClientException, match="Invalid expression"):
            await register(w, placementConstraints=[{"type": "memberOf", "expression": "stack"}])


async def test_start_task_goes_where_it_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.add_node("node-2")
        w.add_node("node-3", cpu=100)
        w.change_node("node-3", seen_at=1.0)
        w.add_node("node-4")
        w.change_node("node-4", state="lost", seen_at=1.0)
        await register(w)
        asked = ["node-2", "node-3", "node-4", "node-9", "node-2"]
        answer = await w.ecs.start_task(taskDefinition="ec2", containerInstances=asked, startedBy="me")
        assert await nodes_of(w, answer) == ["node-2", "node-2"]
        assert [task["startedBy"] for task in answer["tasks"]] == ["me", "me"]
        reasons = {failure["arn"].rpartition("/")[2]: failure["reason"] for failure in answer["failures"]}
        assert reasons == {"node-3": "RESOURCE:CPU", "node-4": "AGENT", "node-9": "MISSING"}
        assert answer["failures"][0]["detail"] == "no capacity: 1 node lacks CPU (need 256 units): node-3"
        await w.settle()
        described = await w.ecs.describe_tasks(tasks=[task["taskArn"] for task in answer["tasks"]])
        assert {task["lastStatus"] for task in described["tasks"]} == {"RUNNING"}


async def test_the_ledger_is_the_tasks_added_up(tmp_path: Path) -> None:
    """Also when a transaction is taken back, and after the process has died."""
    async with world(tmp_path) as w:
        w.add_node("node-2")
        await register(
            w,
            containerDefinitions=[container(cpu=256, memory=512, portMappings=[{"containerPort": 80, "hostPort": 80}])],
        )
        answer = await w.ecs.run_task(taskDefinition="ec2", count=3)
        assert answer["failures"][0]["reason"] == "RESOURCE:PORTS"
        await w.settle()
        with pytest.raises(ZeroDivisionError), w.store.tx() as tx:  # noqa: PT012
            for task in tx.all(tasks):
                tx.forget(tasks, task.key)
            assert tx.tally(tasks, Usage).on("node-1").running == 0
            raise ZeroDivisionError
        for _ in range(2):
            use = w.store.tally(tasks, Usage).on("node-1")
            assert (use.cpu, use.memory, use.running, use.ports) == (256, 512 << 20, 1, {(80, "tcp"): 1})
            await w.crash()
            await w.settle()
        for task in answer["tasks"]:
            await w.ecs.stop_task(task=task["taskArn"])
        await w.settle()
        for _ in range(2):
            assert w.store.tally(tasks, Usage).on("node-1").running == 0
            await w.crash()
        assert all(task.scope == SCOPE for task in w.store.all(tasks))
