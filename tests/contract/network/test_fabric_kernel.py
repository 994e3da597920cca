"""What only the real fabric can show: devices, sources of packets, the host left as it was, processes in a router."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import msgspec
import pytest

from hatoba.core.errors import Refused
from hatoba.network import syscalls
from hatoba.network.fabric import KernelFabric
from tests.contract.network.labs import NODES, WORLD, RealLab, inside, launch, rules, run
from tests.contract.network.specs import DEFAULT, METADATA, OPEN, balancer, peer, task, vpc
from tools.waiting import PATIENCE

pytestmark = pytest.mark.real


async def populate(lab: RealLab) -> None:
    """Some of everything on node 0."""
    fabric = lab.fabrics[0]
    await fabric.ensure_vpc(vpc())
    await fabric.set_policies("vpc-1", (DEFAULT, OPEN))
    await fabric.ensure_interface(task("a", "10.0.0.10", "sg-open", public="100.80.8.1", egress=True))
    await fabric.ensure_interface(task("b", "10.0.0.11", "sg-open", address6="fd00::11"))
    await fabric.ensure_address(balancer("lb", "10.0.0.20", "sg-open", public="100.80.8.2"))
    await fabric.set_peers("vpc-1", (peer("10.0.0.12", NODES[1]),))
    await lab.listen(0, "a", "0.0.0.0", 80)
    await lab.listen(0, "b", "0.0.0.0", 80)


async def test_a_tasks_interface_is_as_it_was_asked_for(real: RealLab) -> None:
    await populate(real)
    inner = real.namespace(0, "b")
    links = run(inner, "ip -o link")
    assert "02:00:00:00:00:0b" in links
    assert "mtu 1450" in links
    assert "lo: <LOOPBACK,UP" in links
    assert "10.0.0.11/32" in run(inner, "ip -4 address show eth0")
    assert "fd00::11/128" in run(inner, "ip -6 address show eth0")
    assert run(inner, "ip route").startswith("default via 10.0.0.1 dev eth0")


async def test_teardown_leaves_the_host_as_it_was(real: RealLab) -> None:
    await populate(real)
    during = real.state(0)
    assert during["rules"] != real.before[0]["rules"]
    assert during["settings"] != real.before[0]["settings"], "the way outside has to forward"
    await real.fabrics[0].teardown()
    assert real.state(0) == real.before[0]
    assert not real.settings[0].run_dir.exists()
    assert list(real.settings[0].shared_dir.iterdir()) == []
    assert str(real.settings[0].run_dir) not in run(real.hosts[0], "cat /proc/self/mountinfo")


async def test_teardown_also_finds_what_another_process_left(real: RealLab) -> None:
    await populate(real)
    await real.fabrics[0].close()
    await real.restarted(0).teardown()
    assert real.state(0) == real.before[0]
    assert not real.settings[0].run_dir.exists()


async def test_rules_and_routes_of_others_stay(real: RealLab) -> None:
    host = real.hosts[0]
    rules(host, "add table inet theirs")
    rules(host, "add chain inet theirs input { type filter hook input priority 0; policy accept; }")
    rules(host, "add rule inet theirs input tcp dport 9 drop")
    before = rules(host, "list table inet theirs")
    await populate(real)
    assert rules(host, "list table inet theirs") == before
    await real.fabrics[0].teardown()
    assert rules(host, "list ruleset") == before


async def test_the_outside_sees_the_nodes_address(real: RealLab) -> None:
    await populate(real)
    listening = await real.listen(0, "world", WORLD, 80)
    opened = await real.connect(0, "a", WORLD, 80)
    assert opened is not None
    accepted, (address, _) = await asyncio.get_running_loop().sock_accept(listening)
    assert address == NODES[0]
    accepted.close()
    opened.close()


async def test_a_public_source_is_seen_within_the_pool(real: RealLab) -> None:
    await populate(real)
    fabric = real.fabrics[0]
    await fabric.ensure_interface(task("c", "10.0.0.13", "sg-open", public="100.80.8.3"))
    listening = await real.listen(0, "c", "0.0.0.0", 80)
    opened = await real.connect(0, "a", "100.80.8.3", 80)
    assert opened is not None
    accepted, (address, _) = await asyncio.get_running_loop().sock_accept(listening)
    assert address == "100.80.8.1"
    accepted.close()
    opened.close()


async def test_a_task_cannot_take_anothers_address(real: RealLab) -> None:
    await populate(real)
    run(real.namespace(0, "a"), "ip address add 10.0.0.99/32 dev eth0")
    assert await real.reaches(0, "a", "10.0.0.11")
    assert not await real.reaches(0, "a", "10.0.0.11", own="10.0.0.99")


async def test_a_socket_of_the_router_serves_its_tasks(real: RealLab) -> None:
    await populate(real)
    opened = await real.fabrics[0].open_socket("vpc-1", socket.AF_INET, socket.SOCK_STREAM)
    opened.bind((METADATA, 80))
    opened.listen()
    client = await real.connect(0, "b", METADATA, 80)
    assert client is not None
    accepted, (address, _) = await asyncio.get_running_loop().sock_accept(opened)
    assert address == "10.0.0.11", "by which the task is known"
    for each in (accepted, client, opened):
        each.close()


async def test_a_process_started_in_the_router_binds_a_balancers_address(real: RealLab) -> None:
    await populate(real)
    program = "import socket; s = socket.create_server(('10.0.0.20', 80)); print('ready', flush=True); s.accept()"
    netns = real.namespace(0, "vpc-1")
    process = launch(netns, program)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert await real.reaches(0, None, "100.80.8.2")
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


async def test_a_standing_connection_outlives_a_restart_and_new_ones_are_made(real: RealLab) -> None:
    await populate(real)
    listening = await real.listen(0, "b", "10.0.0.11", 81)
    standing = await real.connect(0, "a", "10.0.0.11", 81)
    assert standing is not None
    accepted, _ = await asyncio.get_running_loop().sock_accept(listening)
    await real.fabrics[0].close()
    assert await real.reaches(0, "a", "10.0.0.11"), "without any fabric"
    again = real.restarted(0)
    real.fabrics[0] = again
    kept = await again.start()
    assert [spec.id for spec in kept.interfaces] == ["a", "b"]
    assert await real.reaches(0, "a", "10.0.0.11"), "before anything is asked for"
    assert await real.reaches(0, None, "100.80.8.1")
    await asyncio.get_running_loop().sock_sendall(accepted, b"still here")
    assert await asyncio.get_running_loop().sock_recv(standing, 100) == b"still here"
    before = real.state(0)
    await again.ensure_vpc(vpc())
    await again.ensure_interface(task("b", "10.0.0.11", "sg-open", address6="fd00::11"))
    assert real.state(0) == before
    standing.close()
    accepted.close()


async def test_many_small_steps_make_the_same_rules_as_one(real: RealLab) -> None:
    await populate(real)
    fabric = real.fabrics[0]
    await fabric.ensure_interface(task("a", "10.0.0.10", "sg-default", "sg-open"))
    await fabric.ensure_interface(task("b", "10.0.0.11", "sg-default"))
    await fabric.set_policies("vpc-1", (OPEN, msgspec.structs.replace(DEFAULT, ingress=())))
    await fabric.ensure_address(balancer("lb", "10.0.0.20", "sg-default"))
    await fabric.remove_interface("vpc-1", "b")
    small = rules(real.namespace(0, "vpc-1"), "list table inet hatoba")
    await fabric.close()
    real.fabrics[0] = real.restarted(0)
    await real.fabrics[0].start()
    whole = rules(real.namespace(0, "vpc-1"), "list table inet hatoba")
    assert _elements(small) == _elements(whole)


def _elements(listing: str) -> list[str]:
    """The listing's words in order of names: elements and chains are listed in the order in which they came."""
    return sorted(word for line in listing.splitlines() for word in line.replace(",", " ").split())


