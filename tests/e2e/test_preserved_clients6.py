"""A dual-stack network load balancer with TCP and UDP at one port, and a task that has IPv6 only: it sees its clients'
IPv6 addresses, be they the host or a task next door, and answers those of IPv4, too; the load balancer's group is what
its own has to name."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

import pytest

from hatoba.app.places import Places
from tests.contract.network.labs import inside
from tests.e2e.test_ipv6 import Network
from tests.e2e.test_ipv6 import network as network
from tests.e2e.test_vpc import attached, serve, stop
from tools.instance import Instance, eventually

pytestmark = pytest.mark.real
PORT = 53


def namespace(hatoba: Instance, task: dict[str, Any]) -> Path:
    places = Places(data=hatoba.folder, instance=hatoba.name)
    return places.run / "net" / "netns" / attached(task)["networkInterfaceId"]


def _asked(address: str, kind: socket.SocketKind) -> str:
    """Whom the target saw, "" where nobody answers."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as client:
        client.settimeout(1)
        try:
            client.connect((address, PORT))
            client.send(b"who?")
            return client.recv(100).decode()
        except OSError:
            return ""


def tcp(address: str) -> str:
    return _asked(address, socket.SOCK_STREAM)


def udp(address: str) -> str:
    return _asked(address, socket.SOCK_DGRAM)


@contextlib.contextmanager
def telling(where: Path) -> Iterator[None]:
    """In a task's namespace: whoever asks is told who that is."""

    def opened(kind: socket.SocketKind) -> socket.socket:
        made = socket.socket(socket.AF_INET6, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("::", PORT))
        if kind == socket.SOCK_STREAM:
            made.listen(100)
        return made

    stream, datagrams = (
        inside(where, lambda kind=kind: opened(kind)) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)
    )  # type: ignore[misc]

    def serve_stream() -> None:
        while True:
            connection, peer = stream.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(1)
                if connection.recv(100):  # a check says nothing
                    connection.send(peer[0].encode())

    def serve_datagrams() -> None:
        while True:
            question, peer = datagrams.recvfrom(100)
            if not question:
                return
            datagrams.sendto(peer[0].encode(), peer)

    def run(job: Callable[[], None]) -> None:
        with contextlib.suppress(OSError):
            job()

    threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in (serve_stream, serve_datagrams)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for each in (stream, datagrams):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)
        for each in (stream, datagrams):
            each.close()


def test_the_task_sees_clients_of_ipv6_and_answers_those_of_ipv4(hatoba: Instance, network: Network) -> None:
    elb, ec2 = hatoba.client("elbv2"), hatoba.client("ec2")
    behind, front = (
        ec2.create_security_group(GroupName=name, Description=name, VpcId=network.vpc)["GroupId"]
        for name in ("behind", "front")
    )
    everybody = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    ec2.authorize_security_group_ingress(GroupId=front, IpPermissions=[everybody])
    named = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": front}]}
    ec2.authorize_security_group_ingress(GroupId=behind, IpPermissions=[named])
    made = elb.create_load_balancer(
        Name="both-flows",
        Type="network",
        Subnets=list(network.public[:1]),
        SecurityGroups=[front],
        IpAddressType="dualstack",
        EnablePrefixForIpv6SourceNat="on",
    )["LoadBalancers"][0]
    balancer = made["LoadBalancerArn"]
    group = elb.create_target_group(
        Name="flows6",
        Protocol="TCP_UDP",
        Port=PORT,
        VpcId=network.vpc,
        TargetType="ip",
        IpAddressType="ipv6",
        HealthCheckIntervalSeconds=5,
        HealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    elb.create_listener(LoadBalancerArn=balancer, Protocol="TCP_UDP", Port=PORT, DefaultActions=forward)
    native = {"awsvpcConfiguration": {"subnets": [network.only6], "securityGroups": [behind]}}
    target, client = serve(hatoba, "target6", native), serve(hatoba, "client6", network.native)
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": attached(target)["ipv6Address"]}])
    eventually(lambda: hatoba.interfaces(balancer))
    eventually(
        lambda: (
            elb.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"][0]["State"]["Code"] == "active"
        ),
    )
    (interface,) = hatoba.interfaces(balancer)
    four, six = interface["Association"]["PublicIp"], interface["Ipv6Address"]
    (prefix,) = (each["Ipv6Prefix"] for each in interface["Ipv6Prefixes"])
    with telling(namespace(hatoba, target)):
        host = eventually(lambda: tcp(six))
        assert host not in ("", six), "the host's own"
        assert eventually(lambda: udp(six)) == host
        beside, own = namespace(hatoba, client), attached(client)["ipv6Address"]
        for ask in (tcp, udp):
            assert eventually(lambda ask=ask: inside(beside, lambda: ask(six))) == own  # type: ignore[misc]
            assert not inside(beside, lambda ask=ask: ask(attached(target)["ipv6Address"])), "by itself it may not"  # type: ignore[misc]
        assert eventually(lambda: tcp(four)) == six
        assert IPv6Address(eventually(lambda: udp(four))) in IPv6Network(prefix)
        (health,) = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        assert health["TargetHealth"]["State"] == "healthy"
        # Through its internet gateway it is not to be reached any more, by IPv6; from inside it is.
        deny = "ipv6.deny_all_igw_traffic"
        for value, reached in (("true", False), ("false", True)):
            elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=[{"Key": deny, "Value": value}])
            eventually(lambda reached=reached: bool(tcp(six)) == reached)  # type: ignore[misc]
            assert eventually(lambda: inside(beside, lambda: tcp(six))) == own
        # Another agent finds all as it was.
        hatoba.kill("node")
        for ask in (tcp, udp):
            assert eventually(lambda ask=ask: ask(six)) == host  # type: ignore[misc]
    stop(hatoba, target, client)
    elb.delete_load_balancer(LoadBalancerArn=balancer)
