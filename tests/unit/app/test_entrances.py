"""Listeners that one process opens and another serves: handed over, let go of, handed over again. And what a node on
another machine accepts itself and brings."""

from __future__ import annotations

import asyncio
import contextlib
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
from tests.unit.fleet.connected import Control, Node, fleet, put_interface, until
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
    return giving.Entrances(fabric, port, giving.HandedOver(path))


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


@on_uvloop
async def test_what_is_being_answered_outlives_the_agent_but_not_the_control_plane(tmp_path: Path) -> None:
    """A long answer needs the agent no more."""
    began, go_on = asyncio.Event(), asyncio.Event()

    def slowly(network: str) -> Handler:
        async def answer(request: Request) -> Response:
            began.set()
            await go_on.wait()
            return Response(body=b"at last")

        return answer

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(giving, "METADATA", "127.0.0.1")
        patched.setattr(giving, "AGAIN", 0.01)
        path, port = tmp_path / "s", free_port()
        patched.setattr(giving, "HTTPS", free_port())
        shows = Certificates(Authority(tmp_path / "authority"), SystemClock(), lambda network, name: (name,))
        patched.setattr(taking, "ENDING", 0.0)
        made = taking.Entrances(path, slowly, shows.of, SystemClock())
        made.start()
        for leaves, expected in ((True, "at last"), (False, "")):
            began.clear()
            go_on.clear()
            node = giver(path, port)
            await node.open("vpc-1", tmp_path)
            asking = asyncio.create_task(_until_answered(port))
            async with asyncio.timeout(10):
                await began.wait()
            if leaves:
                await node.close_all()
                await becomes(port, "")
                go_on.set()
            else:
                await made.close()
            assert await asking == expected
            await node.close_all()
        await made.close()


async def _until_answered(port: int) -> str:
    answer = ""
    async with asyncio.timeout(10):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            except OSError:
                await asyncio.sleep(0.01)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            answer = (await reader.read()).partition(b"\r\n\r\n")[2].decode()
        writer.close()
    return answer


# --- of another machine


async def answered_after_it_said_all(port: int) -> str:
    """A client that sends no more once it has asked."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n\r\n")[2].decode()


def place(control: Control, node: Node) -> None:
    """A task of vpc-1 on the node, with the address that everybody has here."""
    put_interface(control, "eni-1", "vpc-1", "127.0.0.1")
    control.want("t1", node.id, network="vpc-1", interface="eni-1")


@on_uvloop
async def test_what_another_machine_accepts_is_brought_and_served_as_from_its_client(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(giving, "METADATA", "127.0.0.1")
        patched.setattr(giving, "meant", lambda wire: "10.0.1.8")
        port, tls = free_port(), free_port()
        patched.setattr(giving, "HTTPS", tls)
        async with fleet(tmp_path, 1) as (control, (node,)):
            fabric: Any = Routers()
            opened = giving.Entrances(fabric, port, giving.Brought(node.session.dial))
            await opened.open("vpc-1", tmp_path)
            place(control, node)
            assert await asked(port) == "", "nobody is let in, as with --auth off"
            shows = Certificates(control.authority, SystemClock(), lambda network, name: (name,))
            served = taking.Entrances(tmp_path / "s", handler, shows.of, SystemClock())
            control.sessions.let_in(served.enter)
            trusting = ssl.create_default_context(cadata=control.authority.pem)
            for _ in range(2):
                assert await asked(port) == "vpc-1 127.0.0.1 10.0.1.8"
                assert await asked(tls, trusting) == "vpc-1 by TLS 127.0.0.1 10.0.1.8"
            assert await answered_after_it_said_all(port) == "vpc-1 127.0.0.1 10.0.1.8"
            assert await asked(tls) == "", "who does not speak TLS there"
            await until(lambda: not served._brought)
            # Who says nothing holds nobody up, and goes with the control plane.
            reader, silent = await asyncio.open_connection("127.0.0.1", port)
            await until(lambda: served._brought)
            assert await asked(port) == "vpc-1 127.0.0.1 10.0.1.8"
            with pytest.MonkeyPatch.context() as few:
                few.setattr(giving, "MOST", 1)
                assert await asked(port) == "", "it has as many as it may"
            await served.close()
            assert await reader.read() == b""
            silent.close()
            await control.sessions.close()
            assert await asked(port) == ""
            await opened.close_all()
