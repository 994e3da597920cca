"""IPv6: within a VPC on one node and several, out of it and into it, as addresses, blocks, and all that somebody has.

It is never translated: who is reached from outside says so, and the host routes it there.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from msgspec.structs import replace

from hatoba.core.errors import Refused
from hatoba.network import syscalls, tracking
from hatoba.network.base import AddressSpec, Egress6, InterfaceSpec
from hatoba.network.beyond import Guest, Route, Routing, Subnet
from hatoba.network.namespace import turn_on_ipv6
from tests.contract.network.labs import ENDPOINT, NODES, WORLD6, Lab, RealLab, inside, run
from tests.contract.network.specs import (
    CLOSED,
    DEFAULT,
    METADATA,
    OPEN,
    RESOLVER6,
    peer,
    rule,
    task,
    task6,
    vpc,
)
from tools.waiting import PATIENCE, heard

NET = "fd68:6174:6f00:100"  # of a VPC: a /56 of the instance's pool, this its first /64
FAR = "fd68:6174:6f00:200"
A, B = f"{NET}::10", f"{NET}::11"
BLOCK = f"{NET}:5::/80"
ANY = "::"


async def one_vpc(lab: Lab, *specs: InterfaceSpec, node: int = 0) -> None:
    """Everybody listens at port 80."""
    fabric = lab.fabrics[node]
    await fabric.ensure_vpc(vpc(block6=f"{NET}::/56"))
    await fabric.set_policies("vpc-1", (DEFAULT, OPEN, CLOSED))
    for spec in specs:
        await fabric.ensure_interface(spec)
        await lab.listen(node, spec.id, ANY, 80)


# --- without IPv4


async def test_interfaces_without_ipv4_reach_each_other_and_what_the_router_serves(lab: Lab) -> None:
    await one_vpc(lab, task6("a", A), task6("b", B), task("old", "10.0.0.12", address6=f"{NET}::12"))
    for address in (METADATA, RESOLVER6):
        await lab.listen(0, "vpc-1", address, 80 if address == METADATA else 53)
    assert await lab.reaches(0, "a", B)
    assert await lab.reaches(0, "a", f"{NET}::12")
    assert await lab.reaches(0, "old", A)
    assert await lab.reaches(0, "a", METADATA)
    assert await lab.reaches(0, "a", RESOLVER6, 53)
    assert await lab.reaches(0, "old", RESOLVER6, 53)
    assert not await lab.reaches(0, "a", "10.0.0.12")
    assert not await lab.reaches(0, "a", lab.settings[0].host_address, ENDPOINT)


async def test_what_the_router_serves_knows_who_asks_without_ipv4(lab: Lab) -> None:
    await one_vpc(lab)
    fabric = lab.fabrics[0]
    one = await fabric.ensure_interface(task6("a", A))
    other = await fabric.ensure_interface(task6("b", B))
    assert one.local
    assert other.local
    assert one.local != other.local
    assert (await fabric.ensure_interface(task6("a", A, "sg-open"))).local == one.local
    assert (await fabric.ensure_interface(task("c", "10.0.0.12"))).local is None
    if lab.real:
        listening = await lab.listen(0, "vpc-1", METADATA, 80)
        assert listening is not None
        assert await lab.reaches(0, "b", METADATA)
        assert (await asyncio.get_running_loop().sock_accept(listening))[1][0] == other.local


# --- the way in and out


@pytest.mark.parametrize(
    ("egress6", "out", "back"), [("none", False, False), ("out", True, False), ("both", True, True)]
)
async def test_a_way_out_and_a_way_in(lab: Lab, egress6: Egress6, out: bool, back: bool) -> None:
    await one_vpc(lab, task6("a", A, "sg-open", egress6=egress6))
    await lab.listen(0, "world", WORLD6, 80)
    assert await lab.reaches(0, "a", WORLD6) is out
    assert await lab.reaches(0, None, A) is back
    if lab.real:
        assert await lab.reaches(0, "world", A) is back
        if back:  # nothing is translated
            listening = await lab.listen(0, "a", A, 81)
            assert await lab.reaches(0, "world", A, 81)
            assert listening is not None
            assert (await asyncio.get_running_loop().sock_accept(listening))[1][0] == WORLD6


async def test_the_way_changes_while_the_interface_stands(lab: Lab) -> None:
    await one_vpc(lab, task6("a", A, "sg-open", egress6="both"))
    await lab.listen(0, "world", WORLD6, 80)
    assert await lab.reaches(0, None, A)
    await lab.fabrics[0].ensure_interface(task6("a", A, "sg-open", egress6="out"))
    assert not await lab.reaches(0, None, A)
    assert await lab.reaches(0, "a", WORLD6)
    await lab.fabrics[0].ensure_interface(task6("a", A, "sg-open"))
    assert not await lab.reaches(0, "a", WORLD6)


async def test_groups_have_their_say_about_the_outside(lab: Lab) -> None:
    await one_vpc(lab, task6("a", A, "sg-closed", egress6="both"), task6("b", B, "sg-shut", egress6="both"))
    fabric = lab.fabrics[0]
    await lab.listen(0, "world", WORLD6, 80)
    assert await lab.reaches(0, "a", WORLD6)
    assert not await lab.reaches(0, None, A)
    assert not await lab.reaches(0, "b", WORLD6)
    await fabric.set_policies("vpc-1", (replace(CLOSED, ingress=(rule(80, cidrs=("fd68:6174:6f00::/64",)),)),))
    assert await lab.reaches(0, None, A), "the host's own address is in that block"


async def test_the_host_serves_what_is_meant_for_tasks_and_nothing_else(lab: Lab) -> None:
    await one_vpc(lab, task6("a", A, "sg-open", egress6="both"), task6("b", B, "sg-open"))
    there = lab.settings[0].host_address6
    assert there is not None
    for port in (ENDPOINT, 9000):
        await lab.listen(0, None, ANY, port)
    for source in ("a", "b"):
        assert await lab.reaches(0, source, there, ENDPOINT), "also without a way outside"
        assert not await lab.reaches(0, source, there, 9000)
    assert not await lab.reaches(0, "world", there, ENDPOINT)


async def test_routes_of_subnets_say_what_leaves(lab: Lab) -> None:
    await one_vpc(
        lab, task6("a", A, "sg-open", egress6="both"), task6("b", f"{NET[:-3]}101::11", "sg-open", egress6="both")
    )
    await lab.listen(0, "world", WORLD6, 80)
    leads = Subnet(blocks=(f"{NET}::/64",), routes=(Route(to="::/0", kind="outside"),))
    stays = Subnet(blocks=(f"{NET[:-3]}101::/64",))
    await lab.fabrics[0].set_routing("vpc-1", Routing(subnets=(leads, stays)))
    assert await lab.reaches(0, "a", WORLD6)
    assert not await lab.reaches(0, "b", WORLD6)
    assert await lab.reaches(0, "b", A)


async def test_two_vpcs_meet_outside_of_both(lab: Lab) -> None:
    await one_vpc(lab, task6("a", A, "sg-open", egress6="both"))
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(vpc("vpc-2", 2, block6=f"{FAR}::/56"))
    await fabric.set_policies("vpc-2", (OPEN,))
    await fabric.ensure_interface(task6("far", f"{FAR}::10", "sg-open", vpc="vpc-2", egress6="both"))
    await fabric.ensure_interface(task6("shy", f"{FAR}::11", "sg-open", vpc="vpc-2", egress6="out"))
    for holder in ("far", "shy"):
        await lab.listen(0, holder, ANY, 80)
    assert await lab.reaches(0, "a", f"{FAR}::10")
    assert await lab.reaches(0, "shy", A)
    assert not await lab.reaches(0, "a", f"{FAR}::11")


async def test_a_balancers_address(lab: Lab) -> None:
    await one_vpc(lab, task6("a", A, "sg-open"))
    await lab.fabrics[0].ensure_address(
        AddressSpec(
            id="lb", vpc="vpc-1", address="10.0.0.20", address6=f"{NET}::20", groups=("sg-open",), egress6="both"
        )
    )
    await lab.listen(0, "vpc-1", f"{NET}::20", 80)
    assert await lab.reaches(0, "a", f"{NET}::20")
    assert await lab.reaches(0, None, f"{NET}::20")
    if lab.real:
        assert await lab.reaches(0, "vpc-1", A, own=f"{NET}::20")
    else:
        assert await lab.reaches(0, "lb", A)


# --- addresses and blocks


async def test_addresses_come_and_go_while_an_interface_stands(lab: Lab) -> None:
    await one_vpc(lab, task("a", "10.0.0.10"), task6("b", B))
    fabric = lab.fabrics[0]
    standing = await lab.connect(0, "a", "10.0.0.10", 80) if isinstance(lab, RealLab) else None
    assert not await lab.reaches(0, "b", A)
    await fabric.ensure_interface(task("a", "10.0.0.10", address6=A, further=(f"{NET}::30",)))
    assert await lab.reaches(0, "b", A)
    assert await lab.reaches(0, "b", f"{NET}::30")
    assert await lab.reaches(0, "a", B)
    assert await lab.reaches(0, "a", B, own=f"{NET}::30")
    await fabric.ensure_interface(task("a", "10.0.0.10", address6=f"{NET}::40"))
    assert await lab.reaches(0, "b", f"{NET}::40")
    assert not await lab.reaches(0, "b", A)
    assert not await lab.reaches(0, "b", f"{NET}::30")
    await fabric.ensure_interface(task("a", "10.0.0.10"))
    assert not await lab.reaches(0, "a", B)
    if standing is not None:
        assert standing.getpeername(), "what it had by IPv4 was not touched"
        standing.close()


async def test_a_block_is_reached_at_any_of_its_addresses(lab: Lab) -> None:
    await one_vpc(lab, task6("a", A, further=(BLOCK,)), task6("b", B))
    for address in (f"{NET}:5::", f"{NET}:5::1", f"{NET}:5:ffff:ffff:ffff"):
        assert await lab.reaches(0, "b", address)
    assert await lab.reaches(0, "a", B, own=f"{NET}:5::77"), "its addresses are members of its groups"
    for address in (f"{NET}:4::1", f"{NET}:6::"):
        assert not await lab.reaches(0, "b", address)


async def test_a_block_comes_to_a_standing_interface_and_leaves_it(lab: Lab) -> None:
    await one_vpc(lab, task6("a", A, egress6="both"), task6("b", B))
    fabric = lab.fabrics[0]
    await fabric.ensure_interface(task6("a", A, "sg-default", "sg-open", egress6="both", further=(BLOCK,)))
    assert await lab.reaches(0, "b", f"{NET}:5::1")
    assert await lab.reaches(0, None, f"{NET}:5::1")
    await fabric.ensure_interface(task6("a", A, "sg-default", "sg-open", egress6="both"))
    assert not await lab.reaches(0, "b", f"{NET}:5::1")
    assert await lab.reaches(0, "b", A)


@pytest.mark.real
async def test_nobody_sends_from_what_is_not_theirs(real: RealLab) -> None:
    await one_vpc(real, task6("a", A, egress6="both"), task6("b", B))
    for forged in (f"{NET}::99", f"{NET}:5::1", "2001:db8::99"):
        run(real.namespace(0, "a"), f"ip address add {forged}/128 dev eth0 nodad")
        assert not await real.reaches(0, "a", B, own=forged)
        real_resolver = await real.listen(0, "vpc-1", RESOLVER6, 53)
        assert not await real.reaches(0, "a", RESOLVER6, 53, own=forged), "nobody is answered for another's question"
        real_resolver.close()
    assert await real.reaches(0, "a", B)


# --- several nodes, several VPCs


async def test_addresses_and_blocks_of_other_nodes(lab: Lab) -> None:
    await one_vpc(lab, task6("a", A), node=0)
    await one_vpc(lab, task6("b", B, further=(BLOCK, f"{NET}::50")), node=1)
    near, far = lab.fabrics
    await near.set_peers("vpc-1", (peer(None, NODES[1], address6=B, further=(BLOCK, f"{NET}::50")),))
    await far.set_peers("vpc-1", (peer(None, NODES[0], address6=A),))
    for address in (B, f"{NET}::50", f"{NET}:5::9"):
        assert await lab.reaches(0, "a", address)
    for own in (None, f"{NET}:5::9"):
        assert await lab.reaches(1, "b", A, own=own), "the group has the block's addresses for members, too"
    await near.set_peers("vpc-1", (peer(None, NODES[1], address6=B),))
    assert await lab.reaches(0, "a", B)
    assert not await lab.reaches(0, "a", f"{NET}:5::9")
    await near.set_peers("vpc-1", ())
    assert not await lab.reaches(0, "a", B)


async def test_peered_vpcs(lab: Lab) -> None:
    await one_vpc(lab, task6("a", A))
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(vpc("vpc-2", 2, block6=f"{FAR}::/56"))
    await fabric.set_policies("vpc-2", (replace(OPEN, ingress=(rule(80, groups=("sg-default",)),)),))
    await fabric.ensure_interface(task6("far", f"{FAR}::10", "sg-open", vpc="vpc-2"))
    await lab.listen(0, "far", ANY, 80)
    assert not await lab.reaches(0, "a", f"{FAR}::10")
    for here, there, near, far in (("vpc-1", "vpc-2", NET, FAR), ("vpc-2", "vpc-1", FAR, NET)):
        route = Route(to=f"{far}::/56", kind="peering", target=there)
        await fabric.set_routing(
            here, Routing(subnets=(Subnet(blocks=(f"{near}::/64",), routes=(route,)),), peerings=(there,))
        )
    assert not await lab.reaches(0, "a", f"{FAR}::10"), "no rule there names it"
    await fabric.set_guests("vpc-2", (Guest(address=None, address6=A, groups=("sg-default",)),))
    assert await lab.reaches(0, "a", f"{FAR}::10")


# --- packets


@pytest.mark.real
async def test_datagrams_in_fragments(real: RealLab) -> None:
    """To the own node, to another one, and to the outside; the rules see them whole."""
    await one_vpc(real, task6("a", A, "sg-open", egress6="both"), task6("c", f"{NET}::12", "sg-open"))
    await one_vpc(real, task6("b", B, "sg-open"), node=1)
    await real.fabrics[0].set_peers("vpc-1", (peer(None, NODES[1], "sg-open", address6=B),))
    await real.fabrics[1].set_peers("vpc-1", (peer(None, NODES[0], "sg-open", address6=A),))
    for node, holder, address in ((0, "c", f"{NET}::12"), (1, "b", B), (0, "world", WORLD6)):
        listens = await real.listen(node, holder, address, 5000, "udp")
        asking = await real.listen(0, "a", A, 5000, "udp")
        asking.sendto(b"x" * 4000, (address, 5000))
        async with asyncio.timeout(PATIENCE):
            said, source = await asyncio.get_running_loop().sock_recvfrom(listens, 8192)
        assert (len(said), source[0]) == (4000, A)
        if holder == "world":  # outside they are larger than a task's interface takes: the first time it is told that
            listens.sendto(said, source)
            with contextlib.suppress(TimeoutError):
                await heard(asyncio.get_running_loop().sock_recv(asking, 8192))
        listens.sendto(said, source)
        async with asyncio.timeout(PATIENCE):
            assert len(await asyncio.get_running_loop().sock_recv(asking, 8192)) == 4000
        asking.close()


@pytest.mark.real
async def test_a_path_that_is_too_narrow_is_told(real: RealLab) -> None:
    """A router on the way says how large a packet may be; nothing keeps that from its sender."""
    await one_vpc(real, task6("a", A, "sg-closed", egress6="out"))
    run(real.world, "ip link set br0 mtu 1300")
    run(real.world, "ip link set n0 mtu 1300")
    listens = await real.listen(0, "world", WORLD6, 80)
    opened = await real.connect(0, "a", WORLD6, 80)
    assert opened is not None
    taken, _ = await asyncio.get_running_loop().sock_accept(listens)
    taken.setblocking(False)
    sent = asyncio.get_running_loop().sock_sendall(opened, b"x" * 20000)
    async with asyncio.timeout(PATIENCE):
        await sent
        got = 0
        while got < 20000:
            got += len(await asyncio.get_running_loop().sock_recv(taken, 65536))
    opened.close()
    taken.close()


# --- the host


@pytest.mark.real
async def test_the_hosts_own_ipv6_is_as_it_was(real: RealLab) -> None:
    real.before = [real.state(node) for node in range(2)]
    for fabric in real.fabrics:
        await fabric.teardown()
    clean = real.state(1)
    real.fabrics = [real.restarted(node) for node in range(2)]
    for fabric in real.fabrics:
        await fabric.start()
    await one_vpc(real, task6("a", A, "sg-open", egress6="both"), node=1)
    during = real.state(1)
    assert f"{NET}::/56" in during["routes6"]
    own = [line for line in during["settings"].splitlines() if "/hat" not in line and "/ipv6/" in line]
    assert own == [line for line in clean["settings"].splitlines() if "/ipv6/" in line]
    await real.fabrics[1].teardown()
    assert real.state(1) == clean


@pytest.mark.real
async def test_a_host_without_ipv6_keeps_it_within_its_vpcs(real: RealLab) -> None:
    for fabric in real.fabrics:
        await fabric.teardown()
    inside(real.hosts[0], lambda: Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1"))
    real.fabrics[0] = real.restarted(0)
    await real.fabrics[0].start()
    await one_vpc(real, task6("a", A, "sg-open", egress6="both"), task6("b", B, "sg-open"))
    assert await real.reaches(0, "a", B)
    assert not await real.reaches(0, "a", WORLD6)
    assert run(real.hosts[0], "ip -6 -o address") == ""


@pytest.mark.real
@pytest.mark.parametrize("setting", ["default", "all"])
async def test_a_namespace_that_begins_without_ipv6_gets_it(real: RealLab, setting: str) -> None:
    root = Path("/proc/sys/net/ipv6/conf")

    def begun() -> list[str]:
        syscalls.unshare()
        for name in {setting, "lo"}:  # as where a machine's own settings are inherited
            (root / name / "disable_ipv6").write_text("1")
        turn_on_ipv6()
        return [(root / name / "disable_ipv6").read_text().strip() for name in ("default", "all", "lo")]

    assert inside(real.hosts[0], begun) == ["0", "0", "0"]


@pytest.mark.real
@pytest.mark.parametrize("most", [5000, 0])
async def test_connections_of_lost_addresses_are_found_in_the_kernels_list_and_in_its_table(
    real: RealLab, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(tracking, "_MANY", most)
    held = task6("a", A, "sg-open", further=(BLOCK,))
    await one_vpc(real, held, task6("b", B, "sg-open"))
    inner = f"{NET}:5::1"
    for address in (A, inner):
        assert await real.reaches(0, "b", address)
    router = real.namespace(0, "vpc-1")

    def forgets(*addresses: str) -> int:
        return inside(router, lambda: tracking.forget(addresses))

    assert forgets("10.0.0.99", f"{NET}::99", f"{NET}:6::/80") == 0
    assert forgets(f"{NET}::99", BLOCK) == 1, "a block's, by an address of it"
    assert forgets(A, BLOCK) == 1, "whom it was sent to"
    assert await real.reaches(0, "b", A)
    assert forgets(B) == 1, "who has begun it"


@pytest.mark.real
async def test_what_leads_into_the_pool_already_is_a_reason_to_refuse(real: RealLab) -> None:
    await real.fabrics[0].teardown()
    run(real.hosts[0], "ip -6 route add fd68:6174:6f00:900::/56 dev eth0")
    real.fabrics[0] = real.restarted(0)
    with pytest.raises(Refused, match="fd68:6174:6f00:900::/56 by eth0"):
        await real.fabrics[0].start()


@pytest.mark.real
async def test_a_successor_finds_everything(real: RealLab) -> None:
    held = task6("a", A, "sg-open", egress6="both", further=(BLOCK, f"{NET}::30"))
    await one_vpc(real, held, task6("b", B, "sg-open"))
    one = await real.fabrics[0].ensure_interface(held)
    before = real.state(0)
    await real.fabrics[0].close()
    real.fabrics[0] = real.restarted(0)
    await real.fabrics[0].start()
    assert (await real.fabrics[0].ensure_interface(held)).local == one.local
    assert real.state(0) == before
    for address in (A, f"{NET}::30", f"{NET}:5::1"):
        assert await real.reaches(0, "b", address)
        assert await real.reaches(0, None, address)
    await real.fabrics[0].remove_interface("vpc-1", "a")
    other = await real.fabrics[0].ensure_interface(task6("c", f"{NET}::12", "sg-open"))
    assert other.local != one.local, "one that was let go of rests"
