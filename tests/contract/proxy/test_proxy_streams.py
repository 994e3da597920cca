"""Network balancers with a real Envoy: bytes pass unread, flows stay where they are, zones keep to themselves."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from hatoba.proxy.base import (
    Balancer,
    Forward,
    GroupAttributes,
    HealthCheck,
    Listener,
    Protocol,
    Rejected,
    Share,
    Target,
    TargetGroup,
    Tls,
    Wanted,
)
from tests.contract.proxy.proxy_rigs import CHECK as QUICK
from tests.contract.proxy.proxy_rigs import RealRig, until
from tests.contract.proxy.test_proxy_tls import ROOT, certificate
from tools.waiting import PATIENCE

pytestmark = pytest.mark.real

NEAR, FAR = "127.0.0.5", "127.0.0.6"  # the balancer's addresses, in the zones a and b
CHECK = HealthCheck(protocol="TCP", interval=300.0, timeout=2.0)
PORT = 7000
CLIENT = "127.0.0.9"


class Server:
    """Says its name to whoever comes, and then everything that it hears. It keeps what came first."""

    def __init__(self, name: str, port: int) -> None:
        self.name, self.port = name, port
        self.first: list[bytes] = []
        self.peers: list[str] = []
        self.open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.peers.append(writer.get_extra_info("peername")[0])
        try:
            writer.write(f"{self.name}\n".encode())
            first = True
            while data := await reader.read(4096):
                if first:
                    self.first.append(data)
                first = False
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def serving(rig: RealRig, *names: str) -> AsyncIterator[list[Server]]:
    made, listening = [], []
    for number, name in enumerate(names):
        listener = rig.namespace.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 8100 + number))
        server = Server(name, 8100 + number)
        made.append(server)
        listening.append(await asyncio.start_server(server.serve, sock=listener))
    try:
        yield made
    finally:
        for each in listening:
            each.close()


def targets(*servers: Server, zones: str = "", state: str = "active") -> tuple[Target, ...]:
    return tuple(
        Target(
            id=each.name,
            address="127.0.0.1",
            port=each.port,
            zone=zones[number] if zones else "",
            state=state,  # type: ignore[arg-type]
        )
        for number, each in enumerate(servers)
    )


def group(id_: str, members: tuple[Target, ...], protocol: Protocol = "TCP", **attributes: bool) -> TargetGroup:
    wanted = GroupAttributes(**attributes)  # type: ignore[arg-type]
    return TargetGroup(id=id_, protocol=protocol, targets=members, health_check=CHECK, attributes=wanted)


def wanted(*groups: TargetGroup, weights: dict[str, int] | None = None, **listener: object) -> Wanted:
    shares = tuple(Share(group=each.id, weight=(weights or {}).get(each.id, 1)) for each in groups)
    return Wanted(
        balancers=(
            Balancer(
                id="net/x/1",
                kind="network",
                addresses=(NEAR, FAR),
                zones=("a", "b"),
                listeners=(
                    Listener(id="l", port=PORT, default=Forward(shares=shares), **{"protocol": "TCP", **listener}),  # type: ignore[arg-type]
                ),
            ),
        ),
        groups=groups,
    )


async def healthy(rig: RealRig, wish: Wanted) -> None:
    await rig.proxy.apply(wish)
    for each in wish.groups:
        await rig.facts.until(rig.proxy, each.id, {target.id: "healthy" for target in each.targets})


async def connect(rig: RealRig, to: str = NEAR) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    connection = rig.namespace.socket()
    connection.bind((CLIENT, 0))
    await asyncio.get_running_loop().sock_connect(connection, (to, PORT))
    return await asyncio.open_connection(sock=connection)


async def who(rig: RealRig, to: str = NEAR) -> str:
    reader, writer = await connect(rig, to)
    name = (await reader.readline()).decode().strip()
    writer.close()
    return name


async def spread(rig: RealRig, to: str = NEAR, count: int = 40) -> dict[str, int]:
    found: dict[str, int] = {}
    for _ in range(count):
        name = await who(rig, to)
        found[name] = found.get(name, 0) + 1
    return found


async def test_bytes_pass_as_they_are_in_both_directions(real: RealRig) -> None:
    async with serving(real, "a", "b") as (a, b):
        await healthy(real, wanted(group("g", targets(a, b))))
        assert set(await spread(real)) == {"a", "b"}
        assert set(await spread(real, FAR)) == {"a", "b"}
        reader, writer = await connect(real)
        await reader.readline()
        writer.write(b"\x00\xffnot HTTP\r\n\r\n")
        assert await reader.readexactly(14) == b"\x00\xffnot HTTP\r\n\r\n"
        assert {*a.peers, *b.peers} >= {NEAR, FAR}  # each connection starts at the address that it came in by
        flows = (await real.proxy.traffic())["net/x/1"].flows["TCP"]
        assert (flows.new, flows.active, flows.received, flows.sent) == (81, 1, 14, 81 * 2 + 14)
        writer.close()


async def test_what_stands_is_not_touched_by_other_targets_weights_and_groups(real: RealRig) -> None:
    async with serving(real, "a", "b") as (a, b):
        await healthy(real, wanted(group("g", targets(a))))
        reader, writer = await connect(real)
        assert await reader.readline() == b"a\n"
        both = (group("g", targets(a)), group("h", targets(b)))
        await healthy(real, wanted(*both, weights={"g": 1, "h": 3}))
        found = await spread(real, count=80)
        assert 45 <= found["b"] <= 75
        await real.proxy.apply(wanted(*both, weights={"g": 0, "h": 1}))
        assert await spread(real, count=10) == {"b": 10}
        await real.proxy.apply(wanted(group("h", targets(b))))
        writer.write(b"still here")
        assert await reader.readexactly(10) == b"still here"
        writer.close()


async def test_without_crossing_zones_each_address_has_its_own_targets(real: RealRig) -> None:
    async with serving(real, "a", "b", "c") as servers:
        await healthy(real, wanted(group("g", targets(*servers, zones="aab"), across_zones=False)))
        assert set(await spread(real, NEAR)) == {"a", "b"}
        assert set(await spread(real, FAR)) == {"c"}


async def test_a_clients_address_stays_with_its_target(real: RealRig) -> None:
    async with serving(real, "a", "b", "c") as servers:
        await healthy(real, wanted(group("g", targets(*servers), sticky_source=True)))
        assert len(await spread(real, count=20)) == 1


@pytest.mark.parametrize("preserved", [False, True])
async def test_a_target_is_told_by_the_proxy_protocol_who_asks(real: RealRig, preserved: bool) -> None:
    async with serving(real, "a") as (a,):
        await healthy(real, wanted(group("g", targets(a), proxy_protocol=True, preserve_source=preserved)))
        reader, writer = await connect(real)
        await reader.readline()
        port = writer.get_extra_info("sockname")[1]
        writer.write(b"hello")
        await reader.readexactly(28 + 5)
        said = a.first[-1]
        assert said[:16] == b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"
        assert said[16:28] == socket.inet_aton(CLIENT) + socket.inet_aton(NEAR) + struct.pack("!HH", port, PORT)
        assert a.peers[-1] == (CLIENT if preserved else NEAR)
        writer.close()


async def test_targets_see_the_clients_address_where_it_is_preserved(real: RealRig) -> None:
    async with serving(real, "a") as (a,):
        await healthy(real, wanted(group("g", targets(a), preserve_source=True)))
        a.peers.clear()
        assert await who(real) == "a"
        assert a.peers == [CLIENT]


async def test_a_connection_ends_when_neither_side_has_said_anything_for_its_time(real: RealRig) -> None:
    async with serving(real, "a") as (a,):
        await healthy(real, wanted(group("g", targets(a)), idle_timeout=3.0))
        (busy, talks), (idle, silent) = await connect(real), await connect(real)
        await busy.readline()
        await idle.readline()
        ended = asyncio.create_task(idle.read())
        while not ended.done():
            talks.write(b"x")
            assert await busy.readexactly(1) == b"x"
            await asyncio.sleep(0.05)
        assert await ended == b""
        talks.write(b"y")
        assert await busy.readexactly(1) == b"y"
        for each in (talks, silent):
            each.close()


async def test_tls_ends_here(real: RealRig) -> None:
    shown = certificate("one", "flows.example")
    tls = Tls(certificates=("one",), speaks=("h2", "http/1.1"))
    async with serving(real, "a") as (a,):
        wish = replace(wanted(group("g", targets(a)), protocol="TLS", tls=tls), certificates=(shown,))
        await healthy(real, wish)
        context = ssl.create_default_context(cadata=ROOT.leaf)
        context.set_alpn_protocols(["http/1.1", "h2"])
        connection = real.namespace.socket()
        await asyncio.get_running_loop().sock_connect(connection, (NEAR, PORT))
        reader, writer = await asyncio.open_connection(sock=connection, ssl=context, server_hostname="flows.example")
        assert await reader.readline() == b"a\n"
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        writer.close()
        plain_reader, plain = await connect(real)
        plain.write(b"hello, is this TLS?\r\n")
        assert b"a\n" not in await plain_reader.read()
        plain.close()
        flows = (await real.proxy.traffic())["net/x/1"].flows["TLS"]
        assert flows.new >= 1
        assert flows.tls_failures == 1


async def test_datagrams_are_answered_and_stay_with_their_target(real: RealRig) -> None:
    loop = asyncio.get_running_loop()
    seen: list[tuple[str, int]] = []

    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            seen.append(addr)
            self.transport.sendto(b"heard " + data, addr)  # type: ignore[attr-defined]

    def bound(address: str, port: int) -> socket.socket:
        made = real.namespace.socket(kind=socket.SOCK_DGRAM)
        made.bind((address, port))
        return made

    async with serving(real, "a") as (a,):
        transport, _ = await loop.create_datagram_endpoint(Echo, sock=bound("127.0.0.1", a.port))
        await healthy(real, wanted(group("g", targets(a), protocol="TCP_UDP"), protocol="TCP_UDP"))
        client = bound(CLIENT, 0)
        await loop.sock_connect(client, (NEAR, PORT))
        for word in (b"one", b"two"):
            await loop.sock_sendall(client, word)
            assert await asyncio.wait_for(loop.sock_recv(client, 100), PATIENCE) == b"heard " + word
        assert [address for address, _ in seen] == [CLIENT, CLIENT]
        assert seen[0] == seen[1]  # one flow
        assert await who(real) == "a"  # the same port, by TCP
        flows = (await real.proxy.traffic())["net/x/1"].flows
        assert (flows["UDP"].new, flows["UDP"].received, flows["TCP"].new) == (1, 6, 1)
        client.close()
        transport.close()


def bound(rig: RealRig, address: str, port: int) -> socket.socket:
    made = rig.namespace.socket(kind=socket.SOCK_DGRAM)
    made.bind((address, port))
    return made


@asynccontextmanager
async def naming(rig: RealRig, *servers: Server) -> AsyncIterator[None]:
    """Beside each server one that answers datagrams by its name."""
    loop = asyncio.get_running_loop()

    async def answer(opened: socket.socket, name: str) -> None:
        while True:
            _, peer = await loop.sock_recvfrom(opened, 100)
            await loop.sock_sendto(opened, name.encode(), peer)

    sockets = [bound(rig, "127.0.0.1", each.port) for each in servers]
    tasks = [asyncio.create_task(answer(s, each.name)) for s, each in zip(sockets, servers, strict=True)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for opened in sockets:
            opened.close()


async def asked(rig: RealRig, client: socket.socket, to: str = NEAR) -> str:
    """Who answers a datagram."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendto(client, b"who?", (to, PORT))
    return (await asyncio.wait_for(loop.sock_recv(client, 100), PATIENCE)).decode()


