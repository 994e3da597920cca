"""Services in the network modes bridge and host, on two nodes, behind network load balancers: their containers see who
asks, be it a task, another machine or the host, and a machine that asks itself waits in vain."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.contract.network.labs import inside
from tests.e2e.test_preserved_clients import addresses, asked, within
from tools.instance import Instance, eventually, free_port
from tools.machine import FIRST, Cables, Machine
from tools.web import Flows

pytestmark = pytest.mark.real

WHO = "#!/bin/sh\necho\necho $REMOTE_ADDR $ECS_CONTAINER_METADATA_URI_V4\n"


class OnBridge(Flows):
    """A task on each node. Its page says who asks, and which task was asked."""

    mode = "bridge"
    pages: Mapping[str, str] = MappingProxyType({"www/cgi-bin/who": WHO})

    def seen(self, address: str, patience: float = 10.0) -> dict[str, str]:
        """Task → whom it saw, until two have been asked; "" of those who did not answer."""
        found: dict[str, str] = {}

        def both() -> bool:
            who, _, task = asked(address, patience).partition(" ")
            found[task] = who.strip("[]").removeprefix("::ffff:")
            return len(found) == 2

        eventually(both)
        return found

    def preserve(self, wish: str) -> None:
        attribute = {"Key": "preserve_client_ip.enabled", "Value": wish}
        self.hatoba.client("elbv2").modify_target_group_attributes(
            TargetGroupArn=self.target_group, Attributes=[attribute]
        )


class OnHost(OnBridge):
    mode = "host"
    port = free_port()


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Instance]:
    with Cables() as cables, Instance(options=["--node-host", FIRST]) as hatoba, Machine(hatoba, cables, 2):
        yield hatoba


@pytest.fixture(scope="module")
def client(two_nodes: Instance) -> Iterator[tuple[Path, str]]:
    """A task of the VPC on the first node: its network namespace, and its address."""
    ecs = two_nodes.client("ecs")
    container = {"name": "main", "image": two_nodes.push("busybox"), "command": ["sleep", "600"]}
    ecs.register_task_definition(
        family="client",
        networkMode="awsvpc",
        requiresCompatibilities=["EC2"],
        cpu="128",
        memory="64",
        containerDefinitions=[{**container, "linuxParameters": {"initProcessEnabled": True}}],
    )
    known: list[Any] = ecs.describe_container_instances(
        containerInstances=ecs.list_container_instances()["containerInstanceArns"]
    )["containerInstances"]
    (first,) = (each["containerInstanceArn"] for each in known if each["ec2InstanceId"] != "machine-2")
    started = ecs.start_task(
        taskDefinition="client", containerInstances=[first], networkConfiguration=two_nodes.network(groups=[])
    )
    arn = started["tasks"][0]["taskArn"]
    yield within(two_nodes, two_nodes.wait_task(arn, "RUNNING"))
    ecs.stop_task(task=arn)


@pytest.mark.parametrize("kind", [OnBridge, OnHost])
def test_containers_on_two_nodes_see_who_asks(
    two_nodes: Instance, client: tuple[Path, str], kind: type[OnBridge]
) -> None:
    web = kind(two_nodes, kind.mode)
    web.create()
    try:
        web.steady()
        eventually(lambda: web.targets() == ["healthy", "healthy"])
        private, public = addresses(two_nodes, web.balancer)
        namespace, own = client
        tasks = inside(namespace, lambda: web.seen(private))
        assert {*tasks.values()} == {own}
        # The host is seen at its end of the way into the VPC; beside the load balancer, as that one's node.
        host = web.seen(public)
        assert host.keys() == tasks.keys()
        assert all(who.startswith("100.") for who in host.values())
        assert len({*host.values()}) == 2
        # Another machine is seen by the task that is not on that very machine. Who waits for longer is answered by it
        # always: Envoy asks it when the nearer one has not answered for 2.5 s.
        others = inside(Path(f"/run/netns/h{os.getpid()}x2"), lambda: web.seen(public, patience=2))
        assert {*others.values()} == {"10.98.76.2", ""}
        assert len(others.keys() & tasks.keys()) == 1
        web.preserve("false")
        eventually(lambda: own not in inside(namespace, lambda: web.seen(private)).values())
        assert inside(namespace, lambda: web.seen(private)).keys() == tasks.keys()
        web.preserve("true")
        eventually(lambda: {*inside(namespace, lambda: web.seen(private)).values()} == {own})
        two_nodes.kill("node")
        eventually(lambda: web.targets() == ["healthy", "healthy"])
        assert {*inside(namespace, lambda: web.seen(private)).values()} == {own}
    finally:
        web.remove()
