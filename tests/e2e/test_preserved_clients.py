"""A service that speaks TCP and UDP at one port, behind a network load balancer: its task sees who asks, be it
the host or a task next door, and its security group decides about them."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from hatoba.app.places import Places
from tests.contract.network.labs import inside
from tools.instance import Instance, eventually
from tools.web import Web

pytestmark = pytest.mark.real

WHO = "#!/bin/sh\necho\necho $REMOTE_ADDR\n"


class Names(Web):
    """As `Web`, but its page says who asks, and its load balancer has one port for both protocols."""

    pages: Mapping[str, str] = MappingProxyType({"www/cgi-bin/who": WHO})

    def __init__(self, hatoba: Instance) -> None:
        self.hatoba, self.name, self.count = hatoba, "names", 1
        elb, ec2 = hatoba.client("elbv2"), hatoba.client("ec2")
        self.group = hatoba.allow(80)
        ec2.authorize_security_group_ingress(
            GroupId=self.group, IpProtocol="udp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0"
        )
        made = elb.create_load_balancer(Name=self.name, Type="network", Subnets=hatoba.subnets()[:1])
        self.balancer = made["LoadBalancers"][0]["LoadBalancerArn"]
        cross = {"Key": "load_balancing.cross_zone.enabled", "Value": "true"}
        elb.modify_load_balancer_attributes(LoadBalancerArn=self.balancer, Attributes=[cross])
        target = elb.create_target_group(
            Name=self.name,
            Protocol="TCP_UDP",
            Port=80,
            VpcId=ec2.describe_vpcs()["Vpcs"][0]["VpcId"],
            TargetType="ip",
            HealthCheckIntervalSeconds=5,
            HealthyThresholdCount=2,
        )
        self.target_group = target["TargetGroups"][0]["TargetGroupArn"]
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "1"}
        elb.modify_target_group_attributes(TargetGroupArn=self.target_group, Attributes=[delay])
        forward = [{"Type": "forward", "TargetGroupArn": self.target_group}]
        elb.create_listener(LoadBalancerArn=self.balancer, Protocol="TCP_UDP", Port=80, DefaultActions=forward)

    @property
    def private(self) -> str:
        """Its address in the VPC."""
        filters = [{"Name": "description", "Values": [f"ELB {self.balancer.partition('loadbalancer/')[2]}"]}]
        (interface,) = self.hatoba.client("ec2").describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
        address: str = interface["PrivateIpAddress"]
        return address


def within(hatoba: Instance, task: dict[str, Any]) -> tuple[Path, str]:
    """A task's network namespace, and its address there."""
    (attachment,) = task["attachments"]
    details = {each["name"]: each["value"] for each in attachment["details"]}
    return Places(data=hatoba.folder, instance=hatoba.name).run / "net" / "netns" / details[
        "networkInterfaceId"
    ], details["privateIPv4Address"]


def asked(address: str) -> str:
    """Whom the task saw, "" where nobody answers."""
    connection = http.client.HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", "/cgi-bin/who")
        return connection.getresponse().read().decode().strip().strip("[]").removeprefix("::ffff:")
    except OSError:
        return ""
    finally:
        connection.close()


def told(address: str) -> str:
    """The same by a datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        client.sendto(b"who?", (address, 80))
        try:
            return client.recv(100).decode()
        except OSError:
            return ""


@contextlib.contextmanager
def answering(namespace: Path) -> Iterator[None]:
    """Beside the task's own program: busybox has none for datagrams."""

    def opened() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("0.0.0.0", 80))
        return made

    server = inside(namespace, opened)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                question, peer = server.recvfrom(100)
                if not question:
                    return
                server.sendto(peer[0].encode(), peer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # it is not connected, but its reader wakes up
            server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        server.close()


@pytest.fixture(scope="module")
def names(hatoba: Instance) -> Iterator[Names]:
    names = Names(hatoba)
    names.create()
    names.steady()
    yield names
    names.remove()


def test_the_task_sees_who_asks_and_its_group_decides(names: Names) -> None:
    hatoba, ec2 = names.hatoba, names.hatoba.client("ec2")
    (arn,) = hatoba.client("ecs").list_tasks(serviceName=names.name)["taskArns"]
    namespace, _ = within(hatoba, hatoba.task(arn))
    client = hatoba.client("ecs").run_task(
        taskDefinition=names.name, launchType="FARGATE", networkConfiguration=hatoba.network(groups=[names.group])
    )["tasks"][0]["taskArn"]
    beside, own = within(hatoba, hatoba.wait_task(client, "RUNNING"))
    with answering(namespace):
        host = eventually(lambda: asked(names.address), 20)
        assert host.startswith("100."), "the host's end of its way into the VPC"
        assert eventually(lambda: told(names.address), 10) == host
        for ask in (asked, told):
            assert eventually(lambda ask=ask: inside(beside, lambda: ask(names.private)), 10) == own  # type: ignore[misc]
        # Whoever is not the client next door, and not the load balancer itself that checks, is kept out.
        everybody = [
            {"IpProtocol": p, "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
            for p in ("tcp", "udp")
        ]
        only = [
            {**each, "IpRanges": [{"CidrIp": f"{address}/32"} for address in (own, names.private)]}
            for each in everybody
        ]
        ec2.authorize_security_group_ingress(GroupId=names.group, IpPermissions=only)
        ec2.revoke_security_group_ingress(GroupId=names.group, IpPermissions=everybody)
        eventually(lambda: not asked(names.address) and not told(names.address), 10)
        for ask in (asked, told):
            assert inside(beside, lambda ask=ask: ask(names.private)) == own  # type: ignore[misc]
        assert names.targets() == ["healthy"]
    hatoba.client("ecs").stop_task(task=client)
