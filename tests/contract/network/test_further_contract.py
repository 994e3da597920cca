"""Further addresses of an interface, and blocks that were delegated to it: reached, sent from, moved, taken away.

What a running interface is given and loses does not touch its connections; those of what it has lost end.
"""

from __future__ import annotations

import asyncio
import random

import pytest
from msgspec.structs import replace

from hatoba.network import tracking
from hatoba.network.base import InterfaceSpec, RemotePublic
from hatoba.network.beyond import Guest
from hatoba.network.further import Further
from tests.contract.network.labs import NODES, WORLD, Lab, RealLab, inside, rules, run
from tests.contract.network.specs import CLOSED, DEFAULT, OPEN, peer, rule, task, vpc

MORE = "10.0.0.50"
BLOCK = "10.0.0.64/28"


async def two(lab: Lab, *further: str, publics: dict[str, str] | None = None) -> None:
    """`a` at 10.0.0.10 holds what is said besides; `b` at 10.0.0.11 is a member of the same group. Both listen."""
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(vpc())
    await fabric.set_policies("vpc-1", (DEFAULT, OPEN))
    await fabric.ensure_interface(task("a", "10.0.0.10", further=further, publics=publics))
    await fabric.ensure_interface(task("b", "10.0.0.11"))
    await lab.listen(0, "a", "0.0.0.0", 80)
    await lab.listen(0, "b", "0.0.0.0", 80)


async def test_a_further_address_is_reached_and_sent_from(lab: Lab) -> None:
    await two(lab, MORE)
    assert await lab.reaches(0, "b", MORE)
    assert await lab.reaches(0, "a", "10.0.0.11", own=MORE), "it is a member of the groups, too"
    assert await lab.reaches(0, "a", "10.0.0.11")
    assert not await lab.reaches(0, "b", "10.0.0.51"), "nobody holds that"


async def test_a_block_is_reached_at_all_of_its_addresses(lab: Lab) -> None:
    await two(lab, BLOCK)
    for address in ("10.0.0.64", "10.0.0.70", "10.0.0.79"):
        assert await lab.reaches(0, "b", address)
    assert await lab.reaches(0, "a", "10.0.0.11", own="10.0.0.79")
    for address in ("10.0.0.63", "10.0.0.80"):
        assert not await lab.reaches(0, "b", address)


async def test_a_standing_interface_gains_and_loses_addresses(lab: Lab) -> None:
    await two(lab)
    fabric = lab.fabrics[0]
    assert not await lab.reaches(0, "b", MORE)
    await fabric.ensure_interface(task("a", "10.0.0.10", further=(MORE, BLOCK)))
    assert await lab.reaches(0, "b", MORE)
    assert await lab.reaches(0, "b", "10.0.0.70")
    await fabric.ensure_interface(task("a", "10.0.0.10", further=(BLOCK,)))
    assert not await lab.reaches(0, "b", MORE)
    assert await lab.reaches(0, "b", "10.0.0.70")
    await fabric.ensure_interface(task("a", "10.0.0.10"))
    assert not await lab.reaches(0, "b", "10.0.0.70")
    assert await lab.reaches(0, "b", "10.0.0.10"), "its own stays"


@pytest.mark.parametrize("first", ["giver", "taker"])
async def test_an_address_moves_to_another_interface(lab: Lab, first: str) -> None:
    await two(lab, MORE)
    fabric = lab.fabrics[0]
    await fabric.set_policies("vpc-1", (OPEN, CLOSED))
    await fabric.ensure_interface(task("a", "10.0.0.10", "sg-open", further=(MORE,)))
    await fabric.ensure_interface(task("c", "10.0.0.12", "sg-open"))
    assert await lab.reaches(0, "c", MORE)
    takes, gives = task("b", "10.0.0.11", "sg-closed", further=(MORE,)), task("a", "10.0.0.10", "sg-open")
    for spec in (gives, takes) if first == "giver" else (takes, gives):
        await fabric.ensure_interface(spec)
    assert not await lab.reaches(0, "c", MORE), "its new holder's groups let nobody in"
    await fabric.ensure_interface(replace(takes, groups=("sg-open",)))
    assert await lab.reaches(0, "c", MORE)
    assert await lab.reaches(0, "a", MORE), "the former holder does not take it for its own"


