"""One question to one target, over loopback sockets: what counts as which result."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from hatoba.proxy.ask import OpenSocket, ask, open_socket
from hatoba.proxy.base import HealthCheck
from hatoba.proxy.health import Answered, Failed, Result, TimedOut

CHECK = HealthCheck(path="/health?deep=1", timeout=0.3)


class Target:
    """Answers every connection with the same bytes, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked = ""
        self.reset = False
        self._server: asyncio.Server | None = None

    async def says(self, answer: bytes, *, close: bool = True, pieces: int = 1 << 20) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                self.asked = (await reader.readuntil(b"\r\n\r\n")).decode()
                for start in range(0, len(answer), pieces):
                    writer.write(answer[start : start + pieces])
                    await writer.drain()
                if not close:
                    await reader.read()
            except ConnectionError:
                self.reset = True
            finally:
                writer.close()

        self._server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def end(self) -> None:
        if self._server is not None:
            self._server.close()


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    target = Target()
    yield target
    target.end()


async def asked(port: int, settings: HealthCheck = CHECK, source: str | None = None) -> Result:
    return await ask("127.0.0.1", port, settings, source=source, opener=open_socket)


async def test_the_question_is_what_such_balancers_ask(target: Target) -> None:
    port = await target.says(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    assert await asked(port) == Answered(code=200)
    lines = target.asked.split("\r\n")
    assert lines[:3] == ["GET /health?deep=1 HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close"]
    assert "User-Agent: ELB-HealthChecker/2.0" in lines


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.0 200 OK\r\n\r\nbody until the end", 200),
        (b"HTTP/1.1 503 \r\nContent-Length: 0\r\n\r\n", 503),
        (b"HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", 200),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n", 302),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200),
        (b"HTTP/1.1 200 OK\n\nbare newlines", 200),
    ],
)
@pytest.mark.parametrize("pieces", [1, 7, 1 << 20])
async def test_answers_in_any_shape_and_any_pieces(target: Target, answer: bytes, code: int, pieces: int) -> None:
    port = await target.says(answer, pieces=pieces)
    assert await asked(port) == Answered(code=code)


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-OpenSSH\r\n\r\n", b"", b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: y"]
)
async def test_nonsense_is_a_failure(target: Target, answer: bytes) -> None:
    assert isinstance(await asked(await target.says(answer)), Failed)


async def test_headers_without_end_are_a_failure_and_are_not_kept(target: Target) -> None:
    port = await target.says(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000, close=False)
    assert isinstance(await asked(port), Failed)


async def test_silence_is_a_timeout(target: Target) -> None:
    port = await target.says(b"HTTP/1.1 200 OK\r\n", close=False)
    assert await asked(port) == TimedOut()


async def test_a_body_without_end_does_not_spoil_a_good_answer(target: Target) -> None:
    port = await target.says(b"HTTP/1.1 200 OK\r\n\r\nstream", close=False)
    patient = HealthCheck(timeout=5.0)
    assert await asked(port, patient) == Answered(code=200)


async def test_a_long_body_is_read_so_that_the_target_sees_no_reset(target: Target) -> None:
    port = await target.says(b"HTTP/1.1 200 OK\r\ncontent-length: 50000\r\n\r\n" + b"x" * 50_000, pieces=1000)
    assert await asked(port) == Answered(code=200)
    assert not target.reset


async def test_nobody_there_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert isinstance(await asked(port), Failed)


async def test_a_connection_is_all_that_tcp_asks(target: Target) -> None:
    assert await asked(await target.says(b"", close=False), HealthCheck(protocol="TCP")) == Answered(code=0)


async def test_the_question_comes_from_the_given_address(target: Target) -> None:
    seen: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("peername")[0])
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await asked(port, source="127.0.0.77")
    server.close()
    assert seen == ["127.0.0.77"]


async def test_an_address_that_is_not_there_yet_is_a_failure(target: Target) -> None:
    port = await target.says(b"HTTP/1.1 200 OK\r\n\r\n")
    assert isinstance(await asked(port, source="192.0.2.1"), Failed)


async def test_a_socket_that_cannot_be_had_is_a_failure() -> None:
    async def opener(family: socket.AddressFamily) -> socket.socket:
        raise OSError("no such namespace")

    used: OpenSocket = opener
    assert await ask("127.0.0.1", 1, CHECK, source=None, opener=used) == Failed(why="no such namespace", ours=True)
