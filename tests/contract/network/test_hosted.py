"""What every fabric keeps of ports of nodes that balancers speak to under their clients' addresses: published ones and
those of the host itself see the client, here and on another node, and what they answer comes to the balancer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Literal

import pytest

from hatoba.core.records import replace
from hatoba.network import tracking
from hatoba.network.base import BRIDGE, Fabric, Publish, SeatSpec
from hatoba.network.beyond import Entry, Front, Instance, Route, Routing, Subnet
from tests.conformance.threats.disarm import without
from tests.contract.network.labs import NODES, WORLD, Lab, RealLab, inside, rules, run
from tests.contract.network.specs import CLOSED, OPEN, balancer, peer, task, vpc
from tools.waiting import PATIENCE, heard

LB, OTHER = "10.0.0.20", "10.0.0.21"
BESIDE, BEYOND = "10.0.0.30", "10.0.0.31"  # clients: a task on the balancer's node, one on the other
POOLED = "100.80.9.77"  # a client of another VPC, or of another node's host
CLIENTS = (BESIDE, BEYOND, WORLD, POOLED)
HOSTED, PUBLISHED, SEAT = 7070, 8080, 80
PRIVATE = Routing(subnets=(Subnet(blocks=("10.0.0.0/24",), routes=(), platform=False),))
OUTSIDE = Routing(subnets=(Subnet(blocks=("10.0.0.0/24",), routes=(Route(to="0.0.0.0/0", kind="outside"),)),))
PORTS = (HOSTED, PUBLISHED)
Kind = Literal["tcp", "udp"]


class Land:
    """A balancer in a VPC of the first node, of which the other one has nothing but what it is told; on both a seat
    that publishes 8080, and a server of the host at 7070."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.fabric, self.other = lab.fabrics
        self.here = lab.settings[0].host_address
        self.servers: dict[tuple[int, int, Kind], socket.socket] = {}

    async def build(self, routing: Routing = PRIVATE, kind: Kind = "tcp", *vpcs: str) -> None:
        for node, fabric in enumerate(self.lab.fabrics):
            await fabric.ensure_bridge(())
            await fabric.ensure_seat(SeatSpec(id="web", ports=(Publish(port=SEAT, host=PUBLISHED, protocol=kind),)))
            for port, holder, listening in ((PUBLISHED, "web", SEAT), (HOSTED, None, HOSTED)):
                server = await self.lab.listen(node, holder, "0.0.0.0", listening, kind)
                if server is not None:
                    self.servers[node, port, kind] = server
        for number, each in enumerate(vpcs or ("vpc-1",), 1):
            for fabric in self.lab.fabrics:
                await fabric.ensure_vpc(vpc(each, vni=number))
                await fabric.set_policies(each, (OPEN, CLOSED))
                await fabric.set_routing(each, routing)
            await self.fabric.ensure_address(replace(balancer(f"lb-{each}", LB, "sg-open"), vpc=each))
            speaking = replace(peer(LB, NODES[0], "sg-open"), fronting=True)
            await self.other.set_peers(each, (speaking, peer(BESIDE, NODES[0], "sg-open")))

    async def name(
        self, *ports: int, kind: Kind = "tcp", vpc: str = "vpc-1", own: str = LB, there: bool = True, hears: bool = True
    ) -> None:
        """At both nodes. `there`: the other one knows."""
        places = [(address, port) for address in (self.here, NODES[1]) for port in ports]
        await self.fabric.set_instances(
            vpc, tuple(Instance(address=a, port=p, protocol=kind, hears=hears) for a, p in places)
        )
        await self.fabric.set_fronts(
            vpc, tuple(Front(address=a, port=p, protocol=kind, balancer=own) for a, p in places)
        )
        entries = tuple(Entry(port=port, balancer=own, protocol=kind) for port in ports if there)
        await self.other.set_entries(vpc, entries)

    def address(self, node: int) -> str:
        return NODES[1] if node else self.here

    async def speaks(self, client: str, node: int, port: int, vpc: str = "vpc-1", seen: str | None = None) -> bool:
        """The balancer, under the client's address. Where it is heard, the client is seen, or else `seen`."""
        target = self.address(node)
        if not isinstance(self.lab, RealLab):
            return await self.lab.reaches(0, f"lb-{vpc}", target, port, own=client)
        connection = await transparent(self.fabric, vpc, client, socket.SOCK_STREAM)
        with connection:
            try:
                await heard(asyncio.get_running_loop().sock_connect(connection, (target, port)))
            except OSError:
                return False
            await talk(connection, self.servers[node, port, "tcp"], seen or client)
        return True


