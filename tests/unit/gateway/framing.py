"""A WebSocket client for tests: frames put together by hand, from RFC 6455.

So the server is not checked against its own library.
"""

from __future__ import annotations

import os
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from hatoba.gateway.http import Request, Response, Server, SocketLimits, WebSocket, switch
from tests.unit.gateway.wire import Wire, connected, get, serving

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # the RFC's own example, whose answer it prints
HEAD = (
    "connection: keep-alive, Upgrade",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    f"sec-websocket-key: {KEY}",
)
TEXT, BYTES, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(kind: int, payload: bytes = b"", *, last: bool = True, masked: bool = True, bits: int = 0) -> bytes:
    """One frame as a client sends it."""
    size = len(payload)
    if size < 126:
        length = bytes([size | masked << 7])
    elif size < 1 << 16:
        length = bytes([126 | masked << 7]) + struct.pack(">H", size)
    else:
        length = bytes([127 | masked << 7]) + struct.pack(">Q", size)
    head = bytes([last << 7 | bits << 4 | kind]) + length
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def closing(code: int, reason: str = "") -> bytes:
    return frame(CLOSE, struct.pack(">H", code) + reason.encode())


async def heard(wire: Wire) -> tuple[int, bytes]:
    """The next frame of the server's: kind and payload."""
    first, second = await wire.reader.readexactly(2)
    assert second < 128, "a server masks nothing"
    size = second
    if size == 126:
        (size,) = struct.unpack(">H", await wire.reader.readexactly(2))
    elif size == 127:
        (size,) = struct.unpack(">Q", await wire.reader.readexactly(8))
    assert first & 0x80, "whole messages"
    return first & 0x0F, await wire.reader.readexactly(size)


async def refused_with(wire: Wire) -> int:
    """The code of the server's close, after which it hangs up."""
    kind, payload = await heard(wire)
    assert kind == CLOSE
    assert await wire.reader.read() == b""
    return int(struct.unpack(">H", payload[:2])[0])


Talk = Callable[[WebSocket], Awaitable[None]]


async def parrot(socket: WebSocket) -> None:
    while True:
        await socket.send(await socket.receive())


@asynccontextmanager
async def talking(talk: Talk = parrot, limits: SocketLimits | None = None) -> AsyncIterator[tuple[Wire, Server]]:
    async def handler(request: Request) -> Response:
        return switch(request, talk, limits=limits)

    async with serving(handler) as (server, port), connected(port) as wire:
        wire.send(get("/", *HEAD))
        assert (await wire.answer(head_only=True)).status == 101
        yield wire, server
