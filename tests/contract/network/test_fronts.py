"""What every fabric keeps of balancers that speak under their clients' addresses: to targets that were named, as far as
groups let them, and what the targets answer comes to the balancer, wherever they and the clients are."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import NamedTuple

import pytest

from hatoba.core.records import replace
from hatoba.network.base import Fabric, Peer, PolicySet, Rule
from hatoba.network.beyond import Front
from tests.contract.network.labs import NODES, WORLD, WORLD6, Lab, RealLab, inside, rules, run
from tests.contract.network.specs import CLOSED, OPEN, balancer, peer, rule, task, vpc
from tools.waiting import PATIENCE, heard

LB, OTHER = "10.0.0.20", "10.0.0.21"
NEAR, FAR = "10.0.0.10", "10.0.0.11"  # targets: on the balancer's node, on the other one
BESIDE, BEYOND = "10.0.0.30", "10.0.0.31"  # clients: likewise
CLIENTS = (BESIDE, BEYOND, WORLD)
PORT = 80
IP_TRANSPARENT, IPV6_TRANSPARENT = 19, 75
NET = "fd68:6174:6f00:100"


class At(NamedTuple):
    """All of one family."""

    lb: str
    near: str
    far: str
    beside: str
    beyond: str
    world: str

    @property
    def clients(self) -> tuple[str, ...]:
        return self.beside, self.beyond, self.world


V4 = At(LB, NEAR, FAR, BESIDE, BEYOND, WORLD)
V6 = At(f"{NET}::20", f"{NET}::10", f"{NET}::11", f"{NET}::30", f"{NET}::31", WORLD6)
SIX = dict(zip(V4[:-1], V6, strict=False))
SOURCE = f"{NET}:5::1"  # of a balancer's prefix
families = pytest.mark.parametrize("at", [V4, V6], ids=["v4", "v6"])
BY_LB = PolicySet(id="sg-by-lb", ingress=(rule(PORT, groups=("sg-lb",)),), egress=OPEN.egress)
LBS = PolicySet(id="sg-lb", egress=OPEN.egress)
ONLY_BEYOND = rule(PORT, cidrs=(f"{BEYOND}/32", f"{V6.beyond}/128"))
ONLY = PolicySet(id="sg-only", ingress=(ONLY_BEYOND,), egress=OPEN.egress)


class Land:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.fabric, self.other = lab.fabrics

    async def build(self, group: str = "sg-open", target: str = "sg-open") -> None:
        for fabric in self.lab.fabrics:
            await fabric.ensure_vpc(vpc(block6=f"{NET}::/56"))
            await fabric.set_policies("vpc-1", (OPEN, CLOSED, ONLY, BY_LB, LBS))
        await self.own(group)
        await self.fabric.ensure_interface(task("near", NEAR, target, address6=V6.near))
        await self.fabric.ensure_interface(task("beside", BESIDE, "sg-open", address6=V6.beside))
        await self.other.ensure_interface(task("far", FAR, target, address6=V6.far))
        await self.other.ensure_interface(task("beyond", BEYOND, "sg-open", address6=V6.beyond))
        there = (self.peer(FAR, 1, target), self.peer(BEYOND, 1, "sg-open"))
        await self.fabric.set_peers("vpc-1", there)
        await self.tell(group, target)
        self.servers = [await self.lab.listen(node, name, "::", PORT) for node, name in enumerate(("near", "far"))]

    async def own(self, group: str) -> None:
        """The balancer, with its security group."""
        await self.fabric.ensure_address(replace(balancer("lb", LB, group), address6=V6.lb))

    def peer(self, address: str, node: int, group: str) -> Peer:
        return peer(address, NODES[node], group, address6=SIX.get(address))

    async def tell(self, group: str, target: str = "sg-open", *, fronting: bool = True) -> None:
        """The other node who is on the balancer's."""
        known = (self.peer(NEAR, 0, target), self.peer(BESIDE, 0, "sg-open"))
        await self.other.set_peers("vpc-1", (replace(self.peer(LB, 0, group), fronting=fronting), *known))

    async def name(self, *targets: str, protocol: str = "tcp", own: str = LB, source: str = "") -> None:
        named = (
            Front(address=address, port=PORT, protocol=protocol, balancer=own, source=source)  # type: ignore[arg-type]
            for address in targets
        )
        await self.fabric.set_fronts("vpc-1", tuple(named))

    async def speaks(self, client: str, target: str) -> bool:
        """The balancer, under the client's address. Where it is heard, the client's address is what is seen."""
        if not isinstance(self.lab, RealLab):
            return await self.lab.reaches(0, "lb", target, PORT, own=client)
        connection = await transparent(self.fabric, client, socket.SOCK_STREAM)
        loop = asyncio.get_running_loop()
        with connection:
            try:
                await heard(loop.sock_connect(connection, (target, PORT)))
            except OSError:
                return False
            server = self.servers[target in (FAR, V6.far)]
            assert server is not None
            accepted, seen = await loop.sock_accept(server)
            with accepted:
                assert seen[0].removeprefix("::ffff:") == client
                accepted.setblocking(False)
                await loop.sock_sendall(accepted, b"answer")
                assert await asyncio.wait_for(loop.sock_recv(connection, 100), PATIENCE) == b"answer"
        return True


