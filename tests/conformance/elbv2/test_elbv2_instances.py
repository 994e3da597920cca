"""Targets of the type instance: nodes by the ids that ECS tells, of which ports are registered, told and drained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatoba.fleet import model as fleet
from tests.conformance.elbv2.test_elbv2_api import refused
from tests.conformance.elbv2.test_elbv2_tls import certificate
from tests.conformance.elbv2.world import World, world


async def served(w: World, **params: Any) -> tuple[str, str]:
    """Load balancer and target group; the world's node is `node-1`, in us-east-1b."""
    arn = await w.balancer()
    group = await w.group(TargetType="instance", **params)
    await w.listener(arn, group)
    await w.settle()
    return arn, group


async def register(w: World, group: str, *targets: dict[str, Any]) -> None:
    await w.elb.register_targets(TargetGroupArn=group, Targets=list(targets))
    await w.settle()


async def test_ports_of_a_node_are_targets(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        arn, group = await served(w)
        await register(w, group, {"Id": "node-1"}, {"Id": "node-1", "Port": 32768}, {"Id": "node-1", "Port": 32769})
        assert await w.states(group) == {"node-1:80": "healthy", "node-1:32768": "healthy", "node-1:32769": "healthy"}
        one = {"Id": "node-1", "Port": 80}
        (shown,) = (await w.elb.describe_target_health(TargetGroupArn=group, Targets=[one]))["TargetHealthDescriptions"]
        assert shown["Target"] == one
        (carried,) = w.wanted().groups
        assert {(t.node, t.address, t.port, t.zone) for t in carried.targets} == {
            ("node-1", "", port, "us-east-1b") for port in (80, 32768, 32769)
        }
        (told,) = w.told(arn)
        assert told.nodes == {"node-1": ""}


async def test_what_is_the_default_type(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        params = {"Name": "plain", "Protocol": "HTTP", "Port": 80, "VpcId": await w.vpc()}
        (made,) = (await w.elb.create_target_group(**params))["TargetGroups"]
        assert made["TargetType"] == "instance"


async def test_a_balancer_elsewhere_is_told_where_the_node_is(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        arn, group = await served(w)
        w.add_node("node-2")
        w.change_node("node-2", address="192.0.2.2", attributes={fleet.ZONE: "us-east-1a"})
        await register(w, group, {"Id": "node-2"})
        assert [told.nodes for told in w.told(arn)] == [{"node-2": "192.0.2.2"}]
        w.change_node("node-2", address="192.0.2.3")
        assert [told.nodes for told in w.told(arn)] == [{"node-2": "192.0.2.3"}]


@pytest.mark.parametrize(
    ("target", "code", "message"),
    [
        ({"Id": "i-0123456789abcdef0"}, "InvalidTarget", "do not exist: 'i-0123456789abcdef0'"),
        ({"Id": "10.0.0.1"}, "InvalidTarget", "do not exist: '10.0.0.1'"),
        ({"Id": "lost"}, "InvalidTarget", "not in a running state and cannot be registered: 'lost'"),
        ({"Id": "mi-1"}, "InvalidTarget", "do not exist"),
        ({"Id": "managed"}, "InvalidTarget", "do not exist"),
        ({"Id": "theirs"}, "InvalidTarget", "do not exist"),
        ({"Id": "node-1", "AvailabilityZone": "us-east-1b"}, "ValidationError", "target type 'instance'"),
    ],
)
async def test_what_is_refused(tmp_path: Path, target: dict[str, Any], code: str, message: str) -> None:
    async with world(tmp_path) as w:
        _, group = await served(w)
        for node, fields in {
            "lost": {"state": "lost"},
            "managed": {"managed": "mi-1"},
            "theirs": {"account": "999999999999"},
        }.items():
            w.add_node(node)
            w.change_node(node, **fields)
        asked = w.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "node-1"}, target])
        await refused(code, message, asked)
        assert await w.states(group) == {}, "all or none"


