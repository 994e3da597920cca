"""WebSockets, HTTP/2 and gRPC from end to end, and their health checks, with a real Envoy."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from hatoba.proxy.base import (
    Balancer,
    FixedResponse,
    Listener,
    Target,
    TargetGroup,
    Wanted,
)
from tests.contract.proxy import grpc_peer
from tests.contract.proxy.proxy_rigs import ADDRESS, CHECK, PORT, RealRig, forward
from tests.contract.proxy.serving import request, serving
from tests.contract.proxy.test_proxy_tls import PORT as SECURE
from tests.contract.proxy.test_proxy_tls import ROOT, SHOP, secured

pytestmark = pytest.mark.real

UPGRADE = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n"


async def test_a_websocket_is_a_pipe_once_the_target_agrees(real: RealRig) -> None:
    (a,) = await serving(real, "a")
    reader, writer = await real.connect()
    writer.write(UPGRADE.encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    assert head.startswith("HTTP/1.1 101 ")
    assert "\r\nupgrade: websocket\r\n" in head.lower()
    for message in (b"\x81\x05hello", bytes(100_000)):
        writer.write(message)
        assert await reader.readexactly(len(message)) == message
    assert "\r\nX-Forwarded-For: " in a.seen[-1]
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()


async def test_http2_targets_are_asked_and_served_over_http2(real: RealRig) -> None:
    """The target is another balancer's listener."""
    behind = Balancer(
        id="behind",
        addresses=("127.0.0.7",),
        listeners=(Listener(id="b", port=81, default=FixedResponse(status=202, body="over h2")),),
    )
    web = Balancer(id="web", addresses=(ADDRESS,), listeners=(Listener(id="main", port=PORT, default=forward("web")),))
    check = replace(CHECK, codes=((202, 202),))
    group = TargetGroup(
        id="web",
        protocol_version="HTTP2",
        targets=(Target(id="t", address="127.0.0.7", port=81),),
        health_check=check,
    )
    await real.proxy.apply(Wanted(balancers=(behind, web), groups=(group,)))
    await real.facts.until(real.proxy, "web", {"t": "healthy"})
    assert (await real.raw(request())).endswith("over h2")
    strict = replace(group, health_check=replace(check, codes=((200, 200),), unhealthy_threshold=2))
    await real.proxy.apply(Wanted(balancers=(behind, web), groups=(strict,)))
    await real.facts.until(real.proxy, "web", {"t": "unhealthy"})
    assert real.facts.all[-1].health.text == "Health checks failed with these codes: [202]"


async def test_grpc_streams_both_ways_and_tells_its_status(real: RealRig, tmp_path: Path) -> None:
    enter = ("nsenter", f"--net={real.namespace.path}", sys.executable, str(grpc_peer.__file__))
    server = await asyncio.create_subprocess_exec(*enter, "serve", "9500", stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    try:
        assert await server.stdout.readline() == b"ready\n"
        group = TargetGroup(
            id="echo",
            protocol_version="GRPC",
            targets=(Target(id="t", address="127.0.0.1", port=9500),),
            health_check=replace(CHECK, path="/AWS.ALB/healthcheck", codes=((12, 12),)),
        )
        wish = secured(SHOP)
        listener = replace(wish.balancers[0].listeners[0], default=forward("echo"))
        balancer = replace(wish.balancers[0], listeners=(listener,))
        await real.proxy.apply(replace(wish, balancers=(balancer,), groups=(group,)))
        await real.facts.until(real.proxy, "echo", {"t": "healthy"})
        (tmp_path / "root.pem").write_text(ROOT.leaf)
        asked = await asyncio.create_subprocess_exec(
            *enter, "call", ADDRESS, str(SECURE), str(tmp_path / "root.pem"), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await asked.communicate()
        assert said.decode().splitlines() == ["aa", "bb", "yes OK", "FAILED_PRECONDITION not so"]
    finally:
        server.kill()
        await server.wait()