async def test_rules_that_were_changed_behind_our_back_are_mended_by_the_next_step(real: RealLab) -> None:
    await populate(real)
    rules(real.namespace(0, "vpc-1"), "delete table inet hatoba")
    await real.fabrics[0].ensure_interface(task("c", "10.0.0.13", "sg-open"))
    assert await real.reaches(0, "c", "10.0.0.11")


async def test_a_pool_that_the_host_uses_already_is_refused(real: RealLab, tmp_path: Path) -> None:
    run(real.hosts[0], "ip route add 100.90.64.0/24 via 198.51.100.1")
    other = msgspec.structs.replace(
        real.settings[0],
        instance="other",
        run_dir=tmp_path / "other",
        pool="100.90.0.0/16",
        transit="100.90.0.0/22",
        host_address="100.90.0.1",
    )
    with pytest.raises(Refused, match=r"100\.90\.64\.0/24"):
        await KernelFabric(other, real.hosts[0]).start()
    assert not other.run_dir.exists()


async def test_two_instances_share_a_host(real: RealLab, tmp_path: Path) -> None:
    await populate(real)
    other = msgspec.structs.replace(
        real.settings[0],
        instance="neighbour",
        run_dir=tmp_path / "neighbour",
        pool="100.81.0.0/16",
        transit="100.81.0.0/22",
        host_address="100.81.0.1",
        pool6="fd68:6174:7000::/40",
        host_address6="fd68:6174:7000::1",
        underlay=None,
    )
    second = KernelFabric(other, real.hosts[0])
    await second.start()
    try:
        await second.ensure_vpc(vpc())
        await second.set_policies("vpc-1", (OPEN,))
        await second.ensure_interface(task("z", "10.0.0.10", "sg-open", egress=True))
        await real.listen(0, "world", WORLD, 80)
        assert await real.reaches(0, "a", WORLD)
        await real.fabrics[0].teardown()
        opened = inside(other.run_dir / "netns" / "z", lambda: socket.create_connection((WORLD, 80), PATIENCE))
        opened.close()
    finally:
        await second.teardown()
    assert real.state(0) == real.before[0], "the last one puts the forwarding flag back"


