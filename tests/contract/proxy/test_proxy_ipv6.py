"""Balancers and targets with IPv6 addresses: Envoy listens, connects and asks for health by both families."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from hatoba.proxy.base import (
    Balancer,
    FixedResponse,
    Forward,
    GroupAttributes,
    HealthCheck,
    Listener,
    Rule,
    Share,
    SourceIn,
    Target,
    TargetGroup,
    Wanted,
)
from hatoba.proxy.forwarding import EVERYBODY
from tests.contract.proxy.proxy_rigs import Namespace, RealRig, read_text
from tools.waiting import PATIENCE

pytestmark = pytest.mark.real

OWN, OWN6 = "127.0.0.5", "fd00::5"
TARGET6, OTHER6, CLIENT6 = "fd00::9", "fd00::a", "fd00::c"
CLIENT = "127.0.0.9"
NEVER = HealthCheck(interval=300.0, timeout=2.0)


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    made = Namespace()
    for address in (OWN6, TARGET6, OTHER6, CLIENT6):
        words = ["nsenter", f"--net={made.path}", "ip", "address", "add", f"{address}/128", "dev", "lo", "nodad"]
        subprocess.run(words, check=True)
    yield made
    made.close()


@pytest_asyncio.fixture
async def rig(tmp_path: Path, namespace: Namespace) -> AsyncIterator[RealRig]:
    made = RealRig(tmp_path, namespace)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


async def serve(rig: RealRig, address: str, port: int) -> list[str]:
    """A web server that says who asked; and who that was."""
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        peer = writer.get_extra_info("peername")[0]
        asked.append(f"{'check' if 'ELB-HealthChecker' in head else 'request'} {peer}")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-seen: " + _forwarded(head).encode() + b"\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = rig.namespace.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.bind((address, port))
    rig._servers[f"{address}:{port}"] = await asyncio.start_server(answer, sock=listener)
    return asked


def _forwarded(head: str) -> str:
    return next((line[17:] for line in head.split("\r\n") if line.lower().startswith("x-forwarded-for: ")), "")


async def get(rig: RealRig, address: str, port: int = 80, own: str | None = None) -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = rig.namespace.socket(family)
    if own is not None:
        opened.bind((own, 0))
    await asyncio.get_running_loop().sock_connect(opened, (address, port))
    reader, writer = await asyncio.open_connection(sock=opened)
    host = f"[{address}]" if ":" in address else address
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    head, _ = await read_text(reader)
    writer.close()
    return head


def group(*addresses: str, kind: str = "HTTP", **attributes: bool) -> TargetGroup:
    members = tuple(Target(id=address, address=address, port=9000) for address in addresses)
    protocol = "TCP" if kind == "network" else "HTTP"
    return TargetGroup(
        id="web",
        protocol=protocol,  # type: ignore[arg-type]
        six=":" in addresses[0],
        targets=members,
        health_check=NEVER,
        attributes=GroupAttributes(**attributes),  # type: ignore[arg-type]
    )


def balanced(targets: TargetGroup, *rules: Rule, kind: str = "http") -> Wanted:
    protocol = "TCP" if kind == "network" else "HTTP"
    forward = Forward(shares=(Share(group="web"),))
    listener = Listener(id="main", port=80, protocol=protocol, default=forward, rules=rules)  # type: ignore[arg-type]
    balancer = Balancer(id="web", kind=kind, addresses=(OWN, OWN6), zones=("a", "a"), listeners=(listener,))  # type: ignore[arg-type]
    return Wanted(balancers=(balancer,), groups=(targets,))


@pytest.mark.parametrize("kind", ["http", "network"])
@pytest.mark.parametrize("target", ["127.0.0.1", TARGET6])
async def test_clients_and_targets_of_either_family(rig: RealRig, kind: str, target: str) -> None:
    """Whatever the client's family, the target is spoken to from the balancer's address of its own."""
    asked = await serve(rig, target, 9000)
    await rig.proxy.apply(balanced(group(target, kind=kind), kind=kind))
    await rig.facts.until(rig.proxy, "web", {target: "healthy"})
    for address in (OWN, OWN6):
        assert (await get(rig, address)).startswith("HTTP/1.1 200")
    own = OWN6 if ":" in target else OWN
    assert [line for line in asked if line.startswith("request")] == [f"request {own}"] * 2
    if kind == "http":
        assert f"check {own}" in asked, "and asked for its health from there, too"


async def test_a_client_is_told_about_by_its_ipv6_address(rig: RealRig) -> None:
    await serve(rig, TARGET6, 9000)
    inside = Rule(
        id="r", priority=1, conditions=(SourceIn(values=("fd00::c/128",)),), action=FixedResponse(status=202, body="in")
    )
    await rig.proxy.apply(balanced(group(TARGET6)))
    await rig.facts.until(rig.proxy, "web", {TARGET6: "healthy"})
    assert f"x-seen: {CLIENT6}\r\n" in await get(rig, OWN6, own=CLIENT6)
    await rig.proxy.apply(balanced(group(TARGET6), inside))
    assert (await get(rig, OWN6, own=CLIENT6)).startswith("HTTP/1.1 202")
    assert (await get(rig, OWN6)).startswith("HTTP/1.1 200")


async def test_addresses_of_the_other_family_are_nobody_to_be_preserved_as(rig: RealRig) -> None:
    """A client by IPv6 cannot be shown to an IPv4 target: it is asked from the balancer's address, as AWS has it."""
    asked = await serve(rig, "127.0.0.1", 9000)
    await rig.proxy.apply(balanced(group("127.0.0.1", kind="network", preserve_source=True), kind="network"))
    await rig.facts.until(rig.proxy, "web", {"127.0.0.1": "healthy"})
    assert (await get(rig, OWN6, own=CLIENT6)).startswith("HTTP/1.1 200")
    assert asked[-1] == f"request {OWN}"


