"""Listeners that one process opens and another serves: handed over, let go of, handed over again."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hatoba.app import entrances as taking
from hatoba.app.certificates import Certificates
from hatoba.core.clock import SystemClock
from hatoba.fleet.enrol import Authority
from hatoba.gateway.http import Handler, Request, Response
from hatoba.node import entrances as giving
from tests.unit.gateway.wire import on_uvloop


class Routers:
    """In place of the fabric: all networks are this machine's."""

    async def open_socket(self, network: str, family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
        made = socket.socket(family, kind)
        made.setblocking(False)
        return made


NAME = "ecs.us-east-1.amazonaws.com"


def handler(network: str) -> Handler:
    async def answer(request: Request) -> Response:
        how = " by TLS" if request.secure else ""
        return Response(body=f"{network}{how} {request.peer} {request.meant}".encode(), close=True)

    return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def asked(port: int, trusting: ssl.SSLContext | None = None) -> str:
    """What is answered; "" while nobody listens."""
    name = NAME if trusting else None
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname=name)
    except OSError:
        return ""
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n\r\n")[2].decode()


async def becomes(port: int, wanted: str, trusting: ssl.SSLContext | None = None) -> None:
    async with asyncio.timeout(10):
        while True:
            answer = await asked(port, trusting)
            if answer.startswith(wanted) and bool(answer) == bool(wanted):
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def taker(path: Path, authority: Authority) -> AsyncIterator[None]:
    shows = Certificates(authority, SystemClock(), lambda network, name: (name,))
    made = taking.Entrances(path, handler, shows.of, SystemClock())
    made.start()
    try:
        yield
    finally:
        await made.close()


def giver(path: Path, port: int) -> giving.Entrances:
    fabric: Any = Routers()
    return giving.Entrances(fabric, port, path)


@on_uvloop
async def test_it_is_served_by_whoever_has_taken_it(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(giving, "METADATA", "127.0.0.1")
        patched.setattr(giving, "AGAIN", 0.01)
        path, port, tls = tmp_path / "s", free_port(), free_port()
        patched.setattr(giving, "HTTPS", tls)
        authority = Authority(tmp_path / "authority")
        trusting = ssl.create_default_context(cadata=authority.pem)
        node = giver(path, port)
        await node.open("vpc-1", tmp_path)
        await node.open("vpc-1", tmp_path)
        async with taker(path, authority):
            await becomes(port, "vpc-1 127.0.0.1")
            await becomes(tls, "vpc-1 by TLS 127.0.0.1", trusting)
            assert path.stat().st_mode & 0o777 == 0o600
        async with taker(path, authority):  # the control plane is there again
            await becomes(port, "vpc-1")
            again = giver(path, port)  # the agent was killed, and is there again
            await again.open("vpc-1", tmp_path)
            await node.close_all()
            await becomes(port, "vpc-1")
            await again.close("vpc-1")
            await becomes(port, "")
            await becomes(tls, "", trusting)
            with socket.socket(socket.AF_UNIX) as nobody:  # who brings nothing
                nobody.connect(str(path))
                nobody.send(b"vpc-2")
            await again.open("vpc-1", tmp_path)
            await becomes(port, "vpc-1")
        await again.close_all()
