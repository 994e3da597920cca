"""What every fabric keeps of balancers that speak under their clients' addresses: to targets that were named, as far as
groups let them, and what the targets answer comes to the balancer, wherever they and the clients are."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from hatoba.core.records import replace
from hatoba.network.base import Fabric, PolicySet
from hatoba.network.beyond import Front, Instance
from tests.contract.network.labs import NODES, WORLD, Lab, RealLab, inside, rules, run
from tests.contract.network.specs import CLOSED, OPEN, balancer, peer, rule, task, vpc

LB, OTHER = "10.0.0.20", "10.0.0.21"
NEAR, FAR = "10.0.0.10", "10.0.0.11"  # targets: on the balancer's node, on the other one
BESIDE, BEYOND = "10.0.0.30", "10.0.0.31"  # clients: likewise
CLIENTS = (BESIDE, BEYOND, WORLD)
PORT = 80
IP_TRANSPARENT = 19
BY_LB = PolicySet(id="sg-by-lb", ingress=(rule(PORT, groups=("sg-lb",)),), egress=OPEN.egress)
LBS = PolicySet(id="sg-lb", egress=OPEN.egress)
ONLY = PolicySet(id="sg-only", ingress=(rule(PORT, cidrs=(f"{BEYOND}/32",)),), egress=OPEN.egress)


class Land:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.fabric, self.other = lab.fabrics

    async def build(self, group: str = "sg-open", target: str = "sg-open") -> None:
        for fabric in self.lab.fabrics:
            await fabric.ensure_vpc(vpc())
            await fabric.set_policies("vpc-1", (OPEN, CLOSED, ONLY, BY_LB, LBS))
        await self.fabric.ensure_address(balancer("lb", LB, group))
        await self.fabric.ensure_interface(task("near", NEAR, target))
        await self.fabric.ensure_interface(task("beside", BESIDE, "sg-open"))
        await self.other.ensure_interface(task("far", FAR, target))
        await self.other.ensure_interface(task("beyond", BEYOND, "sg-open"))
        there = (peer(FAR, NODES[1], target), peer(BEYOND, NODES[1], "sg-open"))
        await self.fabric.set_peers("vpc-1", there)
        await self.tell(group, target)
        self.servers = [await self.lab.listen(node, name, "0.0.0.0", PORT) for node, name in enumerate(("near", "far"))]

    async def tell(self, group: str, target: str = "sg-open", *, fronting: bool = True) -> None:
        """The other node who is on the balancer's."""
        known = (peer(NEAR, NODES[0], target), peer(BESIDE, NODES[0], "sg-open"))
        await self.other.set_peers("vpc-1", (replace(peer(LB, NODES[0], group), fronting=fronting), *known))

    async def name(self, *targets: str, protocol: str = "tcp", own: str = LB) -> None:
        named = (Front(address=address, port=PORT, protocol=protocol, balancer=own) for address in targets)  # type: ignore[arg-type]
        await self.fabric.set_fronts("vpc-1", tuple(named))

    async def speaks(self, client: str, target: str) -> bool:
        """The balancer, under the client's address. Where it is heard, the client's address is what is seen."""
        if not isinstance(self.lab, RealLab):
            return await self.lab.reaches(0, "lb", target, PORT, own=client)
        connection = await transparent(self.fabric, client, socket.SOCK_STREAM)
        loop = asyncio.get_running_loop()
        with connection:
            try:
                async with asyncio.timeout(0.4):
                    await loop.sock_connect(connection, (target, PORT))
            except OSError:
                return False
            server = self.servers[target == FAR]
            assert server is not None
            accepted, seen = await loop.sock_accept(server)
            with accepted:
                assert seen[0] == client
                accepted.setblocking(False)
                await loop.sock_sendall(accepted, b"answer")
                assert await asyncio.wait_for(loop.sock_recv(connection, 100), 5) == b"answer"
        return True


