"""What every fabric keeps of a node's bridge: seats, the ports of the host that lead to them, and who has which."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from hatoba.core.errors import PortError
from hatoba.network.base import HostRedirect, Publish, RouterService, Seat, SeatSpec
from tests.contract.network.labs import ENDPOINT, NODES, WORLD, Lab, RealLab, SimulatedLab, inside, rules, run
from tests.contract.network.specs import METADATA, OPEN, task, vpc
from tools.waiting import PATIENCE

SERVICES = (RouterService(address=METADATA, port=80),)
HERE = NODES[0]


def web(identifier: str, *ports: Publish) -> SeatSpec:
    return SeatSpec(id=identifier, ports=ports)


async def seat(lab: Lab, identifier: str, *ports: Publish, listens: int = 80) -> Seat:
    """On the bridge of the first node; it listens on `listens`."""
    await lab.fabrics[0].ensure_bridge(SERVICES)
    made = await lab.fabrics[0].ensure_seat(web(identifier, *ports))
    await lab.listen(0, identifier, "0.0.0.0", listens)
    return made


async def test_seats_reach_each_other_without_any_port(lab: Lab) -> None:
    one, other = await seat(lab, "one"), await seat(lab, "other")
    assert one.address != other.address
    assert await lab.reaches(0, "one", other.address)
    assert await lab.reaches(0, "other", one.address)


@pytest.mark.parametrize("address", ["127.0.0.1", HERE])
async def test_a_port_that_was_asked_for_leads_to_its_seat(lab: Lab, address: str) -> None:
    made = await seat(lab, "one", Publish(port=80, host=8080))
    assert made.ports == (Publish(port=80, host=8080),)
    assert await lab.reaches(0, None, address, 8080)


async def test_ports_that_the_node_chooses_are_all_different(lab: Lab) -> None:
    dynamic = Publish(port=80)
    one, other = await seat(lab, "one", dynamic, dynamic), await seat(lab, "other", dynamic)
    chosen = [publish.host for publish in (*one.ports, *other.ports)]
    assert len(set(chosen)) == 3
    assert all(32768 <= port <= 60999 for port in chosen)
    for port in chosen:
        assert await lab.reaches(0, None, "127.0.0.1", port)


async def test_a_range_of_ports_is_a_range_on_the_host(lab: Lab) -> None:
    made = await seat(lab, "one", Publish(port=79, count=3))
    (publish,) = made.ports
    assert publish.count == 3
    assert await lab.reaches(0, None, "127.0.0.1", publish.host + 1)
    assert await lab.reaches(0, None, HERE, publish.host + 1)


async def test_asked_twice_a_seat_keeps_its_address_and_ports(lab: Lab) -> None:
    first = await seat(lab, "one", Publish(port=80), Publish(port=80, host=8080))
    assert await lab.fabrics[0].ensure_seat(web("one", Publish(port=80), Publish(port=80, host=8080))) == first


async def test_a_port_is_given_to_one_seat_only(lab: Lab) -> None:
    await seat(lab, "one", Publish(port=80, host=8080))
    with pytest.raises(PortError, match=r"Bind for 0\.0\.0\.0:8080 failed: port is already allocated") as refused:
        await lab.fabrics[0].ensure_seat(web("other", Publish(port=80), Publish(port=80, host=8080)))
    assert refused.value.code == "port_taken"
    await lab.fabrics[0].remove_seat("other")
    await lab.fabrics[0].ensure_seat(web("third", Publish(port=53, host=8080, protocol="udp")))


async def test_a_port_of_a_seat_that_goes_leads_nowhere_and_is_free(lab: Lab) -> None:
    await seat(lab, "one", Publish(port=80, host=8080))
    await lab.fabrics[0].remove_seat("one")
    await lab.fabrics[0].remove_seat("one")
    other = await seat(lab, "other", Publish(port=81, host=8080), listens=81)
    assert other.ports[0].host == 8080
    assert await lab.reaches(0, None, HERE, 8080)


async def test_a_seat_reaches_its_own_published_port(lab: Lab) -> None:
    await seat(lab, "one", Publish(port=80, host=8080))
    await seat(lab, "other")
    assert await lab.reaches(0, "one", HERE, 8080)
    assert await lab.reaches(0, "other", HERE, 8080)


async def test_a_task_of_a_vpc_reaches_a_published_port_by_the_host_only(lab: Lab) -> None:
    await seat(lab, "one", Publish(port=80, host=8080))
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(vpc())
    await fabric.set_policies("vpc-1", (OPEN,))
    await fabric.ensure_interface(task("a", "10.0.0.10", "sg-open", egress=True))
    await fabric.ensure_interface(task("b", "10.0.0.11", "sg-open"))
    await lab.listen(0, "a", "0.0.0.0", 80)
    assert await lab.reaches(0, "a", HERE, 8080)
    assert not await lab.reaches(0, "b", HERE, 8080), "its subnet leads nowhere"


async def test_of_the_host_a_seat_reaches_the_endpoint_only(lab: Lab) -> None:
    await seat(lab, "one")
    host = lab.settings[0].host_address
    await lab.listen(0, None, "0.0.0.0", ENDPOINT)
    await lab.listen(0, None, "0.0.0.0", 22)
    assert await lab.reaches(0, "one", host, ENDPOINT)
    for address in (host, HERE):
        assert not await lab.reaches(0, "one", address, 22)


async def test_a_seat_reaches_the_services_of_its_router(lab: Lab) -> None:
    await seat(lab, "one")
    await lab.listen(0, "bridge", METADATA, 80)
    assert await lab.reaches(0, "one", METADATA, 80)


async def test_seats_are_no_interfaces_of_vpcs(lab: Lab) -> None:
    await seat(lab, "one")
    there = await lab.fabrics[0].inventory()
    assert (there.vpcs, there.interfaces, there.seats, there.bridge) == ((), (), ("one",), True)


async def test_a_port_out_of_range_is_refused(lab: Lab) -> None:
    await lab.fabrics[0].ensure_bridge(SERVICES)
    for wrong in (Publish(port=0), Publish(port=65535, count=2), Publish(port=80, host=65536)):
        with pytest.raises(ValueError, match="range of ports"):
            await lab.fabrics[0].ensure_seat(web("one", wrong))


async def test_a_redirect_is_what_was_said_last(lab: Lab) -> None:
    if isinstance(lab, SimulatedLab):
        wanted = HostRedirect(address=METADATA, port=80, to_port=8099, cgroup="hatoba-x")
        await lab.fabrics[0].redirect(wanted)
        await lab.fabrics[0].redirect(None)
        return
    await lab.fabrics[0].redirect(None)
    with pytest.raises(PortError, match="cgroupv2"):
        await lab.fabrics[0].redirect(HostRedirect(address=METADATA, port=80, to_port=8099, cgroup="no-such-group"))


# --- the kernel's own


ASKS = """
import os, socket, sys
if sys.argv[1]:
    with open(sys.argv[1] + "/cgroup.procs", "w") as file:
        file.write(str(os.getpid()))