async def transparent(fabric: Fabric, client: str, kind: socket.SocketKind) -> socket.socket:
    made = await fabric.open_socket("vpc-1", socket.AF_INET6 if ":" in client else socket.AF_INET, kind)
    level, option = (socket.IPPROTO_IPV6, IPV6_TRANSPARENT) if ":" in client else (socket.SOL_IP, IP_TRANSPARENT)
    made.setsockopt(level, option, 1)
    made.bind((client, 0))
    return made


@families
async def test_targets_see_clients_and_answer_the_balancer_wherever_they_are(lab: Lab, at: At) -> None:
    land = Land(lab)
    await land.build()
    for client in at.clients:
        assert not await land.speaks(client, at.near)
    await land.name(at.near, at.far)
    for client in at.clients:
        for target in (at.near, at.far):
            assert await land.speaks(client, target), (client, target)
    await land.name(at.far)
    assert not await land.speaks(at.beyond, at.near)
    assert await land.speaks(at.beyond, at.far)
    await land.name()
    assert not await land.speaks(at.beyond, at.far)


@families
async def test_clients_still_reach_the_targets_themselves(lab: Lab, at: At) -> None:
    land = Land(lab)
    await land.build()
    await land.name(at.near, at.far)
    for node, name in enumerate(("beside", "beyond")):
        for target in (at.near, at.far):
            assert await lab.reaches(node, name, target, PORT), (name, target)


@families
async def test_the_targets_groups_are_asked_about_the_client(lab: Lab, at: At) -> None:
    land = Land(lab)
    await land.build(target="sg-only")
    await land.name(at.near, at.far)
    for target in (at.near, at.far):
        assert await land.speaks(at.beyond, target)
        assert not await land.speaks(at.beside, target)
        assert not await land.speaks(at.world, target)


@families
async def test_a_rule_that_names_the_balancers_group_lets_its_clients_in_and_nobody_else(lab: Lab, at: At) -> None:
    land = Land(lab)
    await land.build(group="sg-lb", target="sg-by-lb")
    await land.name(at.near, at.far)
    for client in at.clients:
        for target in (at.near, at.far):
            assert await land.speaks(client, target), (client, target)
    for node, name in enumerate(("beside", "beyond")):
        for target in (at.near, at.far):
            assert not await lab.reaches(node, name, target, PORT), (name, target)
    # Another group: from then on it is nobody whom the rule names, here and there.
    await land.own("sg-open")
    await land.tell("sg-open", "sg-by-lb")
    for target in (at.near, at.far):
        assert not await land.speaks(at.beyond, target)
    await land.own("sg-lb")
    await land.tell("sg-lb", "sg-by-lb")
    for target in (at.near, at.far):
        assert await land.speaks(at.beside, target)
    await land.tell("sg-lb", "sg-by-lb", fronting=False)
    assert not await land.speaks(at.beside, at.far), "another node believes it of those only of whom it was told"


