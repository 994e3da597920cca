"""Two nodes on one machine, each in a host namespace of its own: their tasks reach each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tools.instance import Instance, eventually
from tools.machine import FIRST, Cables, Machine

pytestmark = pytest.mark.real


@pytest.fixture
def two_nodes() -> Iterator[Instance]:
    with Cables() as cables, Instance(options=["--node-host", FIRST]) as hatoba, Machine(hatoba, cables, 2):
        yield hatoba


def test_tasks_of_two_nodes_reach_each_other(two_nodes: Instance) -> None:
    hatoba, ecs = two_nodes, two_nodes.client("ecs")
    image, group = hatoba.push("busybox"), hatoba.allow(8080, "172.31.0.0/16")

    def definition(family: str, *command: str) -> None:
        ecs.register_task_definition(
            family=family,
            networkMode="awsvpc",
            requiresCompatibilities=["EC2"],
            cpu="256",
            memory="512",
            containerDefinitions=[
                {
                    "name": "main",
                    "image": image,
                    "command": list(command),
                    "linuxParameters": {"initProcessEnabled": True},
                }
            ],
        )

    def run(family: str) -> str:
        network = hatoba.network(groups=[group])
        answer = ecs.run_task(taskDefinition=family, launchType="EC2", networkConfiguration=network)
        arn: str = answer["tasks"][0]["taskArn"]
        return arn

    serve = "mkdir -p /www; hostname > /www/index.html; exec httpd -f -p 8080 -h /www"
    definition("server", "sh", "-c", serve)
    servers = [hatoba.wait_task(run("server"), "RUNNING") for _ in range(4)]
    addresses = [task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] for task in servers]
    spread = {n["runningTasksCount"] for n in _instances(ecs)}
    assert spread == {2}, "the tasks are spread over both nodes"

    get = r"printf 'GET / HTTP/1.0\r\n\r\n'"
    asking = " && ".join(f"{get} | nc {address} 8080 | grep -q '200 OK'" for address in addresses)
    definition("client", "sh", "-c", asking)
    for _ in range(4):  # from both nodes
        task = hatoba.wait_task(run("client"), "STOPPED")
        assert task["containers"][0]["exitCode"] == 0, task

    for task in servers:
        ecs.stop_task(task=task["taskArn"])
    for task in servers:
        hatoba.wait_task(task["taskArn"], "STOPPED")


def test_a_service_leaves_a_node_that_is_drained(two_nodes: Instance) -> None:
    hatoba, ecs = two_nodes, two_nodes.client("ecs")
    by_name = {node["ec2InstanceId"]: node["containerInstanceArn"] for node in _instances(ecs)}
    second = by_name.pop("machine-2")
    (first,) = by_name.values()
    ecs.put_attributes(attributes=[{"name": "stack", "value": "blue", "targetId": first}])
    ecs.register_task_definition(
        family="steady",
        networkMode="awsvpc",
        requiresCompatibilities=["EC2"],
        cpu="128",
        memory="64",
        containerDefinitions=[
            {
                "name": "main",
                "image": hatoba.push("busybox"),
                "command": ["sleep", "600"],
                "linuxParameters": {"initProcessEnabled": True},
            }
        ],
    )
    ecs.create_service(
        serviceName="steady",
        taskDefinition="steady",
        launchType="EC2",
        desiredCount=3,
        networkConfiguration=hatoba.network(groups=[hatoba.allow(8080, "172.31.0.0/16")]),
        placementStrategy=[{"type": "binpack", "field": "memory"}],
        placementConstraints=[
            {"type": "memberOf", "expression": "attribute:stack == blue or ec2InstanceId == machine-2"}
        ],
    )

    def where(service: str = "steady") -> list[str]:
        """Of the tasks that run."""
        arns = ecs.list_tasks(serviceName=service)["taskArns"]
        tasks = ecs.describe_tasks(tasks=arns)["tasks"] if arns else []
        return sorted(task["containerInstanceArn"] for task in tasks if task["lastStatus"] == "RUNNING")

    eventually(lambda: len(where()) == 3)
    (full,) = set(where())  # packed onto one of them
    (empty,) = {first, second} - {full}
    found = ecs.list_container_instances(filter="runningTasksCount == 3")["containerInstanceArns"]
    assert found == [full]
    ecs.create_service(
        serviceName="everywhere",
        taskDefinition="steady",
        launchType="EC2",
        schedulingStrategy="DAEMON",
        networkConfiguration=hatoba.network(groups=[]),
    )
    eventually(lambda: where("everywhere") == sorted([first, second]))
    ecs.update_container_instances_state(containerInstances=[full], status="DRAINING")
    eventually(lambda: where() == [empty] * 3 and not _busy(ecs, full))
    refused = ecs.start_task(
        taskDefinition="steady", containerInstances=[full], networkConfiguration=hatoba.network(groups=[])
    )
    assert "draining" in refused["failures"][0]["detail"]
    assert where("everywhere") == [empty]
    ecs.delete_service(service="everywhere")
    ecs.delete_service(service="steady", force=True)
    eventually(lambda: not _busy(ecs, empty))


def _busy(ecs: Any, arn: str) -> bool:
    (one,) = (node for node in _instances(ecs) if node["containerInstanceArn"] == arn)
    return bool(one["runningTasksCount"])


def _instances(ecs: Any) -> list[Any]:
    arns = ecs.list_container_instances()["containerInstanceArns"]
    return list(ecs.describe_container_instances(containerInstances=arns)["containerInstances"])