try:
    socket.create_connection(("169.254.170.2", 80), timeout=float(sys.argv[2])).close()
    print("reached")
except OSError:
    print("not")
"""


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """In the tree of version 2, wherever this machine has it."""
    tree = Path("/sys/fs/cgroup/unified") if Path("/sys/fs/cgroup/unified").exists() else Path("/sys/fs/cgroup")
    if not (tree / "cgroup.controllers").exists():
        pytest.skip("this machine has no cgroups of version 2")
    made = tree / f"hatoba-test-{uuid.uuid4().hex[:8]}"
    made.mkdir()
    yield made
    made.rmdir()


@pytest.mark.real
@pytest.mark.parametrize("connected", [True, False])
async def test_a_redirect_is_for_the_processes_of_one_cgroup(real: RealLab, cgroup: Path, connected: bool) -> None:
    if not connected:
        run(real.hosts[0], "ip route del default")
    server = await real.listen(0, None, "127.0.0.1", 0)
    tree = str(cgroup.parent.relative_to("/sys/fs/cgroup")).strip(".")
    await real.fabrics[0].redirect(
        HostRedirect(address=METADATA, port=80, to_port=server.getsockname()[1], cgroup=cgroup.name, tree=tree)
    )

    def asked(of: str, patience: float) -> str:
        words = ["nsenter", f"--net={real.hosts[0]}", "--", sys.executable, "-c", ASKS, of, str(patience)]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()

    assert [asked(str(cgroup), PATIENCE), asked("", 1)] == ["reached", "not"]
    await real.fabrics[0].teardown()
    assert METADATA not in real.state(0)["routes"]


@pytest.mark.real
async def test_the_world_reaches_a_published_port(real: RealLab) -> None:
    await seat(real, "one", Publish(port=80, host=8080))
    assert await real.reaches(0, "world", HERE, 8080)
    assert await real.reaches(1, None, HERE, 8080)


@pytest.mark.real
async def test_a_seat_reaches_the_world_as_the_host(real: RealLab) -> None:
    await seat(real, "one")
    server = await real.listen(0, "world", WORLD, 80)
    opened = await real.connect(0, "one", WORLD, 80)
    assert opened is not None
    with opened, (await asyncio.get_running_loop().sock_accept(server))[0] as accepted:
        assert accepted.getpeername()[0] == HERE


@pytest.mark.real
async def test_private_addresses_are_unknown_on_the_other_side(real: RealLab) -> None:
    made = await seat(real, "one")
    fabric = real.fabrics[0]
    await fabric.ensure_vpc(vpc())
    await fabric.set_policies("vpc-1", (OPEN,))
    await fabric.ensure_interface(task("a", "10.0.0.10", "sg-open", egress=True))
    await real.listen(0, "a", "0.0.0.0", 80)
    assert not await real.reaches(0, "a", made.address)
    assert not await real.reaches(0, "one", "10.0.0.10")


@pytest.mark.real
async def test_who_asks_from_outside_is_seen_as_itself(real: RealLab) -> None:
    await real.fabrics[0].ensure_bridge(SERVICES)
    await real.fabrics[0].ensure_seat(web("one", Publish(port=80, host=8080)))
    server = await real.listen(0, "one", "0.0.0.0", 80)
    opened = await real.connect(0, "world", HERE, 8080)
    assert opened is not None
    with opened, (await asyncio.get_running_loop().sock_accept(server))[0] as accepted:
        assert accepted.getpeername()[0] == WORLD


@pytest.mark.real
async def test_a_server_of_the_host_keeps_its_port(real: RealLab) -> None:
    await real.fabrics[0].ensure_bridge(SERVICES)
    server = await real.listen(0, None, "127.0.0.1", 8080)
    with pytest.raises(PortError, match="already allocated"):
        await real.fabrics[0].ensure_seat(web("one", Publish(port=80, host=8080)))
    server.close()
    await seat(real, "one", Publish(port=80, host=8080))
    with pytest.raises(OSError, match="in use"):
        await real.listen(0, None, "0.0.0.0", 8080)


@pytest.mark.real
async def test_datagrams_go_both_ways(real: RealLab) -> None:
    await real.fabrics[0].ensure_bridge(SERVICES)
    made = await real.fabrics[0].ensure_seat(web("one", Publish(port=53, protocol="udp")))
    server = await real.listen(0, "one", "0.0.0.0", 53, "udp")
    client = inside(real.hosts[0], lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with client:
        client.settimeout(PATIENCE)
        client.sendto(b"question", ("127.0.0.1", made.ports[0].host))
        server.setblocking(True)
        server.settimeout(PATIENCE)
        text, sender = server.recvfrom(100)
        server.sendto(b"answer", sender)
        assert (text, client.recv(100)) == (b"question", b"answer")


@pytest.mark.real
async def test_who_keeps_sending_reaches_who_comes_next(real: RealLab) -> None:
    await real.fabrics[0].ensure_bridge(SERVICES)
    client = inside(real.hosts[0], lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with client:
        for number in range(2):
            name = f"seat-{number}"
            await real.fabrics[0].ensure_seat(web(name, Publish(port=53, host=5353, protocol="udp")))
            server = await real.listen(0, name, "0.0.0.0", 53, "udp")
            server.setblocking(True)
            server.settimeout(PATIENCE)
            client.sendto(f"to {name}".encode(), ("127.0.0.1", 5353))
            assert server.recv(100) == f"to {name}".encode()
            await real.fabrics[0].remove_seat(name)


@pytest.mark.real
async def test_a_new_process_takes_over_seats_and_ports(real: RealLab) -> None:
    first = await seat(real, "one", Publish(port=80), Publish(port=80, host=8080))
    await real.fabrics[0].close()
    assert await real.reaches(0, None, HERE, 8080), "nobody of ours runs"
    real.fabrics[0] = next_ = real.restarted(0)
    await next_.start()
    assert await real.reaches(0, None, HERE, 8080)
    assert await next_.ensure_bridge(SERVICES) == first.netns.parent / "bridge"
    assert await next_.ensure_seat(web("one", Publish(port=80), Publish(port=80, host=8080))) == first
    with pytest.raises(PortError, match="already allocated"):
        await next_.ensure_seat(web("other", Publish(port=80, host=8080)))


@pytest.mark.real
async def test_nothing_is_left_of_a_bridge(real: RealLab) -> None:
    await seat(real, "one", Publish(port=80), Publish(port=80, host=8080))
    await real.fabrics[0].teardown()
    assert real.state(0) == real.before[0]


@pytest.mark.real
async def test_a_killed_instances_bridge_is_cleared_away(real: RealLab) -> None:
    await seat(real, "one", Publish(port=80, host=8080))
    await real.fabrics[0].close()
    await real.restarted(0).teardown()
    assert real.state(0) == real.before[0]


@pytest.mark.real
async def test_a_port_that_moves_on_is_in_the_rules_once(real: RealLab) -> None:
    await seat(real, "one", Publish(port=80, host=8080))
    await real.fabrics[0].remove_seat("one")
    await seat(real, "other", Publish(port=80, host=8080))
    assert rules(real.hosts[0]).count("8080 :") == 1  # where it leads; once more among all that are published