async def test_a_balancer_that_speaks_for_itself_is_asked_by_its_address(lab: Lab) -> None:
    land = Land(lab)
    await land.build(group="sg-lb", target="sg-by-lb")
    await land.name(FAR)
    source = "vpc-1" if lab.real else "lb"
    for target in (NEAR, FAR):
        assert await lab.reaches(0, source, target, PORT, own=LB)


@families
async def test_the_balancers_groups_have_to_let_it_out(lab: Lab, at: At) -> None:
    land = Land(lab)
    await land.build(group="sg-nobody")
    await land.name(at.near, at.far)
    assert not await land.speaks(at.beside, at.near)
    await land.own("sg-open")
    assert await land.speaks(at.beside, at.near)
    await land.own("sg-nobody")
    assert not await land.speaks(at.beyond, at.far)


async def test_what_one_may_another_may_not(lab: Lab) -> None:
    """A balancer that its own groups hold back is not let out by the way of one that speaks for clients."""
    land = Land(lab)
    await land.build()
    await land.fabric.ensure_address(balancer("other", OTHER, "sg-nobody"))
    await land.name(NEAR)
    source = "vpc-1" if lab.real else "other"
    assert not await lab.reaches(0, source, NEAR, PORT, own=OTHER)
    assert await lab.reaches(0, "vpc-1" if lab.real else "lb", NEAR, PORT, own=LB)


async def test_one_that_is_not_there_speaks_to_nobody(lab: Lab) -> None:
    land = Land(lab)
    await land.build()
    await land.name(NEAR, own=OTHER)
    assert not await land.speaks(BESIDE, NEAR)


async def test_wrong_targets_are_refused(lab: Lab) -> None:
    land = Land(lab)
    await land.build()
    for wrong in (
        Front(address="x", port=1, balancer=LB),
        Front(address=NEAR, port=0, balancer=LB),
        Front(address=NEAR, port=1, balancer="lb"),
        Front(address=V6.near, port=1, balancer=V6.lb),
        Front(address=f"{NET}::0010", port=1, balancer=LB),
        Front(address=V6.near, port=1, balancer=LB, source=NEAR),
    ):
        with pytest.raises(ValueError, match=r"is no port|Expected 4 octets|At least 3 parts|is written"):
            await land.fabric.set_fronts("vpc-1", (wrong,))


@pytest.mark.real
@families
@pytest.mark.real
@pytest.mark.parametrize("far", [False, True])
async def test_datagrams_are_answered_too(real: RealLab, at: At, far: bool) -> None:
    land = Land(real)
    await land.build()
    await land.name(at.near, at.far, protocol="udp")
    server = await real.listen(int(far), "far" if far else "near", "::", PORT, "udp")
    for client in at.clients:
        with await transparent(land.fabric, client, socket.SOCK_DGRAM) as connection:
            assert await asks(connection, at.far if far else at.near, server) == client


async def asks(connection: socket.socket, target: str, server: socket.socket) -> str:
    """Whom the target sees, having been answered; "" where it hears nothing."""
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, (target, PORT))
    try:
        await loop.sock_sendall(connection, b"question")
        said, seen = await heard(loop.sock_recvfrom(server, 100))
    except (PermissionError, TimeoutError):  # the rules of the router itself, those on the way
        return ""
    assert said == b"question"
    await loop.sock_sendto(server, b"answer", seen)
    assert await asyncio.wait_for(loop.sock_recv(connection, 100), PATIENCE) == b"answer"
    return str(seen[0]).removeprefix("::ffff:")