async def test_a_call_is_carried_through_when_nobody_waits_for_it_any_more(real: RealLab) -> None:
    await populate(real)
    fabric = real.fabrics[0]
    asked = asyncio.ensure_future(fabric.ensure_interface(task("c", "10.0.0.13", "sg-open", public="100.80.8.4")))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await fabric.ensure_address(balancer("lb", "10.0.0.20", "sg-open"))  # waits for its turn after it
    await real.listen(0, "c", "0.0.0.0", 80)
    assert await real.reaches(0, None, "100.80.8.4")


async def test_calls_side_by_side_come_to_the_same_end(real: RealLab) -> None:
    fabric = real.fabrics[0]
    vpcs = [f"vpc-{number}" for number in range(4)]
    await asyncio.gather(*(fabric.ensure_vpc(vpc(name, vni=1 + number)) for number, name in enumerate(vpcs)))
    await asyncio.gather(*(fabric.set_policies(name, (OPEN,)) for name in vpcs))
    tasks = [task(f"{name}.{last}", f"10.0.0.{last}", "sg-open", vpc=name) for name in vpcs for last in range(10, 20)]
    await asyncio.gather(*map(fabric.ensure_interface, tasks))
    for name in vpcs:
        await real.listen(0, f"{name}.19", "0.0.0.0", 80)
        assert await real.reaches(0, f"{name}.10", "10.0.0.19")
    await asyncio.gather(*(fabric.remove_interface(one.vpc, one.id) for one in tasks), *map(fabric.remove_vpc, vpcs))
    assert (await fabric.inventory()).vpcs == ()
    assert real.state(0)["routes"].count("hat") == 0


async def test_private_addresses_stay_closed_even_if_the_host_is_given_a_route(real: RealLab) -> None:
    await populate(real)
    uplink = next(word for word in run(real.hosts[0], "ip -o link").split() if word.startswith("hat")).split("@")[0]
    for address in ("10.0.0.11", "10.0.0.20"):
        run(real.hosts[0], f"ip route add {address}/32 dev {uplink} via 100.80.0.2 onlink")
    await real.listen(0, "vpc-1", "10.0.0.20", 80)
    assert not await real.reaches(0, None, "10.0.0.11")
    assert not await real.reaches(0, None, "10.0.0.20")
    assert await real.reaches(0, None, "100.80.8.2")


