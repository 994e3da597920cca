"""A client that speaks bytes: what a well-meaning library would never send."""

from __future__ import annotations

import asyncio
import functools
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

import uvloop

from hatoba.gateway.http import Handler, Limits, Request, Response, Server

T = TypeVar("T")


def on_uvloop(test: Callable[..., Awaitable[T]]) -> Callable[..., T]:
    """The loop that is used in earnest. No test takes longer than ten seconds."""

    @functools.wraps(test)
    def run(*args: object, **kwargs: object) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(10):
                return await test(*args, **kwargs)

        result: T = uvloop.run(bounded())
        return result

    return run


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def end(self) -> None:
        """No more input: the other direction stays open."""
        self.writer.write_eof()

    def reset(self) -> None:
        """Gone at once, without a word."""
        wire = self.writer.get_extra_info("socket")
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def answer(self, *, head_only: bool = False) -> Answer:
        status, headers = await self.head()
        if head_only or status in (100, 204, 304):
            return Answer(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await self.reader.readline(), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            assert await self.reader.readline() == b"\r\n"
            return Answer(status, headers, body)
        if "content-length" in headers:
            return Answer(status, headers, await self.reader.readexactly(int(headers["content-length"])))
        return Answer(status, headers, await self.reader.read())

    async def head(self) -> tuple[int, dict[str, str]]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), headers

    async def closed(self) -> bool:
        """Waits for the server's end, and says whether nothing else came before it."""
        return await self.reader.read() == b""


@asynccontextmanager
async def serving(handler: Handler, limits: Limits | None = None) -> AsyncIterator[tuple[Server, int]]:
    server = Server(handler, limits=limits)
    port = await server.listen("127.0.0.1", 0)
    try:
        yield server, port
    finally:
        await server.close(grace=0)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


async def echo(request: Request) -> Response:
    """Says what it was sent."""
    body = await request.body.read(1 << 20)
    return Response(headers={"content-type": "text/plain"}, body=f"{request.method} {request.target} ".encode() + body)


def get(target: str = "/", *headers: str) -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"GET {target} HTTP/1.1\r\nhost: here\r\n{lines}\r\n".encode()


def post(body: bytes, *headers: str, length: int | None = None) -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    said = len(body) if length is None else length
    return f"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: {said}\r\n{lines}\r\n".encode() + body