@pytest.mark.real
@pytest.mark.parametrize("far", [False, True])
async def test_datagrams_of_the_other_family_come_from_the_balancers_prefix(real: RealLab, far: bool) -> None:
    """Who sends them has no address there: the router takes one of its own, which may be another balancer's."""
    land = Land(real)
    await land.build(group="sg-lb", target="sg-by-lb")
    other = replace(balancer("other", OTHER, "sg-nobody"), address6=f"{NET}::2")
    await land.fabric.ensure_address(other)
    target = V6.far if far else V6.near
    server = await real.listen(int(far), "far" if far else "near", "::", PORT, "udp")

    async def seen() -> str:
        made = await land.fabric.open_socket("vpc-1", socket.AF_INET6, socket.SOCK_DGRAM)
        with made:
            return await asks(made, target, server)

    lets = replace(BY_LB, ingress=(Rule(protocol="udp", from_port=PORT, to_port=PORT, groups=("sg-lb",)),))
    for fabric in real.fabrics:
        await fabric.set_policies("vpc-1", (OPEN, CLOSED, ONLY, lets, LBS))
    await land.name(V6.near, V6.far, protocol="udp", source=SOURCE)
    assert await seen() == SOURCE
    for own in (V6.lb, f"{NET}::2"):  # whichever the kernel would have taken
        with await transparent(land.fabric, own, socket.SOCK_DGRAM) as made:
            assert await asks(made, target, server) == SOURCE
    await land.own("sg-nobody")
    assert await seen() == "", "the balancer's own groups are asked, not the address's"
    await land.own("sg-lb")
    await land.tell("sg-lb", "sg-by-lb")
    assert await seen() == SOURCE
    await land.name()
    assert await seen() == ""


@pytest.mark.real
@pytest.mark.parametrize("node", [0, 1])
async def test_another_balancer_may_be_the_target(real: RealLab, node: int) -> None:
    """One that answers from a router, as balancers do: here, or on the other node."""
    land = Land(real)
    await land.build()
    front = "10.0.0.22"
    await real.fabrics[node].ensure_address(balancer("front", front, "sg-open"))
    if node == 1:
        await land.fabric.set_peers("vpc-1", (peer(front, NODES[1], "sg-open"), peer(BEYOND, NODES[1], "sg-open")))
    await land.name(front)
    server = await real.listen(node, "vpc-1", front, PORT)
    loop = asyncio.get_running_loop()
    for client in CLIENTS:
        with await transparent(land.fabric, client, socket.SOCK_STREAM) as connection:
            await asyncio.wait_for(loop.sock_connect(connection, (front, PORT)), PATIENCE)
            accepted, seen = await asyncio.wait_for(loop.sock_accept(server), PATIENCE)
            accepted.close()
            assert seen[0] == client


@pytest.mark.real
async def test_it_survives_the_agent(real: RealLab) -> None:
    land = Land(real)
    await land.build()
    await land.name(NEAR, FAR, V6.near, V6.far)
    before = state(real)
    await land.fabric.close()
    land.fabric = real.fabrics[0] = real.restarted(0)
    await land.fabric.start()
    assert state(real) == before
    for at in (V4, V6):
        for client in at.clients:
            assert await land.speaks(client, at.near)
            assert await land.speaks(client, at.far)


@pytest.mark.real
async def test_ways_back_go_with_the_nodes_that_they_lead_to(real: RealLab) -> None:
    land = Land(real)
    await land.build()
    router = real.namespace(1, "vpc-1")

    def known() -> str:
        return run(router, "ip route show table all") + run(router, "ip neigh")

    def asked() -> str:
        return run(router, "ip rule") + run(router, "ip -6 rule")

    assert known().count("240.51.100.10") == known().count("fe80::1:33:640a") == 2
    assert asked().count("fwmark 0x33640a") == 1, "by IPv6 only what balancers began"
    await land.other.set_peers("vpc-1", ())
    assert "240.51.100.10" not in known()
    assert "fe80::1:33:640a" not in known()
    assert "fwmark 0x33640a" not in asked()
    assert "came-by" not in rules(router)
    await land.name(FAR)
    await land.name()
    await land.fabric.set_peers("vpc-1", ())
    assert "fronts" not in rules(real.namespace(0, "vpc-1"))


def state(lab: RealLab) -> str:
    path = lab.namespace(0, "vpc-1")
    asked = ("ip rule", "ip -6 rule", "ip route show table all", "ip neigh")
    return "".join(run(path, each) for each in asked) + rules(path)


@pytest.mark.real
async def test_a_routers_connections_begin_where_those_of_tasks_do_not(real: RealLab) -> None:
    """Or one that a balancer begins for a client would be taken for the client's own."""
    await Land(real).build()
    first, last = (
        inside(real.namespace(0, holder), lambda: Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
        for holder in ("vpc-1", "near")
    )
    assert int(first[1]) < int(last[0])
