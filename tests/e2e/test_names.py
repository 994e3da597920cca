"""Tasks resolve names at their VPC's resolver: their own, load balancers', and those of the world outside."""

from __future__ import annotations

import ipaddress
import time
from typing import Any

import pytest

from tools.instance import Instance, eventually

pytestmark = pytest.mark.real

SCRIPT = """
own=$(ip -4 -o addr show dev eth0 | sed 's/.*inet \\([0-9.]*\\).*/\\1/')
name=ip-$(echo $own | sed 's/\\./-/g').ec2.internal
reverse=$(echo $own | sed 's/\\([0-9]*\\).\\([0-9]*\\).\\([0-9]*\\).\\([0-9]*\\)/\\4.\\3.\\2.\\1.in-addr.arpa/')
echo resolver $(sed -n 's/nameserver //p' /etc/resolv.conf)
echo own $own $(nslookup $name | sed -n 's/^Address: *//p' | tail -1)
echo link $(nslookup $name 169.254.169.253 | sed -n 's/^Address: *//p' | tail -1)
echo reverse $(nslookup -type=ptr $reverse | sed -n 's/.*name = //p')
echo none $(nslookup ip-10-255-255-1.ec2.internal 2>&1 | grep -c NXDOMAIN)
"""


def output(hatoba: Instance, name: str, script: str) -> dict[str, str]:
    """What a task printed: first word of a line → the rest."""
    logs, ecs = hatoba.client("logs"), hatoba.client("ecs")
    group = f"/{name}/{time.time_ns()}"
    logs.create_log_group(logGroupName=group)
    options = {"awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t"}
    ecs.register_task_definition(
        family=name,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        executionRoleArn=hatoba.task_role("names"),
        containerDefinitions=[
            {
                "name": "main",
                "image": hatoba.push("busybox"),
                "command": ["sh", "-c", script],
                "logConfiguration": {"logDriver": "awslogs", "options": options},
            }
        ],
    )
    answer = ecs.run_task(taskDefinition=name, launchType="FARGATE", networkConfiguration=hatoba.network())
    assert answer["failures"] == []
    hatoba.wait_task(answer["tasks"][0]["taskArn"], "STOPPED")

    def lines() -> list[str]:
        return [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]

    eventually(lambda: any(line.startswith("end") for line in lines()))
    return dict(line.partition(" ")[::2] for line in lines())


def test_a_task_resolves_its_own_name(hatoba: Instance) -> None:
    said = output(hatoba, "names-own", SCRIPT + "echo end\n")
    cidr = hatoba.client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0][
        "CidrBlock"
    ]
    assert said["resolver"] == str(ipaddress.ip_network(cidr)[2])
    own, resolved = said["own"].split()
    assert resolved == own
    assert said["link"] == own
    assert said["reverse"] == f"ip-{own.replace('.', '-')}.ec2.internal"
    assert int(said["none"]) > 0


def test_a_task_resolves_a_load_balancer(hatoba: Instance) -> None:
    elb = hatoba.client("elbv2")

    def made(scheme: str) -> dict[str, Any]:
        balancer: dict[str, Any] = elb.create_load_balancer(
            Name=f"names-{scheme}", Subnets=hatoba.subnets()[:2], Scheme=scheme
        )["LoadBalancers"][0]
        return balancer

    def addresses(balancer: dict[str, Any], public: bool) -> set[str]:
        arn = balancer["LoadBalancerArn"]
        eventually(
            lambda: elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]["State"]["Code"] == "active"
        )
        found = hatoba.interfaces(arn)
        return {one["Association"]["PublicIp"] if public else one["PrivateIpAddress"] for one in found}

    balancers = {scheme: made(scheme) for scheme in ("internal", "internet-facing")}
    try:
        script = "".join(
            f"echo {scheme} $(nslookup {balancer['DNSName']} | sed -n '/^Name/,$s/^Address: *//p')\n"
            for scheme, balancer in balancers.items()
        )
        expected = {scheme: addresses(one, scheme == "internet-facing") for scheme, one in balancers.items()}
        said = output(hatoba, "names-elb", script + "echo end\n")
        assert {scheme: set(said[scheme].split()) for scheme in balancers} == expected
        assert all(len(found) == 2 for found in expected.values())
    finally:
        for balancer in balancers.values():
            elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