async def test_a_public_address_stands_for_a_further_one(lab: Lab) -> None:
    await two(lab)
    fabric = lab.fabrics[0]
    given = task(
        "a", "10.0.0.10", "sg-open", public="100.80.8.1", egress=True, further=(MORE,), publics={MORE: "100.80.8.2"}
    )
    await fabric.ensure_interface(given)
    await lab.listen(0, "world", "0.0.0.0", 80)
    for public in ("100.80.8.1", "100.80.8.2"):
        assert await lab.reaches(0, None, public)
    assert await lab.reaches(0, "a", WORLD, own=MORE)
    await fabric.ensure_interface(replace(given, further=(Further(network=MORE),)))
    assert await lab.reaches(0, None, "100.80.8.1")
    assert not await lab.reaches(0, None, "100.80.8.2")
    assert not await lab.reaches(0, "a", WORLD, own=MORE), "only what has a public address leaves the VPC by itself"
    assert await lab.reaches(0, "a", WORLD)
    await fabric.ensure_interface(task("b", "10.0.0.11", "sg-open", public="100.80.8.2"))
    assert await lab.reaches(0, None, "100.80.8.2"), "another has it now"


async def test_further_addresses_of_another_node(lab: Lab) -> None:
    for fabric in lab.fabrics:
        await fabric.ensure_vpc(vpc())
        await fabric.set_policies("vpc-1", (DEFAULT,))
    await lab.fabrics[0].ensure_interface(task("a", "10.0.0.10"))
    await lab.fabrics[1].ensure_interface(task("b", "10.0.0.11", further=(MORE, BLOCK)))
    await lab.fabrics[0].set_peers("vpc-1", (peer("10.0.0.11", NODES[1], further=(MORE, BLOCK)),))
    await lab.fabrics[1].set_peers("vpc-1", (peer("10.0.0.10", NODES[0]),))
    await lab.listen(0, "a", "0.0.0.0", 80)
    await lab.listen(1, "b", "0.0.0.0", 80)
    for address in (MORE, "10.0.0.70"):
        assert await lab.reaches(0, "a", address)
        assert await lab.reaches(1, "b", "10.0.0.10", own=address)
    await lab.fabrics[0].set_peers("vpc-1", (peer("10.0.0.11", NODES[1], further=(BLOCK,)),))
    assert not await lab.reaches(0, "a", MORE)
    assert await lab.reaches(0, "a", "10.0.0.70")
    assert await lab.reaches(0, "a", "10.0.0.11")
    # It moves here, as the node hears of it: first of the peers, then of the interfaces.
    await lab.fabrics[0].ensure_interface(task("a", "10.0.0.10", further=(MORE,)))
    await lab.fabrics[1].ensure_interface(task("b", "10.0.0.11", further=(BLOCK,)))
    await lab.fabrics[1].set_peers("vpc-1", (peer("10.0.0.10", NODES[0], further=(MORE,)),))
    assert await lab.reaches(1, "b", MORE)


async def test_a_public_address_of_a_further_one_on_another_node(lab: Lab) -> None:
    for fabric in lab.fabrics:
        await fabric.ensure_vpc(vpc())
        await fabric.set_policies("vpc-1", (OPEN,))
    await lab.fabrics[1].ensure_interface(
        task("b", "10.0.0.11", "sg-open", further=(MORE,), publics={MORE: "100.80.8.2"})
    )
    await lab.fabrics[0].set_remote_publics((RemotePublic(address="100.80.8.2", node=NODES[1]),))
    await lab.listen(1, "b", "0.0.0.0", 80)
    assert await lab.reaches(0, None, "100.80.8.2")


async def test_a_guests_further_addresses_are_members_too(lab: Lab) -> None:
    from tests.contract.network.test_routing_contract import BACK, TO_FAR, far, routing, two_vpcs

    web = replace(CLOSED, id="sg-web", ingress=(rule(80, groups=("sg-app",)),))
    await two_vpcs(lab, routing(TO_FAR), far(BACK), web)
    source = task("in", "10.0.1.10", "sg-open", further=("10.0.1.50",))
    await lab.fabrics[0].ensure_interface(replace(source, gateway="10.0.1.1"))
    await lab.fabrics[0].set_guests("vpc-2", (Guest(address="10.0.1.10", groups=("sg-app",)),))
    assert not await lab.reaches(0, "in", "10.2.0.10", own="10.0.1.50")
    guest = Guest(address="10.0.1.10", groups=("sg-app",), further=("10.0.1.50",))
    await lab.fabrics[0].set_guests("vpc-2", (guest,))
    assert await lab.reaches(0, "in", "10.2.0.10", own="10.0.1.50")