async def test_one_in_another_zone_is_unused(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _, group = await served(w)
        w.add_node("far")
        w.change_node("far", attributes={fleet.ZONE: "us-east-1c"}, address="192.0.2.9")
        await register(w, group, {"Id": "far"})
        assert await w.states(group) == {"far:80": "unused"}
        assert w.wanted().groups[0].targets == ()


async def test_one_that_leaves_is_drained(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _, group = await served(w)
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "5"}
        await w.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[delay])
        await register(w, group, {"Id": "node-1", "Port": 32768}, {"Id": "node-1", "Port": 32769})
        await w.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "node-1", "Port": 32768}])
        assert await w.states(group) == {"node-1:32768": "draining", "node-1:32769": "healthy"}
        assert w.carried()[0].targets
        await w.pass_time(6)
        assert await w.states(group) == {"node-1:32769": "healthy"}


async def test_an_instance_that_is_no_more_is_deregistered(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _, group = await served(w)
        w.add_node("brief")
        w.change_node("brief", attributes={fleet.ZONE: "us-east-1a"}, address="192.0.2.9")
        await register(w, group, {"Id": "node-1"}, {"Id": "brief"})
        w.change_node("brief", state="lost")
        await w.settle()
        assert (await w.states(group))["brief:80"] == "healthy", (
            "what the checks find counts, as long as it may come back"
        )
        await w.halt()
        with w.store.tx() as tx:
            tx.forget(fleet.nodes, fleet.nodes.key(fleet.FLEET, "brief"))
        said = await w.elb.describe_target_health(TargetGroupArn=group, Targets=[{"Id": "brief"}])
        assert said["TargetHealthDescriptions"][0]["TargetHealth"]["Reason"] == "Target.InvalidState"
        await w.crash()
        await w.settle()
        assert await w.states(group) == {"node-1:80": "healthy"}
        assert [t.node for t in w.wanted().groups[0].targets] == ["node-1"]


@pytest.mark.parametrize(
    ("kind", "spoken"), [("TCP", ("tcp",)), ("TLS", ("tcp",)), ("UDP", ("udp",)), ("TCP_UDP", ("tcp", "udp"))]
)
async def test_nodes_are_told_by_which_ports_a_network_load_balancer_speaks_for_its_clients(
    tmp_path: Path, kind: str, spoken: tuple[str, ...]
) -> None:
    async with world(tmp_path) as w:
        arn = await w.balancer("flows", Type="network")
        group = await w.group("behind", Protocol=kind, Port=5353, TargetType="instance")
        forward = [{"Type": "forward", "TargetGroupArn": group}]
        given: dict[str, Any] = {}
        if kind == "TLS":
            given = {"Certificates": [{"CertificateArn": await certificate(w, "flows.example.com")}]}
        await w.elb.create_listener(LoadBalancerArn=arn, Protocol=kind, Port=53, DefaultActions=forward, **given)
        await w.settle()
        await register(w, group, {"Id": "node-1", "Port": 40000})
        assert await w.states(group) == {"node-1:40000": "healthy"}
        own = w.wanted().balancers[0].addresses[0]

        def entries() -> list[tuple[str, str, int, str]]:
            return [(each.node, each.balancer, each.port, each.protocol) for each in w.carried()[0].entries]

        every = [("node-1", own, 40000, each) for each in spoken]
        assert (entries(), w.carried()[0].fronting) == (every, True)
        assert w.wanted().groups[0].attributes.preserve_source
        if "udp" not in spoken:
            for wished, known in (("false", []), ("true", every)):
                wish = [{"Key": "preserve_client_ip.enabled", "Value": wished}]
                await w.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=wish)
                assert (entries(), w.carried()[0].fronting) == (known, bool(known))
        await w.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "node-1", "Port": 40000}])
        assert entries() == every, "while it is drained"