async def talk(connection: socket.socket, server: socket.socket, seen: str) -> None:
    """More than one packet holds, both ways."""
    loop = asyncio.get_running_loop()
    accepted, known = await asyncio.wait_for(loop.sock_accept(server), PATIENCE)
    with accepted:
        assert known[0] == seen
        accepted.setblocking(False)
        for one, other in ((accepted, connection), (connection, accepted)):
            said = bytes(64) * 1024
            sending = asyncio.ensure_future(loop.sock_sendall(one, said))
            heard = 0
            while heard < len(said):
                heard += len(await asyncio.wait_for(loop.sock_recv(other, 1 << 16), PATIENCE))
            await sending


async def transparent(fabric: Fabric, vpc: str, client: str, kind: socket.SocketKind, port: int = 0) -> socket.socket:
    made = await fabric.open_socket(vpc, socket.AF_INET, kind)
    made.setsockopt(socket.SOL_IP, 19, 1)  # IP_TRANSPARENT
    made.bind((client, port))
    return made


@pytest.mark.parametrize("routing", [PRIVATE, OUTSIDE])
async def test_ports_of_nodes_see_clients_and_answer_the_balancer(lab: Lab, routing: Routing) -> None:
    land = Land(lab)
    await land.build(routing)
    every = [(client, node, port) for client in CLIENTS for node in (0, 1) for port in PORTS]
    assert not await land.speaks(WORLD, 0, HOSTED)
    assert not await land.speaks(WORLD, 1, PUBLISHED)
    await land.name(*PORTS)
    for asked in every:
        assert await land.speaks(*asked), asked
    await land.name(HOSTED)
    for node in (0, 1):
        assert await land.speaks(BEYOND, node, HOSTED)
        assert not await land.speaks(BEYOND, node, PUBLISHED)
    await land.name()
    assert not await land.speaks(WORLD, 0, HOSTED)
    assert not await land.speaks(WORLD, 1, HOSTED)


async def test_for_itself_it_reaches_them_as_before(lab: Lab) -> None:
    """Health checks, and groups that do not preserve addresses: they see the node."""
    land = Land(lab)
    await land.build()
    await land.name(*PORTS)
    for node in (0, 1):
        for port in PORTS:
            assert await lab.reaches(0, "vpc-1" if lab.real else "lb-vpc-1", land.address(node), port, own=LB)
            if isinstance(lab, RealLab):
                accepted, seen = await asyncio.get_running_loop().sock_accept(land.servers[node, port, "tcp"])
                accepted.close()
                assert seen[0] == (NODES[0] if node else uplink(lab))


async def test_what_another_node_was_not_told_of_it_does_not_let_in(lab: Lab) -> None:
    land = Land(lab)
    await land.build()
    await land.name(*PORTS, there=False)
    for port in PORTS:
        assert await land.speaks(BEYOND, 0, port)
        assert not await land.speaks(BEYOND, 1, port)
    await land.other.set_entries("vpc-1", (Entry(port=HOSTED, balancer=OTHER), Entry(port=PUBLISHED, balancer=LB)))
    assert not await land.speaks(BEYOND, 1, HOSTED), "that is another balancer's"
    assert await land.speaks(BEYOND, 1, PUBLISHED)
    await land.other.set_peers("vpc-1", (peer(LB, NODES[0], "sg-open"),))
    assert not await land.speaks(BEYOND, 1, PUBLISHED), "it is believed of those only of whom it was told"


