"""Networks are what their records say: elastic addresses lead to tasks, and networks of the same block do not meet."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.test_task import run
from tools.images import busybox_files
from tools.instance import Instance, eventually
from tools.web import page

pytestmark = pytest.mark.real


def serve(hatoba: Instance, name: str, network: dict[str, Any]) -> dict[str, Any]:
    """A running task that serves its name on port 8080."""
    image = hatoba.push(name, busybox_files({"www/index.html": f"{name}\n"}))
    command = ["httpd", "-f", "-p", "8080", "-h", "/www"]
    return hatoba.wait_task(run(hatoba, name, image=image, command=command, network=network), "RUNNING")


def stop(hatoba: Instance, *tasks: dict[str, Any]) -> None:
    for task in tasks:
        hatoba.client("ecs").stop_task(task=task["taskArn"])
    for task in tasks:
        hatoba.wait_task(task["taskArn"], "STOPPED")


def attached(task: dict[str, Any]) -> dict[str, str]:
    return {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}


def test_an_elastic_address_leads_to_a_running_task(hatoba: Instance) -> None:
    ec2 = hatoba.client("ec2")
    task = serve(hatoba, "elastic", hatoba.network(groups=[hatoba.allow(8080)]))
    interface = attached(task)["networkInterfaceId"]
    one, two = ec2.allocate_address(), ec2.allocate_address()
    assert not page(one["PublicIp"], port=8080, patience=1)

    association = ec2.associate_address(AllocationId=one["AllocationId"], NetworkInterfaceId=interface)["AssociationId"]
    assert eventually(lambda: page(one["PublicIp"], port=8080)) == "elastic"
    ec2.associate_address(AllocationId=two["AllocationId"], NetworkInterfaceId=interface)  # in its place
    assert eventually(lambda: page(two["PublicIp"], port=8080)) == "elastic"
    assert eventually(lambda: not page(one["PublicIp"], port=8080, patience=1))
    assert association not in [each.get("AssociationId") for each in ec2.describe_addresses()["Addresses"]]

    (now,) = ec2.describe_addresses(AllocationIds=[two["AllocationId"]])["Addresses"]
    ec2.disassociate_address(AssociationId=now["AssociationId"])
    assert eventually(lambda: not page(two["PublicIp"], port=8080, patience=1))
    ec2.associate_address(AllocationId=two["AllocationId"], NetworkInterfaceId=interface)
    assert eventually(lambda: page(two["PublicIp"], port=8080)) == "elastic"
    stop(hatoba, task)

    def free() -> bool:
        (found,) = ec2.describe_addresses(AllocationIds=[two["AllocationId"]])["Addresses"]
        return "AssociationId" not in found

    assert eventually(free), "the association ends with the task's interface"
    assert not page(two["PublicIp"], port=8080, patience=1)
    for made in (one, two):
        ec2.release_address(AllocationId=made["AllocationId"])


def new_network(ec2: Any) -> tuple[str, dict[str, Any]]:
    """A VPC with a private subnet, and a `networkConfiguration` in it where everybody may ask everybody."""
    vpc = ec2.create_vpc(CidrBlock="10.50.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.50.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="all", Description="all", VpcId=vpc)["GroupId"]
    everybody = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=everybody)
    return vpc, within(subnet, group)


def within(subnet: str, group: str) -> dict[str, Any]:
    return {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group], "assignPublicIp": "DISABLED"}}


def asks(hatoba: Instance, network: dict[str, Any], address: str, patience: int = 20) -> int:
    """Who serves on port 8080 there: the exit code of a task that has asked."""
    get = rf"printf 'GET / HTTP/1.0\r\n\r\n' | timeout {patience} nc {address} 8080 | tail -n 1"
    told = f'case "$({get})" in one) exit 10;; other) exit 11;; two) exit 12;; *) exit 13;; esac'
    arn = run(hatoba, "asks", command=["sh", "-c", told], network=network)
    code: int = hatoba.wait_task(arn, "STOPPED")["containers"][0]["exitCode"]
    return code


def test_networks_of_the_same_block_do_not_meet(hatoba: Instance) -> None:
    ec2 = hatoba.client("ec2")
    (_, first), (_, second) = new_network(ec2), new_network(ec2)
    a, also_a, b = serve(hatoba, "one", first), serve(hatoba, "other", first), serve(hatoba, "two", second)
    shared, only_a = attached(a)["privateIPv4Address"], attached(also_a)["privateIPv4Address"]
    assert attached(b)["privateIPv4Address"] == shared, "the same address in both"
    assert asks(hatoba, first, shared) == 10
    assert asks(hatoba, first, only_a) == 11
    assert asks(hatoba, second, shared) == 12
    assert asks(hatoba, second, only_a, 3) == 13, "nobody has that address in the second network"
    stop(hatoba, a, also_a, b)


def test_a_further_block_joins_a_network_in_use(hatoba: Instance) -> None:
    ec2 = hatoba.client("ec2")
    vpc, network = new_network(ec2)
    one = serve(hatoba, "one", network)
    ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.60.0.0/20")
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.60.1.0/24")["Subnet"]["SubnetId"]
    further = within(subnet, network["awsvpcConfiguration"]["securityGroups"][0])
    two = serve(hatoba, "two", further)
    assert attached(two)["privateIPv4Address"].startswith("10.60.1.")
    assert asks(hatoba, further, attached(one)["privateIPv4Address"]) == 10
    assert asks(hatoba, network, attached(two)["privateIPv4Address"]) == 12
    stop(hatoba, one, two)
