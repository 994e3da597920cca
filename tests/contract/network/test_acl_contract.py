"""Network ACLs: what crosses a subnet's border meets its rules, in both directions; nothing is remembered."""

from __future__ import annotations

import asyncio
import random

import pytest
import pytest_asyncio

from hatoba.core.records import replace
from hatoba.network.base import Acl, AclRule, Border
from hatoba.network.rulebook import RuleBook
from hatoba.network.ruleset import Frame
from tests.contract.network.labs import WORLD, Lab, RealLab, rules
from tests.contract.network.specs import METADATA, OPEN, balancer, peer, task, vpc
from tools.waiting import heard

LEFT = Border(subnet="subnet-left", cidrs=("10.0.1.0/24", "fd00::1:0/112"))
RIGHT = Border(subnet="subnet-right", cidrs=("10.0.2.0/24", "fd00::2:0/112"))
ALL = AclRule(allow=True, cidrs=("0.0.0.0/0",))
ALL6 = AclRule(allow=True, cidrs=("::/0",))
NEVER = AclRule(cidrs=("0.0.0.0/0",))


def allow(first: int, last: int, *cidrs: str, protocol: str = "tcp") -> AclRule:
    return AclRule(allow=True, protocol=protocol, from_port=first, to_port=last, cidrs=cidrs or ("0.0.0.0/0",))


def deny(first: int, last: int, *cidrs: str) -> AclRule:
    return AclRule(protocol="tcp", from_port=first, to_port=last, cidrs=cidrs or ("0.0.0.0/0",))


def acl(ingress: tuple[AclRule, ...], egress: tuple[AclRule, ...] = (ALL, ALL6), *borders: Border) -> Acl:
    return Acl(id="acl-1", borders=borders or (RIGHT,), ingress=ingress, egress=egress)


REPLIES = allow(1024, 65535)


@pytest_asyncio.fixture
async def lab_of_two(lab: Lab) -> Lab:
    await two_subnets(lab)
    return lab


async def two_subnets(lab: Lab) -> None:
    """`a` and `c` in the left subnet, `b` in the right one; `b` and `c` listen on port 80."""
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(vpc())
    await fabric.set_policies("vpc-1", (OPEN,))
    await fabric.ensure_interface(task("a", "10.0.1.10", "sg-open", address6="fd00::1:10", egress=True))
    await fabric.ensure_interface(task("b", "10.0.2.11", "sg-open", address6="fd00::2:11", public="100.80.8.9"))
    await fabric.ensure_interface(task("c", "10.0.1.12", "sg-open"))
    await lab.listen(0, "b", "0.0.0.0", 80)
    await lab.listen(0, "c", "0.0.0.0", 80)


async def test_what_no_rule_fits_is_dropped_and_a_subnet_is_one_within(lab_of_two: Lab) -> None:
    lab = lab_of_two
    assert await lab.reaches(0, "a", "10.0.2.11")
    await lab.fabrics[0].set_acls("vpc-1", (acl((), (), LEFT),))
    assert not await lab.reaches(0, "a", "10.0.2.11")
    assert await lab.reaches(0, "a", "10.0.1.12"), "the same subnet"
    await lab.fabrics[0].set_acls("vpc-1", ())
    assert await lab.reaches(0, "a", "10.0.2.11")


async def test_answers_need_a_rule_of_their_own(lab_of_two: Lab) -> None:
    lab, fabric = lab_of_two, lab_of_two.fabrics[0]
    await fabric.set_acls("vpc-1", (acl((allow(80, 80),), ()),))
    assert not await lab.reaches(0, "a", "10.0.2.11"), "it comes in, and its answer does not go out"
    await fabric.set_acls("vpc-1", (acl((allow(80, 80),), (REPLIES,)),))
    assert await lab.reaches(0, "a", "10.0.2.11")
    await fabric.set_acls("vpc-1", (acl((allow(80, 80),), (REPLIES,)), Acl(id="acl-2", borders=(LEFT,), egress=(ALL,))))
    assert not await lab.reaches(0, "a", "10.0.2.11"), "the answer does not come into the other subnet"


async def test_the_first_rule_that_fits_has_the_say(lab_of_two: Lab) -> None:
    lab, fabric = lab_of_two, lab_of_two.fabrics[0]
    await fabric.set_acls("vpc-1", (acl((deny(80, 80, "10.0.1.0/24"), ALL)),))
    assert not await lab.reaches(0, "a", "10.0.2.11")
    await fabric.set_acls("vpc-1", (acl((ALL, deny(80, 80))),))
    assert await lab.reaches(0, "a", "10.0.2.11")
    await fabric.set_acls("vpc-1", (acl((deny(80, 80, "10.0.3.0/24"), ALL)),))
    assert await lab.reaches(0, "a", "10.0.2.11"), "denied to somebody else"


async def test_both_versions_have_their_own_rules(lab_of_two: Lab) -> None:
    lab, fabric = lab_of_two, lab_of_two.fabrics[0]
    await lab.listen(0, "b", "fd00::2:11", 81)
    await fabric.set_acls("vpc-1", (acl((ALL,)),))
    assert not await lab.reaches(0, "a", "fd00::2:11", 81)
    await fabric.set_acls("vpc-1", (acl((ALL, ALL6)),))
    assert await lab.reaches(0, "a", "fd00::2:11", 81)