@pytest.mark.parametrize(
    "further",
    [
        (Further(network="10.0.0.0/27"),),
        (Further(network="10.0.0.65/28"),),
        (Further(network="fd00::/64"),),
        (Further(network="fd00:0:0:0:1::9"),),
        (Further(network="fd00::9", public="100.80.8.9"),),
        (Further(network=BLOCK, public="100.80.8.2"),),
        (Further(network=MORE, public="192.0.2.1"),),
    ],
)
async def test_what_cannot_be_held_is_refused(lab: Lab, further: tuple[Further, ...]) -> None:
    await two(lab)
    with pytest.raises(ValueError, match=r"10\.0|fd00|192\.0"):
        await lab.fabrics[0].ensure_interface(replace(task("a", "10.0.0.10"), further=further))
    assert await lab.reaches(0, "b", "10.0.0.10")


# --- the kernel's alone


@pytest.mark.real
async def test_connections_stay_and_those_of_lost_addresses_end(real: RealLab) -> None:
    await two(real, MORE)
    fabric, loop = real.fabrics[0], asyncio.get_running_loop()
    listening = await real.listen(0, "a", "0.0.0.0", 81)
    kept, lost = [await real.connect(0, "b", address, 81) for address in ("10.0.0.10", MORE)]
    assert kept is not None
    assert lost is not None
    accepted = [(await loop.sock_accept(listening))[0] for _ in range(2)]
    await fabric.ensure_interface(task("a", "10.0.0.10", further=(MORE, BLOCK)))
    await fabric.ensure_interface(task("a", "10.0.0.10", further=(BLOCK,)))
    await loop.sock_sendall(kept, b"still here")
    assert await loop.sock_recv(accepted[0], 100) == b"still here"
    router = real.namespace(0, "vpc-1")
    assert inside(router, lambda: tracking.forget([MORE])) == 0, "nothing that was allowed is left for whoever is next"
    assert inside(router, lambda: tracking.forget([MORE, "10.0.0.10"])) == 1
    for each in (kept, lost, *accepted):
        each.close()


@pytest.mark.real
async def test_a_task_cannot_send_from_a_block_that_is_not_its_own(real: RealLab) -> None:
    await two(real, BLOCK)
    run(real.namespace(0, "b"), "ip address add 10.0.0.70/32 dev eth0")
    assert not await real.reaches(0, "b", "10.0.0.10", own="10.0.0.70")


@pytest.mark.real
async def test_adding_and_removing_lead_to_the_same_as_a_fresh_interface(real: RealLab) -> None:
    await two(real)
    fabric, chance = real.fabrics[0], random.Random(11)
    possible = [MORE, "10.0.0.51", "10.0.0.52", BLOCK, "10.0.0.80/28"]
    for _ in range(12):
        for _ in range(chance.randint(1, 4)):
            await fabric.ensure_interface(_some(chance, possible))
        last = _some(chance, possible)
        await fabric.ensure_interface(last)
        changed = _state(real)
        await fabric.remove_interface("vpc-1", "a")
        await fabric.ensure_interface(last)
        assert changed == _state(real), last.further


def _some(chance: random.Random, possible: list[str]) -> InterfaceSpec:
    held = chance.sample(possible, chance.randint(0, len(possible)))
    publics = {each: f"100.80.8.{20 + n}" for n, each in enumerate(held) if "/" not in each and chance.random() < 0.4}
    return task("a", "10.0.0.10", further=tuple(held), publics=publics)


def _state(lab: RealLab) -> dict[str, list[str]]:
    """All that the kernel knows of the interface, at both ends, in an order of its own."""
    router, task_, host = (lab.namespace(0, place) for place in ("vpc-1", "a", None))
    listed = rules(router, "list table inet hatoba").replace(",", " ").split()
    return {
        "rules": sorted(listed),
        "router": sorted(run(router, "ip -4 route").splitlines()),
        "neighbours": sorted(run(router, "ip -4 neighbour show nud permanent").splitlines()),
        "addresses": sorted(line.split()[3] for line in run(task_, "ip -o -4 address").splitlines()),
        "held": sorted(run(task_, "ip -4 route show table local").splitlines()),
        "host": sorted(run(host, "ip -4 route").splitlines()),
    }
