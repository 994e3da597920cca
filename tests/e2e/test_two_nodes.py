"""Two nodes on one machine, each in a host namespace of its own: their tasks reach each other."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.instance import HATOBA, Instance, eventually

pytestmark = pytest.mark.real

FIRST, SECOND = "10.98.76.1", "10.98.76.2"


def sh(command: str) -> None:
    subprocess.run(command, shell=True, check=True, capture_output=True)


@pytest.fixture
def second_host() -> Iterator[str]:
    """A second "machine": a network namespace joined to this one by a cable."""
    name = f"h{os.getpid()}"
    sh(f"ip netns add {name}")
    try:
        sh(f"ip link add {name}a type veth peer name {name}b netns {name}")
        sh(f"ip addr add {FIRST}/24 dev {name}a && ip link set {name}a up")
        sh(f"nsenter --net=/run/netns/{name} ip addr add {SECOND}/24 dev {name}b")
        sh(f"nsenter --net=/run/netns/{name} sh -c 'ip link set {name}b up; ip link set lo up'")
        yield name
    finally:
        sh(f"ip link del {name}a; ip netns del {name}")


@pytest.fixture
def two_nodes(second_host: str) -> Iterator[Instance]:
    inside = ["nsenter", f"--net=/run/netns/{second_host}", HATOBA]
    with Instance(options=["--node-host", FIRST]) as hatoba, tempfile.TemporaryDirectory(prefix="hatoba-") as data:
        token = hatoba.hatoba("node", "token").strip()
        with open(Path(data) / "agent.log", "wb") as log:
            join = ["node", "--join", token, "--address", SECOND, "--name", "second", "--data", data]
            agent = subprocess.Popen([*inside, *join], stdout=log, stderr=log)
        try:
            instances = hatoba.client("ecs").list_container_instances
            eventually(lambda: len(instances()["containerInstanceArns"]) == 2, 20)
            yield hatoba
        finally:
            sys.stderr.write((Path(data) / "agent.log").read_text())
            agent.terminate()
            agent.wait(20)
            subprocess.run([*inside, "down", "--data", data, "--purge"], check=True, capture_output=True, timeout=60)


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
    second = by_name.pop("second")
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
        placementConstraints=[{"type": "memberOf", "expression": "attribute:stack == blue or ec2InstanceId == second"}],
    )

    def where(service: str = "steady") -> list[str]:
        """Of the tasks that run."""
        arns = ecs.list_tasks(serviceName=service)["taskArns"]
        tasks = ecs.describe_tasks(tasks=arns)["tasks"] if arns else []
        return sorted(task["containerInstanceArn"] for task in tasks if task["lastStatus"] == "RUNNING")

    eventually(lambda: len(where()) == 3, 30)
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
    eventually(lambda: where("everywhere") == sorted([first, second]), 30)
    ecs.update_container_instances_state(containerInstances=[full], status="DRAINING")
    eventually(lambda: where() == [empty] * 3 and not _busy(ecs, full), 30)
    refused = ecs.start_task(
        taskDefinition="steady", containerInstances=[full], networkConfiguration=hatoba.network(groups=[])
    )
    assert "draining" in refused["failures"][0]["detail"]
    assert where("everywhere") == [empty]
    ecs.delete_service(service="everywhere")
    ecs.delete_service(service="steady", force=True)
    eventually(lambda: not _busy(ecs, empty), 30)


def _busy(ecs: Any, arn: str) -> bool:
    (one,) = (node for node in _instances(ecs) if node["containerInstanceArn"] == arn)
    return bool(one["runningTasksCount"])


def _instances(ecs: Any) -> list[Any]:
    arns = ecs.list_container_instances()["containerInstanceArns"]
    return list(ecs.describe_container_instances(containerInstances=arns)["containerInstances"])