async def test_a_node_that_does_not_hear_of_entries_is_asked_as_before(lab: Lab) -> None:
    """Its agent is an older one."""
    land = Land(lab)
    await land.build()
    await land.name(*PORTS, there=False, hears=False)
    for port in PORTS:
        assert await land.speaks(BEYOND, 1, port, seen=NODES[0])
        assert await land.speaks(BEYOND, 0, port)
    await land.name(*PORTS)
    for port in PORTS:
        assert await land.speaks(BEYOND, 1, port)


async def test_nobody_but_the_balancer_gets_there_by_this_way(lab: Lab) -> None:
    """Neither tasks beside the balancer or the target, nor those of another VPC, nor seats; under no address."""
    land = Land(lab)
    await land.build(OUTSIDE, "tcp", "vpc-1", "vpc-2")
    await land.name(*PORTS)
    for node, fabric in enumerate(lab.fabrics):
        for number, each in enumerate(("vpc-1", "vpc-2")):
            spec = task(f"task-{node}-{number}", f"10.0.0.{40 + node}", "sg-open", vpc=each, egress=True)
            await fabric.ensure_interface(spec)
            for place in (lab.settings[node].host_address, *ends(lab, node)):
                assert not await lab.reaches(node, spec.id, place, HOSTED), (node, each, place)
        for place in (lab.settings[node].host_address, *ends(lab, node)):
            assert not await lab.reaches(node, "web", place, HOSTED), (node, place)


@pytest.mark.real
async def test_it_is_the_router_that_keeps_its_tasks_away(real: RealLab) -> None:
    """With that rule taken out, a task finds the host at the address that stands for its VPC there."""
    with without("hatoba.network.hosted:passing", "drop", "accept"):
        land = Land(real)
        await land.build(OUTSIDE)
        await land.name(HOSTED)
        await land.fabric.ensure_interface(task("task", "10.0.0.40", "sg-open", egress=True))
        assert [await real.reaches(0, "task", place, HOSTED) for place in ends(real, 0)].count(True) == 1


@pytest.mark.real
async def test_it_is_the_targets_node_that_keeps_other_balancers_away(real: RealLab) -> None:
    """With its question taken out, whatever another node's router is made to send gets in."""
    with (
        without("hatoba.network.hosted:passing", " {_ASKED} accept", " accept"),
        without("hatoba.network.hosted:arriving", " {_ASKED} jump", " jump"),
    ):
        land = Land(real)
        await land.build()
        await land.name(HOSTED, there=False)
        await land.other.set_entries("vpc-1", (Entry(port=HOSTED, balancer=OTHER),))
        assert await land.speaks(BEYOND, 1, HOSTED)


@pytest.mark.real
async def test_what_the_router_was_not_told_keeps_no_address_on_its_way_to_the_host(real: RealLab) -> None:
    """As a proxy might be made to try that was broken into: neither another port, nor what is no balancer's."""
    land = Land(real)
    await land.build()
    await land.name(PUBLISHED)
    await real.listen(0, None, "0.0.0.0", 22)
    (stands, _) = ends(real, 0)
    for place in ((land.here, 22), (land.here, HOSTED), (stands, 22), (stands, HOSTED), (NODES[0], HOSTED)):
        connection = await transparent(land.fabric, "vpc-1", WORLD, socket.SOCK_STREAM)
        with connection, pytest.raises((PermissionError, TimeoutError)):
            await heard(asyncio.get_running_loop().sock_connect(connection, place))


def ends(lab: Lab, node: int) -> list[str]:
    """The addresses of the host that stand for VPCs."""
    if not isinstance(lab, RealLab):
        return []
    words = run(lab.hosts[node], "ip rule").split()
    found = [words[i + 1] for i, word in enumerate(words) if word == "from" and words[i + 1].startswith("100.80.")]
    assert found
    return found