async def test_a_flow_of_datagrams_goes_on_elsewhere_when_its_target_has_gone(real: RealRig) -> None:
    async with serving(real, "a", "b") as (a, b), naming(real, a, b):
        await healthy(real, wanted(group("g", targets(a), protocol="UDP"), protocol="UDP"))
        with bound(real, CLIENT, 0) as client:
            assert [await asked(real, client) for _ in range(3)] == ["a"] * 3
            await healthy(real, wanted(group("g", targets(a, b), protocol="UDP"), protocol="UDP"))
            assert [await asked(real, client) for _ in range(3)] == ["a"] * 3, "it stays with its target"
            await real.proxy.apply(wanted(group("g", targets(b), protocol="UDP"), protocol="UDP"))
            assert [await asked(real, client) for _ in range(3)] == ["b"] * 3


async def test_a_flow_of_datagrams_leaves_a_target_that_is_found_unhealthy(real: RealRig) -> None:
    quick = replace(QUICK, protocol="TCP")
    async with serving(real, "b") as (b,):
        a = Server("a", 8200)
        listener = real.namespace.socket()
        listener.bind(("127.0.0.1", a.port))
        checked = await asyncio.start_server(a.serve, sock=listener)
        async with naming(real, a, b):
            alone = replace(group("g", targets(a), protocol="UDP"), health_check=quick)
            await healthy(real, wanted(alone, protocol="UDP"))
            with bound(real, CLIENT, 0) as client:
                assert await asked(real, client) == "a"
                both = replace(group("g", targets(a, b), protocol="UDP"), health_check=quick)
                await healthy(real, wanted(both, protocol="UDP"))
                assert await asked(real, client) == "a"
                checked.close()
                await real.facts.until(real.proxy, "g", {"a": "unhealthy", "b": "healthy"})
                assert await asked(real, client) == "b"