async def test_clients_of_ipv6_are_seen_by_targets_of_ipv6(rig: RealRig) -> None:
    asked = await serve(rig, TARGET6, 9000)
    await rig.proxy.apply(balanced(group(TARGET6, kind="network", preserve_source=True), kind="network"))
    await rig.facts.until(rig.proxy, "web", {TARGET6: "healthy"})
    for address, own, seen in ((OWN6, CLIENT6, CLIENT6), (OWN, CLIENT, OWN6)):
        assert (await get(rig, address, own=own)).startswith("HTTP/1.1 200")
        assert asked[-1] == f"request {seen}"


async def test_by_a_rule_clients_of_each_family_are_seen_by_targets_of_their_own(rig: RealRig) -> None:
    four, six = await serve(rig, "127.0.0.1", 9000), await serve(rig, TARGET6, 9000)
    first = group("127.0.0.1", kind="network", preserve_source=True)
    second = replace(group(TARGET6, kind="network", preserve_source=True), id="six")
    plain = balanced(first, kind="network")
    rule = Rule(id="r", priority=1, conditions=(EVERYBODY[True],), action=Forward(shares=(Share(group="six"),)))
    (balancer,) = plain.balancers
    (listener,) = balancer.listeners
    ruled = replace(balancer, listeners=(replace(listener, rules=(rule,)),))
    await rig.proxy.apply(Wanted(balancers=(ruled,), groups=(first, second)))
    await rig.facts.until(rig.proxy, "web", {"127.0.0.1": "healthy"})
    await rig.facts.until(rig.proxy, "six", {TARGET6: "healthy"})
    for address, own in ((OWN, CLIENT), (OWN6, CLIENT6)):
        assert (await get(rig, address, own=own)).startswith("HTTP/1.1 200")
    assert (four[-1], six[-1]) == (f"request {CLIENT}", f"request {CLIENT6}")
    await rig.proxy.apply(plain)
    assert (await get(rig, OWN6, own=CLIENT6)).startswith("HTTP/1.1 200")
    assert four[-1] == f"request {OWN}", "of the other family, it has no address there"


def datagrams(*addresses: str) -> Wanted:
    forward = Forward(shares=(Share(group="web"),))
    listener = Listener(id="main", port=53, protocol="UDP", default=forward)
    balancer = Balancer(id="web", kind="network", addresses=(OWN, OWN6), zones=("a", "a"), listeners=(listener,))
    targets = replace(group(*addresses, kind="network"), protocol="UDP", health_check=HealthCheck(enabled=False))
    return Wanted(balancers=(balancer,), groups=(targets,))