async def test_the_balancers_groups_have_to_let_it_out(lab: Lab) -> None:
    land = Land(lab)
    await land.build()
    await land.name(*PORTS)
    await land.fabric.ensure_address(replace(balancer("lb-vpc-1", LB, "sg-nobody"), vpc="vpc-1"))
    for node in (0, 1):
        for port in PORTS:
            assert not await land.speaks(BEYOND, node, port)


async def test_one_that_is_not_there_speaks_to_nobody(lab: Lab) -> None:
    land = Land(lab)
    await land.build()
    await land.name(*PORTS, own=OTHER)
    for node in (0, 1):
        assert not await land.speaks(BEYOND, node, HOSTED)


async def test_hosts_do_not_hear_what_seems_to_come_from_themselves(lab: Lab) -> None:
    """As on AWS, where a target that is its own client waits in vain. Only what a host asks by a balancer beside it is
    answered: it is seen as the balancer's node then."""
    land = Land(lab)
    await land.build()
    await land.name(*PORTS)
    for port in PORTS:
        assert not await land.speaks(NODES[1], 1, port)
        assert await land.speaks(NODES[1], 0, port)
        assert await land.speaks(land.here, 1, port)
        router = "" if not isinstance(lab, RealLab) else uplink(lab)
        assert await land.speaks(land.here, 0, port, seen=router)


def uplink(lab: RealLab) -> str:
    """The router's address towards the first node's host."""
    said = rules(lab.namespace(0, "vpc-1")).split()
    return next(said[i + 3] for i, word in enumerate(said) if word == "snat" and said[i + 3].startswith("100.80.0."))


async def test_wrong_ports_and_addresses_are_refused(lab: Lab) -> None:
    land = Land(lab)
    await land.build()
    for wrong in (Entry(port=0, balancer=LB), Entry(port=65536, balancer=LB), Entry(port=1, balancer="lb")):
        with pytest.raises(ValueError, match=r"is no port|Expected 4 octets"):
            await land.other.set_entries("vpc-1", (wrong,))


@pytest.mark.real
@pytest.mark.parametrize("node", [0, 1])
async def test_two_vpcs_whose_clients_have_one_address_and_port_are_not_mixed_up(real: RealLab, node: int) -> None:
    land = Land(real)
    vpcs = ("vpc-1", "vpc-2")
    await land.build(PRIVATE, "tcp", *vpcs)
    for each in vpcs:
        await land.name(*PORTS, vpc=each)
    loop = asyncio.get_running_loop()
    for port in PORTS:
        pairs: list[tuple[socket.socket, socket.socket]] = []
        for each in vpcs:
            connection = await transparent(land.fabric, each, BESIDE, socket.SOCK_STREAM, 10000 + port)
            await asyncio.wait_for(loop.sock_connect(connection, (land.address(node), port)), PATIENCE)
            accepted, seen = await asyncio.wait_for(loop.sock_accept(land.servers[node, port, "tcp"]), PATIENCE)
            accepted.setblocking(False)
            assert seen[0] == BESIDE
            pairs.append((connection, accepted))
        for number, (connection, accepted) in enumerate(pairs):
            await loop.sock_sendall(accepted, b"%d" % number)
            assert await asyncio.wait_for(loop.sock_recv(connection, 10), PATIENCE) == b"%d" % number
        for opened in (each for pair in pairs for each in pair):
            opened.close()


@pytest.mark.real
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("node", [0, 1])
async def test_datagrams_see_the_client_at_published_ports(real: RealLab, node: int, client: str) -> None:
    """A server of the host itself sees the node: it would answer from another address than it was asked at."""
    land = Land(real)
    await land.build(PRIVATE, "udp")
    await land.name(*PORTS, kind="udp")
    for port in PORTS:
        seen = await asked(land, node, port, client)
        assert (seen == client) == (port == PUBLISHED)
    # And it is so as soon as a port is published, or is not any more.
    fabric = real.fabrics[node]
    await fabric.remove_seat("web")
    server = await real.listen(node, None, "0.0.0.0", PUBLISHED, "udp")
    land.servers[node, PUBLISHED, "udp"] = server
    assert await asked(land, node, PUBLISHED, client) != client


