"""The client's end of a WebSocket, to servers that speak it and servers that do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from hatoba.gateway.http import Request, Response, SocketClosed, SocketLimits, WebSocket, switch
from hatoba.gateway.http.client import Unanswered
from hatoba.gateway.http.dial import dial
from tests.unit.gateway.wire import on_uvloop, serving

NONCE = bytes(range(16))


async def parrot(socket: WebSocket) -> None:
    while True:
        await socket.send(await socket.receive())


@asynccontextmanager
async def raw(answer: bytes, *, hold: bool = False) -> AsyncIterator[int]:
    """A server that says this to whatever it is asked."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if not hold:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@on_uvloop
async def test_messages_there_and_back_and_the_end() -> None:
    async def handler(request: Request) -> Response:
        assert request.target == "/talk?a=b"
        return switch(request, parrot)

    async with serving(handler) as (server, port):
        socket = await dial(f"ws://127.0.0.1:{port}/talk?a=b", nonce=NONCE, patience=5)
        big = bytes(range(256)) * 1000
        for message in ("text", b"bytes", "", big):
            await socket.send(message)
            assert await socket.receive() == message
        await socket.close(3000, "enough")
        with pytest.raises(SocketClosed):
            await socket.receive()
        assert server.sockets.closed == {"other": 1}


@on_uvloop
async def test_what_follows_the_answer_at_once_is_heard() -> None:
    async def greet(socket: WebSocket) -> None:
        await socket.send("hello")
        await socket.close(1000, "bye")

    async def handler(request: Request) -> Response:
        return switch(request, greet)

    async with serving(handler) as (_, port):
        socket = await dial(f"ws://127.0.0.1:{port}/", nonce=NONCE, patience=5)
        assert await socket.receive() == "hello"
        with pytest.raises(SocketClosed) as closed:
            await socket.receive()
        assert (closed.value.code, closed.value.reason) == (1000, "bye")


@on_uvloop
async def test_a_refusal_is_told_in_the_servers_words() -> None:
    async def handler(request: Request) -> Response:
        return Response(status=403, body=b"You did not start this.\n")

    async with serving(handler) as (_, port):
        with pytest.raises(Unanswered, match="403: You did not start this"):
            await dial(f"ws://127.0.0.1:{port}/", nonce=NONCE, patience=5)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "hung up"),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
            "not speak WebSocket",
        ),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000, "too long"),
    ],
)
def test_what_is_no_websocket_server(answer: bytes, said: str) -> None:
    @on_uvloop
    async def run() -> None:
        async with raw(answer) as port:
            with pytest.raises(Unanswered, match=said):
                await dial(f"ws://127.0.0.1:{port}/", nonce=NONCE, patience=5)

    run()


@on_uvloop
async def test_nobody_there_and_nobody_who_answers() -> None:
    with pytest.raises(Unanswered):
        await dial("ws://127.0.0.1:1/", nonce=NONCE, patience=5)
    async with raw(b"", hold=True) as port:
        with pytest.raises(Unanswered, match="in time"):
            await dial(f"ws://127.0.0.1:{port}/", nonce=NONCE, patience=0.1)


@on_uvloop
async def test_a_server_that_sends_what_nobody_receives_is_held_back() -> None:
    sent = 0

    async def pour(socket: WebSocket) -> None:
        nonlocal sent
        while sent < 2000:
            await socket.send(bytes(32 * 1024))
            sent += 1

    async def handler(request: Request) -> Response:
        return switch(request, pour)

    quiet: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(0.05)  # noqa: E731
    async with serving(handler) as (_, port):
        limits = SocketLimits(queue_bytes=64 * 1024)
        socket = await dial(f"ws://127.0.0.1:{port}/", nonce=NONCE, patience=5, limits=limits)
        before = -1
        while before != sent:
            before = sent
            await quiet()
        assert sent < 1000
        for _ in range(2000):
            assert len(await socket.receive()) == 32 * 1024