async def transparent(fabric: Fabric, client: str, kind: socket.SocketKind) -> socket.socket:
    made = await fabric.open_socket("vpc-1", socket.AF_INET, kind)
    made.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
    made.bind((client, 0))
    return made


async def test_targets_see_clients_and_answer_the_balancer_wherever_they_are(lab: Lab) -> None:
    land = Land(lab)
    await land.build()
    for client in CLIENTS:
        assert not await land.speaks(client, NEAR)
    await land.name(NEAR, FAR)
    for client in CLIENTS:
        for target in (NEAR, FAR):
            assert await land.speaks(client, target), (client, target)
    await land.name(FAR)
    assert not await land.speaks(BEYOND, NEAR)
    assert await land.speaks(BEYOND, FAR)
    await land.name()
    assert not await land.speaks(BEYOND, FAR)


async def test_clients_still_reach_the_targets_themselves(lab: Lab) -> None:
    land = Land(lab)
    await land.build()
    await land.name(NEAR, FAR)
    for node, name in enumerate(("beside", "beyond")):
        for target in (NEAR, FAR):
            assert await lab.reaches(node, name, target, PORT), (name, target)


async def test_the_targets_groups_are_asked_about_the_client(lab: Lab) -> None:
    land = Land(lab)
    await land.build(target="sg-only")
    await land.name(NEAR, FAR)
    for target in (NEAR, FAR):
        assert await land.speaks(BEYOND, target)
        assert not await land.speaks(BESIDE, target)
        assert not await land.speaks(WORLD, target)


async def test_a_rule_that_names_the_balancers_group_lets_its_clients_in_and_nobody_else(lab: Lab) -> None:
    land = Land(lab)
    await land.build(group="sg-lb", target="sg-by-lb")
    await land.name(NEAR, FAR)
    for client in CLIENTS:
        for target in (NEAR, FAR):
            assert await land.speaks(client, target), (client, target)
    for node, name in enumerate(("beside", "beyond")):
        for target in (NEAR, FAR):
            assert not await lab.reaches(node, name, target, PORT), (name, target)
    # Another group: from then on it is nobody whom the rule names, here and there.
    await land.fabric.ensure_address(balancer("lb", LB, "sg-open"))
    await land.tell("sg-open", "sg-by-lb")
    for target in (NEAR, FAR):
        assert not await land.speaks(BEYOND, target)
    await land.fabric.ensure_address(balancer("lb", LB, "sg-lb"))
    await land.tell("sg-lb", "sg-by-lb")
    for target in (NEAR, FAR):
        assert await land.speaks(BESIDE, target)
    await land.tell("sg-lb", "sg-by-lb", fronting=False)
    assert not await land.speaks(BESIDE, FAR), "another node believes it of those only of whom it was told"


async def test_a_balancer_that_speaks_for_itself_is_asked_by_its_address(lab: Lab) -> None:
    land = Land(lab)
    await land.build(group="sg-lb", target="sg-by-lb")
    await land.name(FAR)
    source = "vpc-1" if lab.real else "lb"
    for target in (NEAR, FAR):
        assert await lab.reaches(0, source, target, PORT, own=LB)


async def test_the_balancers_groups_have_to_let_it_out(lab: Lab) -> None:
    land = Land(lab)
    await land.build(group="sg-nobody")
    await land.name(NEAR, FAR)
    assert not await land.speaks(BESIDE, NEAR)
    await land.fabric.ensure_address(balancer("lb", LB, "sg-open"))
    assert await land.speaks(BESIDE, NEAR)
    await land.fabric.ensure_address(balancer("lb", LB, "sg-nobody"))
    assert not await land.speaks(BEYOND, FAR)


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
    ):
        with pytest.raises(ValueError, match=r"is no port|Expected 4 octets"):
            await land.fabric.set_fronts("vpc-1", (wrong,))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("target", [NEAR, FAR])