async def asked(land: Land, node: int, port: int, client: str) -> str:
    """By a datagram; whom it seemed to come from."""
    loop = asyncio.get_running_loop()
    server = land.servers[node, port, "udp"]
    with await transparent(land.fabric, "vpc-1", client, socket.SOCK_DGRAM) as connection:
        await loop.sock_connect(connection, (land.address(node), port))
        await loop.sock_sendall(connection, b"question")
        said, seen = await asyncio.wait_for(loop.sock_recvfrom(server, 100), PATIENCE)
        assert said == b"question"
        await loop.sock_sendto(server, b"answer", seen)
        assert await asyncio.wait_for(loop.sock_recv(connection, 100), PATIENCE) == b"answer"
    return str(seen[0])


@pytest.mark.real
async def test_a_host_that_looks_at_sources_strictly_lets_them_pass(real: RealLab) -> None:
    """Some distributions have that on for all devices."""
    for host in real.hosts:
        run(host, "sysctl -q -w net.ipv4.conf.all.rp_filter=1")
    land = Land(real)
    await land.build()
    await land.name(*PORTS)
    for node in (0, 1):
        for port in PORTS:
            assert await land.speaks(BEYOND, node, port), (node, port)


@pytest.mark.real
async def test_it_survives_the_agents(real: RealLab) -> None:
    land = Land(real)
    await land.build()
    await land.name(*PORTS)
    before = list(states(real))
    for node in (0, 1):
        await real.fabrics[node].close()
        real.fabrics[node] = real.restarted(node)
        await real.fabrics[node].start()
    land.fabric, land.other = real.fabrics
    assert list(states(real)) == before
    for node in (0, 1):
        for port in PORTS:
            assert await land.speaks(WORLD, node, port)
    await land.name()
    assert not await land.speaks(WORLD, 1, HOSTED)


def states(lab: RealLab) -> Iterator[str]:
    for node in (0, 1):
        for path in (lab.hosts[node], lab.namespace(node, "vpc-1"), lab.namespace(node, BRIDGE)):
            said = run(path, "ip rule") + run(path, "ip route show table all") + run(path, "ip neigh") + rules(path)
            yield "\n".join(sorted(said.splitlines()))


@pytest.mark.real
async def test_what_stands_for_a_vpc_on_the_host_goes_with_it(real: RealLab) -> None:
    land = Land(real)
    await land.build()
    before = [run(host, "ip rule") for host in real.hosts]
    await land.name(*PORTS)
    for node in (0, 1):
        for port in PORTS:
            assert await land.speaks(BESIDE, node, port)
    taken = [ends(real, node) for node in (0, 1)]
    for node, fabric in enumerate(real.fabrics):
        await fabric.remove_vpc("vpc-1")
        assert run(real.hosts[node], "ip rule") == before[node]
        left = run(real.hosts[node], "ip route show table all") + rules(real.hosts[node])
        assert not [address for address in taken[node] if address in left]
        known = inside(real.hosts[node], lambda node=node: tracking.forget(taken[node]))  # type: ignore[misc]
        assert not known, "whoever is given them next begins anew"


@pytest.mark.real
async def test_the_host_is_as_it_was_after_all(real: RealLab) -> None:
    before = [run(host, "ip rule") for host in real.hosts]
    land = Land(real)
    await land.build()
    await land.name(*PORTS)
    for fabric in real.fabrics:
        await fabric.teardown()
    assert [run(host, "ip rule") for host in real.hosts] == before
    for node in (0, 1):
        assert real.state(node) == real.before[node]


@pytest.mark.real
async def test_nothing_is_paid_where_no_port_of_a_host_is_spoken_to(real: RealLab) -> None:
    land = Land(real)
    await land.build()
    assert "to-host" not in rules(real.namespace(0, "vpc-1"))
    assert "from 100.80" not in run(real.hosts[0], "ip rule")
