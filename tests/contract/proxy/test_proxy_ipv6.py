"""Balancers and targets with IPv6 addresses: Envoy listens, connects and asks for health by both families."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

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
from tests.contract.proxy.proxy_rigs import Namespace, RealRig, read_text

pytestmark = pytest.mark.real

OWN, OWN6 = "127.0.0.5", "fd00::5"
TARGET6, CLIENT6 = "fd00::9", "fd00::c"
NEVER = HealthCheck(interval=300.0, timeout=2.0)


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    made = Namespace()
    for address in (OWN6, TARGET6, CLIENT6):
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
