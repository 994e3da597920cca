"""A name server of ours on loopback, and one more of ours that stands for the host's resolver."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import dns.asyncquery
import dns.message
from dns.message import Message

from hatoba.core.clock import SystemClock
from hatoba.dns.base import Entry, Question, Upstream
from hatoba.dns.desk import Desk
from hatoba.dns.forward import Forwarder
from hatoba.dns.forward import Limits as ForwardLimits
from hatoba.dns.forward import Server as Address
from hatoba.dns.server import Limits, Server
from hatoba.dns.zone import Zone
from tools.waiting import PATIENCE


def bound_pair() -> tuple[socket.socket, socket.socket, int]:
    """A UDP and a TCP socket on one free port of loopback."""
    for _ in range(50):
        stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        stream.bind(("127.0.0.1", 0))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        port: int = stream.getsockname()[1]
        try:
            datagrams.bind(("127.0.0.1", port))
        except OSError:
            stream.close()
            datagrams.close()
            continue
        for each in (stream, datagrams):
            each.setblocking(False)
        return datagrams, stream, port
    raise AssertionError("no port is free for both transports")


class Nobody:
    """An upstream that is not there."""

    def known(self, question: Question) -> Message | None:
        return None

    async def ask(self, question: Question) -> Message | None:
        return None


class NameServer:
    def __init__(self, server: Server, desk: Desk, port: int) -> None:
        self.server = server
        self.desk = desk
        self.port = port

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", self.port)

    async def udp(self, query: Message) -> Message:
        return await dns.asyncquery.udp(query, "127.0.0.1", PATIENCE, self.port, ignore_trailing=True)

    async def tcp(self, query: Message) -> Message:
        return await dns.asyncquery.tcp(query, "127.0.0.1", PATIENCE, self.port)

    async def addresses(self, name: str, kind: str = "A") -> list[str]:
        response, _ = await dns.asyncquery.udp_with_fallback(
            dns.message.make_query(name, kind), "127.0.0.1", PATIENCE, self.port
        )
        return [record.to_text() for records in response.answer for record in records]


@asynccontextmanager
async def name_server(
    entries: Mapping[str, Entry],
    origins: tuple[str, ...] = (),
    upstream: Upstream | None = None,
    limits: Limits | None = None,
) -> AsyncIterator[NameServer]:
    desk = Desk(Zone.of(entries, origins).find, upstream or Nobody())
    server = Server(desk, SystemClock(), limits)
    datagrams, stream, port = bound_pair()
    await server.serve(datagrams)
    await server.serve(stream)
    try:
        yield NameServer(server, desk, port)
    finally:
        await server.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def forwarder(*servers: Address, limits: ForwardLimits | None = None) -> AsyncIterator[Forwarder]:
    made = Forwarder(lambda: servers, SystemClock(), limits)
    try:
        yield made
    finally:
        await made.close()
