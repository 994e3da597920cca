"""The kernel and the simulation are given the same random VPC, and asked who reaches whom: they must agree."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from hatoba.network.base import Acl, AclRule, Border, Fabric, InterfaceSpec, PolicySet, Rule
from tests.contract.network.labs import RealLab, SimulatedLab
from tests.contract.network.specs import balancer, task, vpc

pytestmark = pytest.mark.real

GROUPS = ("sg-a", "sg-b", "sg-c")
NETWORKS = ("0.0.0.0/0", "10.0.0.8/29", "10.0.0.12/32", "100.80.0.0/16", "10.0.0.0/16", "::/0")
PORTS = (80, 81)
BALANCER = "10.0.0.20"
SUBNETS = ("10.0.0.8/30", "10.0.0.12/30", "10.0.0.20/30")


def a_rule(chance: random.Random) -> Rule:
    protocol, start = chance.choice((("any", None), ("tcp", None), ("tcp", 80), ("tcp", 81), ("udp", 80), ("tcp", 1)))
    return Rule(
        protocol=protocol,
        from_port=start,
        to_port=80 if start == 1 else None,
        cidrs=tuple(chance.sample(NETWORKS, chance.choice((0, 1, 1, 2)))),
        groups=tuple(chance.sample(GROUPS, chance.choice((0, 0, 1, 2)))),
    )


def some_policies(chance: random.Random) -> tuple[PolicySet, ...]:
    def rules(most: int) -> tuple[Rule, ...]:
        return tuple(a_rule(chance) for _ in range(chance.randint(0, most)))

    everyone = Rule(cidrs=("0.0.0.0/0",))
    return tuple(
        PolicySet(id=group, ingress=rules(3), egress=chance.choice(((everyone,), rules(3))))
        for group in chance.sample(GROUPS, chance.randint(2, 3))
    )


def some_tasks(chance: random.Random) -> list[InterfaceSpec]:
    return [
        task(
            f"t{number}",
            f"10.0.0.{10 + number}",
            *chance.sample(GROUPS, chance.randint(1, 3)),
            public=f"100.80.8.{10 + number}" if chance.random() < 0.7 else None,
            egress=chance.random() < 0.7,
        )
        for number in range(4)
    ]


def some_acls(chance: random.Random) -> tuple[Acl, ...]:
    """None in half of the cases: they would hide what the groups do."""

    def rules() -> tuple[AclRule, ...]:
        most = [an_acl_rule(chance) for _ in range(chance.randint(0, 2))]
        return (*most, AclRule(allow=chance.random() < 0.8, cidrs=("0.0.0.0/0",)))

    borders = [Border(subnet=f"subnet-{cidr[7:-3]}", cidrs=(cidr,)) for cidr in SUBNETS]
    if chance.random() < 0.5:
        return ()
    chance.shuffle(borders)
    cut = chance.randint(1, len(borders))
    parts = [part for part in (borders[:cut], borders[cut:]) if part]
    return tuple(
        Acl(id=f"acl-{number}", borders=tuple(part), ingress=rules(), egress=rules())
        for number, part in enumerate(parts)
    )


def an_acl_rule(chance: random.Random) -> AclRule:
    first, last = chance.choice(((80, 80), (81, 81), (80, 81), (1024, 65535)))
    network = chance.choice([*SUBNETS, "0.0.0.0/0", "10.0.0.0/16"])
    return AclRule(allow=chance.random() < 0.5, protocol="tcp", from_port=first, to_port=last, cidrs=(network,))


async def wanted(
    fabric: Fabric,
    policies: tuple[PolicySet, ...],
    tasks: list[InterfaceSpec],
    groups: list[str],
    acls: tuple[Acl, ...],
) -> None:
    await fabric.ensure_vpc(vpc())
    await fabric.set_policies("vpc-1", policies)
    await fabric.set_acls("vpc-1", acls)
    for one in tasks:
        await fabric.ensure_interface(one)
    await fabric.ensure_address(balancer("lb", BALANCER, *groups, public="100.80.8.99"))


async def test_the_kernel_does_what_the_simulation_says(real: RealLab, tmp_path: Path) -> None:
    simulated = SimulatedLab(tmp_path)
    await simulated.start()
    for number in range(4):
        await real.fabrics[0].ensure_vpc(vpc())
        await real.fabrics[0].ensure_interface(task(f"t{number}", f"10.0.0.{10 + number}"))
        for port in PORTS:
            await real.listen(0, f"t{number}", "0.0.0.0", port)
    await real.fabrics[0].ensure_address(balancer("lb", BALANCER))
    for port in PORTS:
        await real.listen(0, "vpc-1", BALANCER, port)
    targets = (
        [f"10.0.0.{10 + n}" for n in range(4)] + [f"100.80.8.{10 + n}" for n in range(4)] + [BALANCER, "100.80.8.99"]
    )
    reached = 0
    for seed in range(12):
        chance = random.Random(seed)
        policies, tasks = some_policies(chance), some_tasks(chance)
        groups = chance.sample(GROUPS, chance.randint(1, 3))
        acls = some_acls(chance)
        for lab in (real, simulated):
            await wanted(lab.fabrics[0], policies, tasks, groups, acls)
        questions = [
            (source, target, port)
            for source in (None, "t0", "t1", "t2", "t3", "lb")
            for target in targets
            for port in PORTS
            if not (source in ("lb", None) and target == BALANCER) and target != own_address(source)
        ]
        expected = [await simulated.reaches(0, *question) for question in questions]
        found = await asyncio.gather(*(ask(real, *question) for question in questions))
        differences = [
            (question, says, does)
            for question, says, does in zip(questions, expected, found, strict=True)
            if says != does
        ]
        assert not differences, f"seed {seed}"
        reached += sum(found)
    assert reached > 100, "there is something to compare"


def own_address(source: str | None) -> str | None:
    """A task's own private address is within its namespace: no router is asked."""
    return f"10.0.0.{10 + int(source[1:])}" if source is not None and source.startswith("t") else None


async def ask(lab: RealLab, source: str | None, target: str, port: int) -> bool:
    if source == "lb":
        return await lab.reaches(0, "vpc-1", target, port, own=BALANCER)
    return await lab.reaches(0, source, target, port)
