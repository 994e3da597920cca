"""A service behind a network load balancer with static addresses: its tasks join by address, are asked, are drained,
and a new version costs no connection."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any

import pytest

from tools.instance import Instance, eventually
from tools.load import Load
from tools.web import Web

pytestmark = pytest.mark.real


class Flows(Web):
    """As `Web`, but behind a network load balancer with an elastic address in each zone."""

    def __init__(self, hatoba: Instance, name: str) -> None:
        self.hatoba, self.name, self.count = hatoba, name, 2
        elb, ec2 = hatoba.client("elbv2"), hatoba.client("ec2")
        self.group = hatoba.allow(80)
        places = [(subnet, ec2.allocate_address(Domain="vpc")) for subnet in hatoba.subnets()]
        self.addresses = [str(allocated["PublicIp"]) for _, allocated in places]
        made = elb.create_load_balancer(
            Name=name,
            Type="network",
            SubnetMappings=[{"SubnetId": s, "AllocationId": allocated["AllocationId"]} for s, allocated in places],
        )
        self.balancer = made["LoadBalancers"][0]["LoadBalancerArn"]
        cross = {"Key": "load_balancing.cross_zone.enabled", "Value": "true"}
        elb.modify_load_balancer_attributes(LoadBalancerArn=self.balancer, Attributes=[cross])
        target = elb.create_target_group(
            Name=name,
            Protocol="TCP",
            Port=80,
            VpcId=hatoba.vpc(),
            TargetType="ip",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
            HealthyThresholdCount=2,
        )
        self.target_group = target["TargetGroups"][0]["TargetGroupArn"]
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "2"}
        elb.modify_target_group_attributes(TargetGroupArn=self.target_group, Attributes=[delay])
        forward = [{"Type": "forward", "TargetGroupArn": self.target_group}]
        made = elb.create_listener(LoadBalancerArn=self.balancer, Protocol="TCP", Port=80, DefaultActions=forward)
        self.listener = made["Listeners"][0]["ListenerArn"]


@pytest.fixture(scope="module")
def flows(hatoba: Instance) -> Iterator[Flows]:
    flows = Flows(hatoba, "flows")
    flows.create("v1")
    flows.steady()
    yield flows
    flows.remove()


def page(address: str) -> str:
    """Asked on a connection of its own."""
    connection = http.client.HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode().strip()
    except OSError:
        return ""
    finally:
        connection.close()


def test_every_static_address_serves(flows: Flows) -> None:
    assert flows.targets() == ["healthy", "healthy"]
    for address in flows.addresses:
        assert eventually(lambda address=address: page(address), 10) == "v1"  # type: ignore[misc]
    (balancer,) = flows.hatoba.client("elbv2").describe_load_balancers(Names=["flows"])["LoadBalancers"]
    told = [a["IpAddress"] for zone in balancer["AvailabilityZones"] for a in zone["LoadBalancerAddresses"]]
    assert sorted(told) == sorted(flows.addresses)


def test_a_new_version_costs_no_connection(flows: Flows) -> None:
    definition = flows.define("v2")
    with Load(flows.addresses[0], rate=100) as load:
        eventually(lambda: load.count > 50, 10)
        flows.update(definition)
        flows.steady()
        before = load.count
        eventually(lambda: load.count > before + 50, 10)
    assert load.failures == []
    assert b"v1\n" in load.answers
    assert b"v2\n" in load.answers
    assert flows.targets() == ["healthy", "healthy"], "the old ones have been drained, and are forgotten"


def test_a_target_that_leaves_is_draining_first(flows: Flows) -> None:
    ecs, seen = flows.hatoba.client("ecs"), set[str]()

    def told(wanted: str) -> bool:
        seen.update(flows.targets())
        return wanted in seen

    ecs.update_service(service=flows.name, desiredCount=1)
    eventually(lambda: told("draining"), 20, 0.02)
    eventually(lambda: flows.targets() == ["healthy"], 20)
    assert {page(address) for address in flows.addresses} == {"v2"}


def test_a_task_that_stops_serving_is_replaced(flows: Flows) -> None:
    ecs = flows.hatoba.client("ecs")
    (arn,) = ecs.list_tasks(serviceName=flows.name)["taskArns"]
    ecs.stop_task(task=arn, reason="gone")

    def replaced() -> list[Any]:
        arns: list[Any] = ecs.list_tasks(serviceName=flows.name, desiredStatus="RUNNING")["taskArns"]
        return arns if arn not in arns and flows.targets() == ["healthy"] else []

    assert len(eventually(replaced, 30)) == 1
    assert eventually(lambda: page(flows.addresses[0]), 10) == "v2"