async def test_datagrams_stay_in_their_zone_and_with_their_clients_target(real: RealRig) -> None:
    async with serving(real, "a", "b", "c") as servers, naming(real, *servers):
        near = group("g", targets(*servers, zones="aab"), protocol="UDP", across_zones=False)
        await healthy(real, wanted(near, protocol="UDP"))
        seen: dict[str, set[str]] = {NEAR: set(), FAR: set()}
        for _ in range(20):
            for to in seen:
                with bound(real, CLIENT, 0) as client:
                    seen[to].add(await asked(real, client, to))
        assert seen == {NEAR: {"a", "b"}, FAR: {"c"}}
        await healthy(real, wanted(group("g", targets(*servers), protocol="UDP", sticky_source=True), protocol="UDP"))
        stuck = set()
        for _ in range(20):
            with bound(real, CLIENT, 0) as client:
                stuck.add(await asked(real, client))
        assert len(stuck) == 1


@pytest.mark.parametrize("ends", [True, False])
async def test_connections_to_a_dropped_target_end_if_that_is_wanted(real: RealRig, ends: bool) -> None:
    async with serving(real, "a", "b") as (a, b):
        await healthy(real, wanted(group("g", targets(a), end_removed=ends)))
        reader, writer = await connect(real)
        assert await reader.readline() == b"a\n"
        draining = (*targets(a, state="draining"), *targets(b))
        await real.proxy.apply(wanted(group("g", draining, end_removed=ends)))
        await real.facts.until(real.proxy, "g", {"b": "healthy"})
        writer.write(b"draining")
        assert await reader.readexactly(8) == b"draining"
        await real.proxy.apply(wanted(group("g", targets(b), end_removed=ends)))
        if ends:
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await asyncio.wait_for(reader.readexactly(1), PATIENCE)
            await until(lambda: a.open == 0)
        else:
            writer.write(b"lasting")
            assert await reader.readexactly(7) == b"lasting"
        assert await spread(real, count=4) == {"b": 4}
        writer.close()


async def test_a_port_that_a_flow_has_is_a_listeners_once_the_flow_has_ended(real: RealRig) -> None:
    """Flows of datagrams have ports of the whole namespace."""
    async with serving(real, "a") as (a,), naming(real, a):
        wish = wanted(group("g", targets(a), protocol="UDP"), protocol="UDP")
        flow = bound(real, "0.0.0.0", PORT)
        with pytest.raises(Rejected, match="in use") as refused:
            await real.proxy.apply(wish)
        assert refused.value.passes
        flow.close()
        await healthy(real, wish)
        with bound(real, CLIENT, 0) as client:
            assert await asked(real, client) == "a"