async def test_a_namespace_is_seen_where_containers_are_started(real: RealLab) -> None:
    """Containerd lives in a mount namespace of its own, a slave of ours."""
    holder = launch(
        real.hosts[0], "print('ready', flush=True); input()", "unshare", "--mount", "--propagation", "slave"
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        await populate(real)
        seen = run(real.hosts[0], f"cat /proc/{holder.pid}/mountinfo")
        assert str(real.namespace(0, "a")) in seen
        await real.fabrics[0].remove_interface("vpc-1", "a")
        assert str(real.namespace(0, "a")) not in run(real.hosts[0], f"cat /proc/{holder.pid}/mountinfo")
    finally:
        holder.kill()
        holder.communicate()


async def test_the_resolver_answers_over_udp(real: RealLab) -> None:
    await real.fabrics[0].ensure_vpc(vpc())
    await real.fabrics[0].ensure_interface(task("a", "10.0.0.10", "sg-none"))
    server = await real.fabrics[0].open_socket("vpc-1", socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("10.0.0.2", 53))
    client = inside(real.namespace(0, "a"), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    client.sendto(b"who?", ("10.0.0.2", 53))
    async with asyncio.timeout(PATIENCE):
        question, source = await loop.sock_recvfrom(server, 100)
        server.sendto(question.upper(), source)
        assert await loop.sock_recv(client, 100) == b"WHO?"
    for each in (server, client):
        each.close()


async def test_much_data_crosses_between_nodes(real: RealLab) -> None:
    """Full packets fit into the tunnel."""
    for node, (name, address) in enumerate((("a", "10.0.0.10"), ("b", "10.0.0.11"))):
        await real.fabrics[node].ensure_vpc(vpc())
        await real.fabrics[node].set_policies("vpc-1", (DEFAULT,))
        await real.fabrics[node].ensure_interface(task(name, address))
    await real.fabrics[0].set_peers("vpc-1", (peer("10.0.0.11", NODES[1]),))
    await real.fabrics[1].set_peers("vpc-1", (peer("10.0.0.10", NODES[0]),))
    listening = await real.listen(1, "b", "0.0.0.0", 80)
    client = await real.connect(0, "a", "10.0.0.11", 80)
    assert client is not None
    loop = asyncio.get_running_loop()
    server, _ = await loop.sock_accept(listening)
    sent = bytes(4_000_000)
    sending = asyncio.ensure_future(loop.sock_sendall(client, sent))
    received = 0
    async with asyncio.timeout(PATIENCE):
        while received < len(sent):
            received += len(await loop.sock_recv(server, 1 << 20))
        await sending
    for each in (server, client):
        each.close()


async def test_a_task_cannot_forge_a_nodes_tunnel_packets(real: RealLab) -> None:
    await populate(real)
    forged = await real.listen(0, "world", WORLD, real.settings[0].vxlan_port, "udp")
    plain = await real.listen(0, "world", WORLD, real.settings[0].vxlan_port + 1, "udp")
    client = inside(real.namespace(0, "a"), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    for listening in (forged, plain):
        client.sendto(b"x", listening.getsockname())
    async with asyncio.timeout(PATIENCE):
        assert await asyncio.get_running_loop().sock_recv(plain, 10) == b"x"
    with pytest.raises(BlockingIOError):
        forged.recv(10)
    client.close()


async def test_a_pool_is_not_changed_under_what_stands(real: RealLab) -> None:
    await populate(real)
    await real.fabrics[0].close()
    changed = msgspec.structs.replace(
        real.settings[0], pool="100.81.0.0/16", transit="100.81.0.0/22", host_address="100.81.0.1"
    )
    with pytest.raises(Refused, match=r"100\.80\.0\.0/16"):
        await KernelFabric(changed, real.hosts[0]).start()
    real.fabrics[0] = real.restarted(0)
    await real.fabrics[0].start()
    assert await real.reaches(0, "a", "10.0.0.11")


async def test_a_router_whose_namespace_was_lost_is_made_anew(real: RealLab) -> None:
    await populate(real)
    await real.fabrics[0].close()
    syscalls.unpin(real.namespace(0, "vpc-1"))
    fabric = real.restarted(0)
    real.fabrics[0] = fabric
    kept = await fabric.start()
    for spec in kept.vpcs:
        await fabric.ensure_vpc(spec)
    for interface in kept.interfaces:
        await fabric.ensure_interface(interface)
    await real.listen(0, "b", "0.0.0.0", 80)
    assert await real.reaches(0, "a", "10.0.0.11")
