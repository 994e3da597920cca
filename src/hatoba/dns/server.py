"""The name server's sockets: UDP and TCP, handed in and bound already, such as those in another network namespace.

Nobody may ask more than a share: messages a second, questions that wait for upstream, and connections are bounded for
each source address. What is too much is not answered, as the clients of UDP expect; they ask again.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import msgspec

from hatoba.core.clock import Clock
from hatoba.core.tasks import TaskGroup
from hatoba.dns.desk import Desk
from hatoba.dns.replies import LONGEST_QUERY, Query

log = logging.getLogger(__name__)

Address = tuple[str, int]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """For each source address; `idle` is seconds."""

    messages: int = 1024  # a second: what the VPC guide's "DNS quotas" grants an interface
    waiting: int = 32  # for upstream
    connections: int = 16
    idle: float = 10.0  # of a connection


class Counts(msgspec.Struct, kw_only=True):
    """Since the start."""

    messages: int = 0
    forwarded: int = 0
    dropped: int = 0  # over a limit


class Server:
    def __init__(self, desk: Desk, clock: Clock, limits: Limits | None = None) -> None:
        self.counts = Counts()
        self._desk = desk
        self._clock = clock
        self._limits = limits or Limits()
        self._second = 0
        self._messages: Counter[str] = Counter()  # in this second
        self._waiting: Counter[str] = Counter()
        self._connections: Counter[str] = Counter()
        self._transports: list[asyncio.DatagramTransport] = []
        self._listeners: list[asyncio.Server] = []
        self._tasks = TaskGroup("names")

    async def serve(self, bound: socket.socket) -> None:
        """Serves on it from now on; the socket is the server's then, and is closed with it."""
        if bound.type == socket.SOCK_DGRAM:
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=bound)
            self._transports.append(transport)
        else:
            self._listeners.append(await asyncio.start_server(self._connected, sock=bound, limit=LONGEST_QUERY))

    async def close(self) -> None:
        for transport in self._transports:
            transport.close()
        for listener in self._listeners:
            listener.close()
        self._transports.clear()
        self._listeners.clear()
        await self._tasks.close()

    # --- shares

    def _admitted(self, source: str) -> bool:
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second = second
            self._messages.clear()
        self._messages[source] += 1
        self.counts.messages += 1
        if self._messages[source] <= self._limits.messages:
            return True
        self.counts.dropped += 1
        return False

    @contextmanager
    def _share(self, taken: Counter[str], source: str, limit: int) -> Iterator[bool]:
        """Takes one of a source's share; False when it has none left."""
        free = taken[source] < limit
        taken[source] += 1
        if not free:
            self.counts.dropped += 1
        try:
            yield free
        finally:
            taken[source] -= 1
            if not taken[source]:
                del taken[source]

    async def _relayed(self, query: Query, source: str) -> bytes | None:
        with self._share(self._waiting, source, self._limits.waiting) as free:
            if not free:
                return None
            self.counts.forwarded += 1
            return await self._desk.relayed(query)

    # --- UDP

    def datagram(self, wire: bytes, source: Address, reply: _Datagrams) -> None:
        if not self._admitted(source[0]):
            return
        answer = self._desk.answer(wire, stream=False)
        if isinstance(answer, bytes):
            reply.send(answer, source)
        elif answer is None:
            return
        elif self._waiting[source[0]] < self._limits.waiting:
            self._tasks.start(self._later(answer, source, reply), "datagram")
        else:
            self.counts.dropped += 1

    async def _later(self, query: Query, source: Address, reply: _Datagrams) -> None:
        answer = await self._relayed(query, source[0])
        if answer is not None:
            reply.send(answer, source)

    # --- TCP

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.start(self._converse(reader, writer), "connection")

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One question after the other: who wants several answers at a time opens several connections."""
        peer = writer.get_extra_info("peername")
        source = peer[0] if peer else ""
        try:
            with self._share(self._connections, source, self._limits.connections) as free:
                while free and await self._exchange(reader, writer, source):
                    pass
        except (asyncio.IncompleteReadError, OSError, TimeoutError):
            pass  # the client has gone, or has nothing more to ask
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, source: str) -> bool:
        async with asyncio.timeout(self._limits.idle):
            length = int.from_bytes(await reader.readexactly(2), "big")
            wire = await reader.readexactly(min(length, LONGEST_QUERY + 1))
        if not self._admitted(source):
            return False
        answer = self._desk.answer(wire, stream=True)
        if isinstance(answer, Query):
            answer = await self._relayed(answer, source)
        if answer is None:
            return False
        writer.write(len(answer).to_bytes(2, "big") + answer)
        async with asyncio.timeout(self._limits.idle):
            await writer.drain()
        return length <= LONGEST_QUERY


class _Datagrams(asyncio.DatagramProtocol):
    """One UDP socket."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None
        self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # by what it can do: it need not be a subclass

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None

    def datagram_received(self, wire: bytes, source: Address) -> None:
        self._server.datagram(wire, source, self)

    def error_received(self, error: Exception) -> None:
        log.debug("a client has gone: %s", error)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False

    def send(self, wire: bytes, source: Address) -> None:
        if self._transport is not None and not self._full:
            self._transport.sendto(wire, source)
