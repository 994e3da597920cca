"""What the controllers and the fleet's records come to, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.errors import AwsError
from hatoba.fleet import model as fleet
from hatoba.services.elbv2.model.balancer import load_balancers
from hatoba.services.elbv2.model.group import targets
from tests.conformance.elbv2.world import SCOPE, World, world

TARGET = [{"Id": "172.31.0.10", "Port": 80}]


async def state(w: World, arn: str) -> tuple[str, str]:
    (shown,) = (await w.elb.describe_load_balancers(LoadBalancerArns=[arn]))["LoadBalancers"]
    return shown["State"]["Code"], shown["State"].get("Reason", "")


async def serving(w: World) -> tuple[str, str]:
    """A load balancer that forwards to a group with one target."""
    balancer, group = await w.balancer(), await w.group()
    await w.listener(balancer, group)
    await w.elb.register_targets(TargetGroupArn=group, Targets=TARGET)
    await w.settle()
    return balancer, group


async def test_what_the_fleet_gets(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        balancer, group = await serving(w)
        (carried,) = w.carried()
        assert (carried.node, carried.id) == ("node-1", balancer.partition("/")[2])
        interfaces = [w.store.find(fleet.interfaces, SCOPE, id_) for id_ in carried.interfaces]
        assert all(each is not None and each.public for each in interfaces)
        assert {each.network for each in interfaces if each} == {carried.network}
        (zone,) = w.store.all(fleet.zones)
        (shown,) = (await w.elb.describe_load_balancers())["LoadBalancers"]
        assert zone.id == shown["DNSName"].lower()
        assert set(zone.addresses) == {each.public for each in interfaces if each}
        assert await w.states(group) == {"172.31.0.10:80": "healthy"}
        assert w.wanted().groups[0].id == group  # what `ecs` finds its services by


async def test_internal_ones_have_no_public_address(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.balancer(Scheme="internal")
        await w.settle()
        interfaces = (await w.ec2.describe_network_interfaces())["NetworkInterfaces"]
        assert len(interfaces) == 2
        assert not any("Association" in each for each in interfaces)
        (zone,) = w.store.all(fleet.zones)
        assert zone.id.startswith("internal-web-")
        assert set(zone.addresses) == {each["PrivateIpAddress"] for each in interfaces}


@pytest.mark.parametrize(
    "change",
    [
        lambda elb, b, g: elb.register_targets(TargetGroupArn=g, Targets=[{"Id": "172.31.0.11"}]),
        lambda elb, b, g: elb.deregister_targets(TargetGroupArn=g, Targets=TARGET),
        lambda elb, b, g: elb.modify_target_group(TargetGroupArn=g, HealthCheckPath="/ready"),
        lambda elb, b, g: elb.modify_target_group_attributes(
            TargetGroupArn=g, Attributes=[{"Key": "slow_start.duration_seconds", "Value": "30"}]
        ),
        lambda elb, b, g: elb.modify_load_balancer_attributes(
            LoadBalancerArn=b, Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "5"}]
        ),
    ],
)
async def test_a_change_reaches_the_fleet_with_its_answer(
    tmp_path: Path, change: Callable[[Any, str, str], Awaitable[Any]]
) -> None:
    """Not by a controller: they are ended before."""
    async with world(tmp_path, auto=False) as w:
        balancer, group = await serving(w)
        before = w.carried()[0]
        await w.halt()
        seq = w.store.seq
        await change(w.elb, balancer, group)
        (after,) = w.carried()
        assert after.version == before.version + 1
        assert after.spec != before.spec
        assert w.store.seq == seq + 1, "one transaction"


async def test_nothing_is_sent_for_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        balancer, group = await serving(w)
        version = w.carried()[0].version
        await w.elb.register_targets(TargetGroupArn=group, Targets=TARGET)
        await w.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "172.31.0.99"}])
        await w.elb.modify_load_balancer_attributes(
            LoadBalancerArn=balancer, Attributes=[{"Key": "access_logs.s3.enabled", "Value": "false"}]
        )
        await w.settle()
        assert w.carried()[0].version == version


@pytest.mark.parametrize("after", range(1, 8))
async def test_a_crash_at_any_step_leaves_one_of_each(tmp_path: Path, after: int) -> None:
    """The process dies when the n-th transaction of making it is durable."""
    async with world(tmp_path) as w:
        begun = w.store.seq
        arn = await w.balancer()
        while w.store.durable_seq < begun + after and not (w.runner.idle and w.store.durable_seq == w.store.seq):
            await w.store.durable(min(begun + after, w.store.seq))
            await asyncio.sleep(0)
        await w.crash()
        await w.settle()
        assert len((await w.ec2.describe_network_interfaces())["NetworkInterfaces"]) == 2
        assert len(w.carried()) == 1
        assert (await state(w, arn))[0] in ("provisioning", "active")
        await w.elb.delete_load_balancer(LoadBalancerArn=arn)
        await w.settle()
        assert (await w.ec2.describe_network_interfaces())["NetworkInterfaces"] == []


async def test_interfaces_that_a_crash_left_are_adopted(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.halt()
        arn = await w.balancer()
        (record,) = w.store.all(load_balancers)
        aws = w.plane.door(SCOPE, "elbv2")
        made = await aws.ec2.create_network_interface(
            SubnetId=record.places[0].subnet, Description=record.description, Groups=list(record.groups)
        )
        await w.crash()
        await w.settle()
        assert (await state(w, arn))[0] == "active"
        assert made["NetworkInterface"]["NetworkInterfaceId"] in w.carried()[0].interfaces
        assert len((await w.ec2.describe_network_interfaces())["NetworkInterfaces"]) == 2


async def test_deleting_survives_a_crash(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        balancer, group = await serving(w)
        await w.halt()
        await w.elb.delete_load_balancer(LoadBalancerArn=balancer)
        with pytest.raises(AwsError, match="not found"):
            await state(w, balancer)
        assert await w.states(group) == {"172.31.0.10:80": "unused"}
        again = await w.balancer()  # the name is free at once
        assert again != balancer
        await w.crash()
        await w.settle()
        assert [each.id for each in w.store.all(load_balancers)] == [again.partition("/")[2]]
        assert len((await w.ec2.describe_network_interfaces())["NetworkInterfaces"]) == 2
        assert len(w.store.all(fleet.zones)) == 1


async def test_a_lost_node_and_another(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        balancer, _ = await serving(w)
        w.change_node("node-1", state="lost")
        await w.settle()
        assert await state(w, balancer) == ("active_impaired", "No node is there to carry the load balancer")
        w.add_node("node-2")
        await w.settle()
        assert w.carried()[0].node == "node-2"
        assert await state(w, balancer) == ("active", "")
        w.change_node("node-1", state="ready")
        await w.settle()
        assert w.carried()[0].node == "node-2"  # it does not go back


async def test_no_node_yet(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.change_node("node-1", schedulable=False)
        balancer = await w.balancer()
        await w.settle()
        assert (await state(w, balancer))[0] == "provisioning"
        w.change_node("node-1", schedulable=True)
        await w.settle()
        assert (await state(w, balancer))[0] == "active"


async def test_what_the_node_cannot_carry_out_is_told(tmp_path: Path) -> None:
    async with world(tmp_path, auto=False) as w:
        balancer, _ = await serving(w)
        (carried,) = w.carried()
        assert (await state(w, balancer))[0] == "provisioning"
        w.apply(carried.id)
        await w.settle()
        assert await state(w, balancer) == ("active", "")
        w.apply(carried.id, error="Envoy does not start")
        await w.settle()
        assert await state(w, balancer) == ("active_impaired", "Envoy does not start")


async def test_a_subnet_without_room(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.vpc()
        vpc = (await w.ec2.create_vpc(CidrBlock="10.1.0.0/24"))["Vpc"]["VpcId"]
        small = []
        for number, zone in enumerate("ab"):
            made = await w.ec2.create_subnet(
                VpcId=vpc, CidrBlock=f"10.1.0.{16 * number}/28", AvailabilityZone=f"us-east-1{zone}"
            )
            small.append(made["Subnet"]["SubnetId"])
        for _ in range(11):
            taken = (await w.ec2.create_network_interface(SubnetId=small[1]))["NetworkInterface"]
        arn = await w.balancer(Subnets=small, Scheme="internal")
        await w.settle()
        code, reason = await state(w, arn)
        assert code == "failed"
        assert "not enough free addresses" in reason
        await w.ec2.delete_network_interface(NetworkInterfaceId=taken["NetworkInterfaceId"])
        await w.pass_time(1.0)
        assert (await state(w, arn))[0] == "active"


async def test_security_groups_and_subnets_can_be_changed(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        balancer, _ = await serving(w)
        subnets = await w.subnets()
        made = await w.ec2.create_security_group(GroupName="web", Description="web", VpcId=await w.vpc())
        await w.elb.set_security_groups(LoadBalancerArn=balancer, SecurityGroups=[made["GroupId"]])
        before = w.carried()[0]
        await w.elb.set_subnets(LoadBalancerArn=balancer, Subnets=subnets[1:])
        await w.settle()
        (after,) = w.carried()
        interfaces = (await w.ec2.describe_network_interfaces())["NetworkInterfaces"]
        assert {each["SubnetId"] for each in interfaces} == set(subnets[1:])
        assert {each["NetworkInterfaceId"] for each in interfaces} == set(after.interfaces)
        assert len(set(before.interfaces) & set(after.interfaces)) == 1
        assert all([group["GroupId"] for group in each["Groups"]] == [made["GroupId"]] for each in interfaces)
        assert set(w.wanted().balancers[0].addresses) == {each["PrivateIpAddress"] for each in interfaces}
        await w.elb.set_subnets(LoadBalancerArn=balancer, Subnets=subnets[:2])
        await w.elb.set_subnets(LoadBalancerArn=balancer, Subnets=subnets)
        await w.settle()
        assert len(w.carried()[0].interfaces) == 3
        assert (await state(w, balancer))[0] == "active"


# --- targets -------------------------------------------------------------------------------------------------------


async def test_draining_ends_on_time_and_over_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _, group = await serving(w)
        await w.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "172.31.0.10"}])
        await w.crash()
        await w.pass_time(299)
        assert await w.states(group) == {"172.31.0.10:80": "draining"}
        await w.pass_time(1.1)
        assert await w.states(group) == {}
        assert w.wanted().groups[0].targets == ()
        assert w.store.all(fleet.target_statuses) == []


async def test_registered_anew_while_draining_begins_anew(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _, group = await serving(w)
        await w.elb.deregister_targets(TargetGroupArn=group, Targets=TARGET)
        await w.settle()
        w.auto = False
        await w.elb.register_targets(TargetGroupArn=group, Targets=TARGET)
        await w.settle()
        assert await w.states(group) == {"172.31.0.10:80": "initial"}  # not what was known of it before
        await w.pass_time(301)
        (target,) = w.wanted().groups[0].targets
        assert target.state == "active"
        w.target(group, target.id, "healthy")
        assert await w.states(group) == {"172.31.0.10:80": "healthy"}


async def test_no_delay_no_draining(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _, group = await serving(w)
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "0"}
        await w.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[delay])
        await w.elb.deregister_targets(TargetGroupArn=group, Targets=TARGET)
        assert await w.states(group) == {}
        unused = await w.group("unused")
        await w.elb.register_targets(TargetGroupArn=unused, Targets=TARGET)
        await w.elb.deregister_targets(TargetGroupArn=unused, Targets=TARGET)
        assert await w.states(unused) == {}


async def test_what_was_said_of_targets_goes_with_them(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        balancer, group = await serving(w)
        (known,) = w.store.all(targets)
        assert len(w.store.all(fleet.target_statuses)) == 1
        await w.elb.delete_load_balancer(LoadBalancerArn=balancer)
        await w.elb.delete_target_group(TargetGroupArn=group)
        await w.settle()
        assert w.store.all(targets) == []
        assert w.store.all(fleet.target_statuses) == []
        w.target(group, known.name, "unhealthy", "failed")  # the node had that on its way
        await w.settle()
        assert w.store.all(fleet.target_statuses) == []


async def test_why_a_target_is_not_well(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _, group = await serving(w)
        (known,) = w.store.all(targets)
        w.target(group, known.name, "unhealthy", "code_mismatch", "Health checks failed with these codes: [502]")
        (shown,) = (await w.elb.describe_target_health(TargetGroupArn=group))["TargetHealthDescriptions"]
        assert shown == {
            "Target": {"Id": "172.31.0.10", "Port": 80, "AvailabilityZone": "us-east-1a"},
            "HealthCheckPort": "80",
            "TargetHealth": {
                "State": "unhealthy",
                "Reason": "Target.ResponseCodeMismatch",
                "Description": "Health checks failed with these codes: [502]",
            },
        }
        asked = await w.elb.describe_target_health(TargetGroupArn=group, Targets=[{"Id": "172.31.0.77", "Port": 1}])
        (unknown,) = asked["TargetHealthDescriptions"]
        assert unknown["TargetHealth"]["Reason"] == "Target.NotRegistered"


async def test_other_zones_are_unused(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        balancer, group = await serving(w)
        await w.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "172.31.32.10"}])
        await w.settle()
        assert await w.states(group) == {"172.31.0.10:80": "healthy", "172.31.32.10:80": "unused"}
        await w.elb.set_subnets(LoadBalancerArn=balancer, Subnets=await w.subnets())
        await w.settle()
        assert await w.states(group) == {"172.31.0.10:80": "healthy", "172.31.32.10:80": "healthy"}


async def test_a_name_leads_to_zones_with_healthy_targets_where_zones_are_not_crossed(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _, group = await serving(w)
        await w.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "172.31.16.10"}])
        await w.settle()

        def led_to() -> int:
            return len(w.store.all(fleet.zones)[0].addresses)

        def told(address: str, state: str) -> None:
            target = next(each for each in w.store.all(targets) if each.address == address)
            w.target(group, target.name, state)

        told("172.31.16.10", "unhealthy")
        await w.settle()
        assert led_to() == 2
        off = [{"Key": "load_balancing.cross_zone.enabled", "Value": "false"}]
        await w.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=off)
        await w.settle()
        assert led_to() == 1
        told("172.31.16.10", "healthy")
        await w.settle()
        assert led_to() == 2
        assert not w.wanted().groups[0].attributes.across_zones
        assert [each.zone for each in w.wanted().groups[0].targets] == ["us-east-1a", "us-east-1b"]


async def test_a_word_that_says_no_more_than_the_last_one_wakes_nobody(tmp_path: Path) -> None:
    """A node tells which version is in force after every change; what a load balancer's state depends on is less."""
    async with world(tmp_path) as w:
        balancer, _ = await serving(w)
        (lane,) = (each for each in w.runner._lanes if each.controller.name == "elbv2.load_balancers")
        (carried,) = w.carried()
        before = lane.runs
        for _ in range(3):
            w.apply(carried.id)
            await w.settle()
        assert lane.runs == before
        w.apply(carried.id, error="no")
        await w.settle()
        assert lane.runs > before
        assert await state(w, balancer) == ("active_impaired", "no")