async def test_the_outside_is_beyond_the_border_in_both_directions(lab_of_two: Lab) -> None:
    lab, fabric = lab_of_two, lab_of_two.fabrics[0]
    await lab.listen(0, "world", WORLD, 80)
    assert await lab.reaches(0, "a", WORLD)
    assert await lab.reaches(0, None, "100.80.8.9")
    left = Acl(id="acl-2", borders=(LEFT,), ingress=(REPLIES,))
    await fabric.set_acls("vpc-1", (acl((allow(80, 80, "10.0.0.0/8"),)), left))
    assert not await lab.reaches(0, "a", WORLD)
    assert not await lab.reaches(0, None, "100.80.8.9")
    await fabric.set_acls("vpc-1", (acl((allow(80, 80),)), replace(left, egress=(allow(80, 80, f"{WORLD}/32"),))))
    assert await lab.reaches(0, None, "100.80.8.9")
    assert await lab.reaches(0, "a", WORLD)


async def test_the_routers_own_addresses_are_in_subnets_too(lab_of_two: Lab) -> None:
    """A load balancer's: what it sends and what is sent to it."""
    lab, fabric = lab_of_two, lab_of_two.fabrics[0]
    await fabric.ensure_address(balancer("lb", "10.0.2.20", "sg-open"))
    await lab.listen(0, "vpc-1", "10.0.2.20", 80)

    async def reached() -> list[bool]:
        there = await lab.reaches(0, "a", "10.0.2.20")
        on = await lab.reaches(0, "vpc-1" if lab.real else "lb", "10.0.1.12", own="10.0.2.20")
        beside = await lab.reaches(0, "vpc-1" if lab.real else "lb", "10.0.2.11", own="10.0.2.20")
        return [there, on, beside]

    assert await reached() == [True, True, True]
    await fabric.set_acls("vpc-1", (acl((), ()),))
    assert await reached() == [False, False, True]


async def test_what_the_router_serves_is_reached_through_every_acl(lab_of_two: Lab) -> None:
    lab = lab_of_two
    await lab.listen(0, "vpc-1", METADATA, 80)
    await lab.fabrics[0].set_acls("vpc-1", (acl((NEVER,), (NEVER,), LEFT, RIGHT),))
    assert await lab.reaches(0, "a", METADATA, 80)


async def test_a_border_lies_between_nodes_too(lab: Lab) -> None:
    for node, (here, other) in enumerate((("10.0.1.10", "10.0.2.11"), ("10.0.2.11", "10.0.1.10"))):
        fabric = lab.fabrics[node]
        await fabric.ensure_vpc(vpc())
        await fabric.set_policies("vpc-1", (OPEN,))
        await fabric.ensure_interface(task(f"t{node}", here, "sg-open"))
        await fabric.set_peers("vpc-1", (peer(other, lab.settings[1 - node].underlay or "", "sg-open"),))
    await lab.listen(1, "t1", "0.0.0.0", 80)
    assert await lab.reaches(0, "t0", "10.0.2.11")
    for fabric in lab.fabrics:
        await fabric.set_acls("vpc-1", (acl((allow(80, 80),), ()),))
    assert not await lab.reaches(0, "t0", "10.0.2.11")
    for fabric in lab.fabrics:
        await fabric.set_acls("vpc-1", (acl((allow(80, 80),), (REPLIES,)),))
    assert await lab.reaches(0, "t0", "10.0.2.11")


async def test_a_rule_that_cannot_be_written_is_refused(lab_of_two: Lab) -> None:
    with pytest.raises(ValueError, match="is no protocol"):
        await lab_of_two.fabrics[0].set_acls("vpc-1", (acl((AclRule(protocol="nonsense", cidrs=("0.0.0.0/0",)),)),))


@pytest.mark.real
async def test_standing_connections_meet_the_new_rules_also_after_a_restart(real: RealLab) -> None:
    lab = real
    await two_subnets(lab)
    listener = await lab.listen(0, "b", "10.0.2.11", 90)
    opened = await lab.connect(0, "a", "10.0.2.11", 90)
    assert opened is not None
    loop = asyncio.get_running_loop()
    accepted, _ = await loop.sock_accept(listener)
    accepted.setblocking(False)

    async def arrives(word: bytes) -> bool:
        await loop.sock_sendall(opened, word)
        try:
            return await heard(loop.sock_recv(accepted, 100)) == word
        except TimeoutError:
            return False

    assert await arrives(b"before")
    await lab.fabrics[0].set_acls("vpc-1", (acl((NEVER,)),))
    assert not await arrives(b"lost")
    await lab.fabrics[0].close()
    again = lab.fabrics[0] = lab.restarted(0)
    await again.start()
    assert not await lab.reaches(0, "a", "10.0.2.11"), "the rules outlive the agent"
    await again.set_acls("vpc-1", ())
    assert await lab.reaches(0, "a", "10.0.2.11")
    accepted.close()
    opened.close()


@pytest.mark.real
async def test_every_small_step_is_one_that_the_kernel_takes(real: RealLab) -> None:
    """And leads where the whole table would: else a step that fails would be hidden by stating everything again."""
    chance = random.Random(5)
    book = RuleBook(Frame(host_address="100.80.0.1", transit="100.80.0.2"))
    choice = ((ALL,), (NEVER,), (REPLIES, ALL6), ())
    for _ in range(12):
        first = acl(chance.choice(choice), chance.choice(choice), *chance.choice(((LEFT,), (LEFT, RIGHT))))
        second = Acl(id="acl-2", borders=(RIGHT,), ingress=chance.choice(choice))
        wanted = (first, second) if len(first.borders) == 1 and chance.random() < 0.6 else (first,)
        if commands := book.set_acls(wanted):
            rules(real.world, commands)
        stepped = rules(real.world)
        rules(real.world, book.document())
        assert sorted(stepped.splitlines()) == sorted(rules(real.world).splitlines())