@asynccontextmanager
async def echo(rig: RealRig, address: str) -> AsyncIterator[list[tuple[str, int]]]:
    """Answers datagrams with whom it sees; and who that was."""
    loop = asyncio.get_running_loop()
    seen: list[tuple[str, int]] = []
    opened = rig.namespace.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    opened.bind((address, 9000))

    async def answer() -> None:
        while True:
            said, peer = await loop.sock_recvfrom(opened, 100)
            seen.append((peer[0], peer[1]))
            await loop.sock_sendto(opened, address.encode() + b" " + said, peer)

    answering = asyncio.create_task(answer())
    try:
        yield seen
    finally:
        answering.cancel()
        opened.close()


class Flow:
    """A client's, who says one word after the other."""

    def __init__(self, rig: RealRig, own: str) -> None:
        self.family = socket.AF_INET6 if ":" in own else socket.AF_INET
        self.opened = rig.namespace.socket(self.family, socket.SOCK_DGRAM)
        self.opened.bind((own, 0))

    async def asks(self, word: str = "hello") -> str:
        """Who answers, with the same word."""
        loop = asyncio.get_running_loop()
        to = OWN6 if self.family == socket.AF_INET6 else OWN
        await loop.sock_sendto(self.opened, word.encode(), (to, 53))
        said = (await asyncio.wait_for(loop.sock_recv(self.opened, 100), PATIENCE)).decode().split()
        assert said[1] == word
        return said[0]

    def close(self) -> None:
        self.opened.close()


async def test_datagrams_of_ipv6_are_answered_and_stay_with_their_target(rig: RealRig) -> None:
    async with echo(rig, TARGET6) as seen, echo(rig, OTHER6) as others:
        await rig.proxy.apply(datagrams(TARGET6))
        with closing(Flow(rig, CLIENT6)) as flow:
            assert {await flow.asks(str(n)) for n in range(3)} == {TARGET6}
            await rig.proxy.apply(datagrams(TARGET6, OTHER6))
            assert {await flow.asks(str(n)) for n in range(3)} == {TARGET6}
            assert len({*seen}) == 1, "one flow"
            assert seen[0][0] == CLIENT6
            await rig.proxy.apply(datagrams(OTHER6))
            assert await flow.asks() == OTHER6
            assert {address for address, _ in others} == {CLIENT6}


async def test_datagrams_of_ipv4_reach_targets_of_ipv6_each_flow_by_itself(rig: RealRig) -> None:
    async with echo(rig, TARGET6) as seen:
        await rig.proxy.apply(datagrams(TARGET6))
        with closing(Flow(rig, CLIENT)) as one, closing(Flow(rig, CLIENT)) as other:
            for word in ("a", "b"):
                assert await one.asks(word) == await other.asks(word) == TARGET6
        assert len({*seen}) == 2
        assert all(":" in address for address, _ in seen)


async def test_datagrams_of_ipv6_are_answered_while_one_envoy_hands_over_to_the_next(rig: RealRig) -> None:
    async with echo(rig, TARGET6) as seen:
        await rig.proxy.apply(datagrams(TARGET6))
        with closing(Flow(rig, CLIENT6)) as flow:
            await flow.asks()
            renewing = asyncio.create_task(rig.proxy.renew())
            while not renewing.done():
                await flow.asks()
                await asyncio.sleep(0.005)
            await renewing
            for number in range(20):
                await flow.asks(str(number))
        assert {address for address, _ in seen} == {CLIENT6}


async def test_an_ipv6_address_comes_and_goes(rig: RealRig) -> None:
    await serve(rig, "127.0.0.1", 9000)
    both = balanced(group("127.0.0.1"))
    (balancer,) = both.balancers
    only4 = Wanted(
        balancers=(Balancer(id="web", addresses=(OWN,), zones=("a",), listeners=balancer.listeners),),
        groups=both.groups,
    )
    await rig.proxy.apply(only4)
    await rig.facts.until(rig.proxy, "web", {"127.0.0.1": "healthy"})
    with pytest.raises(ConnectionRefusedError):
        await get(rig, OWN6)
    await rig.proxy.apply(both)
    assert (await get(rig, OWN6)).startswith("HTTP/1.1 200")
    await rig.proxy.apply(only4)
    assert (await get(rig, OWN)).startswith("HTTP/1.1 200")
