"""A service that speaks TCP and UDP at one port, behind a network load balancer: its task sees who asks, be it
the host or a task next door, and its security group decides about them."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from hatoba.app.places import Places
from tests.contract.network.labs import inside
from tests.e2e.test_vpc import attached
from tools.instance import Instance, eventually
from tools.web import Flows, page

pytestmark = pytest.mark.real

WHO = "#!/bin/sh\necho\necho $REMOTE_ADDR\n"


class Names(Flows):
    """Its page says who asks, and its load balancer has one port for both protocols."""

    protocol = "TCP_UDP"
    pages: Mapping[str, str] = MappingProxyType({"www/cgi-bin/who": WHO})

    def place(self) -> dict[str, Any]:
        self.front = self.hatoba.allow(80)
        for group in (self.group, self.front):
            self.hatoba.client("ec2").authorize_security_group_ingress(
                GroupId=group, IpPermissions=[allowed("udp", "0.0.0.0/0")]
            )
        return {"Type": "network", "Subnets": self.hatoba.subnets()[:1], "SecurityGroups": [self.front]}

    @property
    def private(self) -> str:
        return addresses(self.hatoba, self.balancer)[0]


def addresses(hatoba: Instance, balancer: str) -> tuple[str, str]:
    """Of a load balancer, in its first subnet: in the VPC, and outside ("" as long as there is none)."""
    first = next(iter(hatoba.interfaces(balancer)), {})
    return first.get("PrivateIpAddress", ""), first.get("Association", {}).get("PublicIp", "")


def allowed(protocol: str, *blocks: str, group: str = "") -> dict[str, Any]:
    return {
        "IpProtocol": protocol,
        "FromPort": 80,
        "ToPort": 80,
        "IpRanges": [{"CidrIp": block} for block in blocks],
        "UserIdGroupPairs": [{"GroupId": group}] if group else [],
    }


def within(hatoba: Instance, task: dict[str, Any]) -> tuple[Path, str]:
    """A task's network namespace, and its address there."""
    details = attached(task)
    netns = Places(data=hatoba.folder, instance=hatoba.name).run / "net" / "netns"
    return netns / details["networkInterfaceId"], details["privateIPv4Address"]


def asked(address: str, patience: float = 5.0) -> str:
    """Whom the task saw, "" where nobody answers."""
    return page(address, "/cgi-bin/who", patience=patience).strip("[]").removeprefix("::ffff:")


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
    names = Names(hatoba, "names", count=1)
    names.create()
    names.steady()
    yield names
    names.remove()


def test_the_task_sees_who_asks_and_its_group_decides(names: Names) -> None:
    hatoba, ec2 = names.hatoba, names.hatoba.client("ec2")
    (arn,) = hatoba.client("ecs").list_tasks(serviceName=names.name)["taskArns"]
    namespace, target = within(hatoba, hatoba.task(arn))
    client = hatoba.client("ecs").run_task(
        taskDefinition=names.name, launchType="FARGATE", networkConfiguration=hatoba.network(groups=[names.group])
    )["tasks"][0]["taskArn"]
    beside, own = within(hatoba, hatoba.wait_task(client, "RUNNING"))

    def lets(group: str = "", *blocks: str) -> None:
        """The task's group, from now on."""
        (known,) = ec2.describe_security_groups(GroupIds=[names.group])["SecurityGroups"]
        ec2.revoke_security_group_ingress(GroupId=names.group, IpPermissions=known["IpPermissions"])
        wanted = [allowed(protocol, *blocks, group=group) for protocol in ("tcp", "udp")]
        ec2.authorize_security_group_ingress(GroupId=names.group, IpPermissions=wanted)

    with answering(namespace):
        host = eventually(lambda: asked(names.address))
        assert host.startswith("100."), "the host's end of its way into the VPC"
        assert eventually(lambda: told(names.address)) == host
        for ask in (asked, told):
            assert eventually(lambda ask=ask: inside(beside, lambda: ask(names.private))) == own  # type: ignore[misc]
        # The client next door, and the load balancer itself, which checks; nobody else.
        lets("", f"{own}/32", f"{names.private}/32")
        eventually(lambda: not asked(names.address, 1) and not told(names.address))
        for ask in (asked, told):
            assert eventually(lambda ask=ask: inside(beside, lambda: ask(names.private))) == own  # type: ignore[misc]
        # Whoever comes by the load balancer, whose group is named.
        lets(names.front)
        for ask in (asked, told):
            assert eventually(lambda ask=ask: ask(names.address)) == host  # type: ignore[misc]
        assert not inside(beside, lambda: asked(target, 1)), "it would be asked directly"
        eventually(lambda: names.targets() == ["healthy"])
    hatoba.client("ecs").stop_task(task=client)


def test_an_application_load_balancer_behind_it_sees_them_too(hatoba: Instance) -> None:
    elb = hatoba.client("elbv2")
    vpc = hatoba.vpc()
    inner = elb.create_load_balancer(
        Name="inner", Subnets=hatoba.subnets()[:2], SecurityGroups=[hatoba.allow(80)], Scheme="internal"
    )["LoadBalancers"][0]["LoadBalancerArn"]
    known = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "the host"}}
    other = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "somebody"}}
    listener = elb.create_listener(LoadBalancerArn=inner, Protocol="HTTP", Port=80, DefaultActions=[other])
    elb.create_rule(
        ListenerArn=listener["Listeners"][0]["ListenerArn"],
        Priority=1,
        Conditions=[{"Field": "source-ip", "SourceIpConfig": {"Values": ["100.64.0.0/10"]}}],
        Actions=[known],
    )
    group = elb.create_target_group(
        Name="to-inner", Protocol="TCP", Port=80, VpcId=vpc, TargetType="alb", HealthCheckIntervalSeconds=5
    )["TargetGroups"][0]["TargetGroupArn"]
    outer = elb.create_load_balancer(Name="outer", Type="network", Subnets=hatoba.subnets()[:2])["LoadBalancers"][0]
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    elb.create_listener(LoadBalancerArn=outer["LoadBalancerArn"], Protocol="TCP", Port=80, DefaultActions=forward)
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": inner}])
    address = eventually(lambda: addresses(hatoba, outer["LoadBalancerArn"])[1])
    assert eventually(lambda: asked(address)) == "the host"
    elb.delete_load_balancer(LoadBalancerArn=outer["LoadBalancerArn"])
    elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": inner}])
    eventually(lambda: deleted(elb, inner))
    elb.delete_target_group(TargetGroupArn=group)


def deleted(elb: Any, balancer: str) -> bool:
    try:
        elb.delete_load_balancer(LoadBalancerArn=balancer)
    except elb.exceptions.ResourceInUseException:
        return False
    return True