async def test_datagrams_are_answered_too(real: RealLab, client: str, target: str) -> None:
    land = Land(real)
    await land.build()
    await land.name(NEAR, FAR, protocol="udp")
    loop = asyncio.get_running_loop()
    node, name = (1, "far") if target == FAR else (0, "near")
    server = await real.listen(node, name, "0.0.0.0", PORT, "udp")
    with await transparent(land.fabric, client, socket.SOCK_DGRAM) as connection:
        await loop.sock_connect(connection, (target, PORT))
        await loop.sock_sendall(connection, b"question")
        said, seen = await asyncio.wait_for(loop.sock_recvfrom(server, 100), 5)
        assert (said, seen[0]) == (b"question", client)
        await loop.sock_sendto(server, b"answer", seen)
        assert await asyncio.wait_for(loop.sock_recv(connection, 100), 5) == b"answer"


@pytest.mark.parametrize("node", [0, 1])
@pytest.mark.parametrize("client", CLIENTS)
async def test_ports_of_nodes_answer_datagrams_and_see_the_node(real: RealLab, node: int, client: str) -> None:
    """No client's address leaves the VPC."""
    land = Land(real)
    await land.build()
    address = real.settings[0].host_address if node == 0 else NODES[1]
    await land.fabric.set_instances("vpc-1", (Instance(address=address, port=PORT, protocol="udp"),))
    await land.name(address, protocol="udp")
    loop = asyncio.get_running_loop()
    server = await real.listen(node, None, "0.0.0.0", PORT, "udp")
    with await transparent(land.fabric, client, socket.SOCK_DGRAM) as connection:
        await loop.sock_sendto(connection, b"question", (address, PORT))
        said, seen = await asyncio.wait_for(loop.sock_recvfrom(server, 100), 5)
        assert (said, seen[0] in CLIENTS) == (b"question", False)
        await loop.sock_sendto(server, b"answer", seen)
        assert await asyncio.wait_for(loop.sock_recv(connection, 100), 5) == b"answer"


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
            await asyncio.wait_for(loop.sock_connect(connection, (front, PORT)), 5)
            accepted, seen = await asyncio.wait_for(loop.sock_accept(server), 5)
            accepted.close()
            assert seen[0] == client


async def test_it_survives_the_agent(real: RealLab) -> None:
    land = Land(real)
    await land.build()
    await land.name(NEAR, FAR)
    before = state(real)
    await land.fabric.close()
    land.fabric = real.fabrics[0] = real.restarted(0)
    await land.fabric.start()
    assert state(real) == before
    for client in CLIENTS:
        assert await land.speaks(client, NEAR)
        assert await land.speaks(client, FAR)


async def test_ways_back_go_with_the_nodes_that_they_lead_to(real: RealLab) -> None:
    land = Land(real)
    await land.build()
    router = real.namespace(1, "vpc-1")
    assert "240.51.100.10" in run(router, "ip route show table all")
    await land.other.set_peers("vpc-1", ())
    assert "240.51.100.10" not in run(router, "ip route show table all")
    assert "fwmark 0x336" not in run(router, "ip rule")
    assert "came-by" not in rules(router)
    await land.name(FAR)
    await land.name()
    await land.fabric.set_peers("vpc-1", ())
    assert "fronts" not in rules(real.namespace(0, "vpc-1"))


def state(lab: RealLab) -> str:
    path = lab.namespace(0, "vpc-1")
    return run(path, "ip rule") + run(path, "ip route show table all") + run(path, "ip neigh") + rules(path)


async def test_a_routers_connections_begin_where_those_of_tasks_do_not(real: RealLab) -> None:
    """Or one that a balancer begins for a client would be taken for the client's own."""
    await Land(real).build()
    first, last = (
        inside(real.namespace(0, holder), lambda: Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
        for holder in ("vpc-1", "near")
    )
    assert int(first[1]) < int(last[0])
