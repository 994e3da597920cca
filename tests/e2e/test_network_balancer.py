"""A service behind a network load balancer with static addresses: its tasks join by address, are asked, are drained,
and a new version costs no connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tools.instance import Instance, eventually
from tools.load import Load
from tools.web import Flows, page

pytestmark = pytest.mark.real


class Static(Flows):
    """With an elastic address in each zone."""

    def place(self) -> dict[str, Any]:
        ec2 = self.hatoba.client("ec2")
        places = [(subnet, ec2.allocate_address(Domain="vpc")) for subnet in self.hatoba.subnets()]
        self.addresses = [str(allocated["PublicIp"]) for _, allocated in places]
        mappings = [{"SubnetId": subnet, "AllocationId": allocated["AllocationId"]} for subnet, allocated in places]
        return {"Type": "network", "SubnetMappings": mappings}


@pytest.fixture(scope="module")
def flows(hatoba: Instance) -> Iterator[Static]:
    flows = Static(hatoba, "flows", delay=5)  # as long they are to be seen draining
    flows.create("v1")
    flows.steady()
    yield flows
    flows.remove()


def test_every_static_address_serves(flows: Static) -> None:
    assert flows.targets() == ["healthy", "healthy"]
    for address in flows.addresses:
        assert eventually(lambda address=address: page(address)) == "v1"  # type: ignore[misc]
    (balancer,) = flows.hatoba.client("elbv2").describe_load_balancers(Names=["flows"])["LoadBalancers"]
    told = [a["IpAddress"] for zone in balancer["AvailabilityZones"] for a in zone["LoadBalancerAddresses"]]
    assert sorted(told) == sorted(flows.addresses)


def test_a_new_version_costs_no_connection(flows: Static) -> None:
    definition = flows.define("v2")
    with Load(flows.addresses[0], rate=100) as load:
        eventually(lambda: load.count > 50)
        flows.update(definition)
        flows.steady()
        before = load.count
        eventually(lambda: load.count > before + 50)
    assert load.failures == []
    assert b"v1\n" in load.answers
    assert b"v2\n" in load.answers
    eventually(lambda: flows.targets() == ["healthy", "healthy"])  # the old ones have been drained, and are forgotten


def test_a_target_that_leaves_is_draining_first(flows: Static) -> None:
    ecs, seen = flows.hatoba.client("ecs"), set[str]()

    def told(wanted: str) -> bool:
        seen.update(flows.targets())
        return wanted in seen

    ecs.update_service(service=flows.name, desiredCount=1)
    eventually(lambda: told("draining"), pause=0.02)
    eventually(lambda: flows.targets() == ["healthy"])
    assert {page(address) for address in flows.addresses} == {"v2"}


def test_a_task_that_stops_serving_is_replaced(flows: Static) -> None:
    ecs = flows.hatoba.client("ecs")
    (arn,) = ecs.list_tasks(serviceName=flows.name)["taskArns"]
    ecs.stop_task(task=arn, reason="gone")

    def replaced() -> list[Any]:
        arns: list[Any] = ecs.list_tasks(serviceName=flows.name, desiredStatus="RUNNING")["taskArns"]
        return arns if arn not in arns and flows.targets() == ["healthy"] else []

    assert len(eventually(replaced)) == 1
    assert eventually(lambda: page(flows.addresses[0])) == "v2"
