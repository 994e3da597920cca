"""Listening on addresses, and draining: new connections are refused, answers under way are finished."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterator

import msgspec

from hatoba.core.clock import Clock, SystemClock
from hatoba.gateway.http.connection import Connection
from hatoba.gateway.http.messages import Handler
from hatoba.gateway.http.ports import refused
from hatoba.gateway.http.reached import Arrival
from hatoba.gateway.http.sending import Date
from hatoba.gateway.http.websocket import SocketCounts

log = logging.getLogger(__name__)

BACKLOG = 1024


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection may take of us."""

    head_bytes: int = 64 * 1024
    idle_seconds: float = 90.0  # between two requests
    head_seconds: float = 20.0  # for a whole head
    body_seconds: float = 60.0  # without any further piece of the body
    write_seconds: float = 60.0  # without taking anything of the answer


class Server:
    """One handler, any number of addresses."""

    def __init__(
        self, handler: Handler, *, limits: Limits | None = None, clock: Clock | None = None, translated: bool = False
    ) -> None:
        """`translated`: what comes was for other addresses, which requests tell (`Request.meant`)."""
        self.handler = handler
        self.translated = translated
        self.limits = limits or Limits()
        self.date = Date(clock or SystemClock())
        self.connections: set[Connection] = set()
        self.draining = False
        self.sockets = SocketCounts()
        self.failures = 0  # answers that ended in an exception; each is in the log
        self._listeners: list[asyncio.Server] = []
        self._empty: asyncio.Future[None] | None = None

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """The port listened on (a free one for port 0). Raises `Refused` with the reason and the remedy."""
        loop = asyncio.get_running_loop()
        patience = self.limits.head_seconds if tls is not None else None
        try:
            listener = await loop.create_server(
                lambda: Connection(self), host, port, backlog=BACKLOG, ssl=tls, ssl_handshake_timeout=patience
            )
        except OSError as error:
            raise refused(host, port, error) from error
        self._listeners.append(listener)
        bound: int = listener.sockets[0].getsockname()[1]
        return bound

    async def serve(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Serves on a socket that is bound already, such as one in another network namespace."""
        loop = asyncio.get_running_loop()
        patience = self.limits.head_seconds if tls is not None else None
        made = await loop.create_server(
            lambda: Connection(self), sock=listener, backlog=BACKLOG, ssl=tls, ssl_handshake_timeout=patience
        )
        self._listeners.append(made)

    async def take(self, wire: socket.socket, arrival: Arrival, tls: ssl.SSLContext | None = None) -> None:
        """Serves a connection that somebody else has accepted, and says where it is from. Raises `OSError` when it does
        not come to speak TLS, where it should."""
        patience = self.limits.head_seconds if tls is not None else None
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: Connection(self, arrival), wire, ssl=tls, ssl_handshake_timeout=patience
        )

    async def close(self, grace: float = 10.0) -> None:
        """Refuses what is new, lets what is being answered finish for `grace` seconds, then cuts it off."""
        self.draining = True
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for connection in tuple(self.connections):
            connection.drain()
        await self._left_within(grace)
        for connection in tuple(self.connections):
            log.warning("cutting off a connection that did not finish within %s seconds", grace)
            connection.abort()
        await self._left_within(1.0)

    async def _left_within(self, seconds: float) -> None:
        if self.connections:
            self._empty = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(seconds):
                    await self._empty
            except TimeoutError:
                return

    def collect(self) -> Iterator[str]:
        """Metrics, as Prometheus text."""
        yield "# HELP hatoba_http_connections Open connections."
        yield "# TYPE hatoba_http_connections gauge"
        yield f"hatoba_http_connections {len(self.connections)}"
        yield "# HELP hatoba_http_failures_total Answers that ended in an exception; each is in the log."
        yield "# TYPE hatoba_http_failures_total counter"
        yield f"hatoba_http_failures_total {self.failures}"
        yield from self._collect_sockets()

    def _collect_sockets(self) -> Iterator[str]:
        sockets = self.sockets
        yield "# HELP hatoba_websockets Open WebSockets."
        yield "# TYPE hatoba_websockets gauge"
        yield f"hatoba_websockets {sockets.open}"
        yield "# HELP hatoba_websockets_total WebSockets opened."
        yield "# TYPE hatoba_websockets_total counter"
        yield f"hatoba_websockets_total {sockets.opened}"
        yield "# HELP hatoba_websocket_closes_total WebSockets closed, by code (1006: the line broke)."
        yield "# TYPE hatoba_websocket_closes_total counter"
        for code, count in sorted(sockets.closed.items()):
            yield f'hatoba_websocket_closes_total{{code="{code}"}} {count}'
        for name, counted in (("messages", sockets.messages), ("bytes", sockets.bytes)):
            yield f"# HELP hatoba_websocket_{name}_total {name.capitalize()} on WebSockets, by direction."
            yield f"# TYPE hatoba_websocket_{name}_total counter"
            for direction, count in counted.items():
                yield f'hatoba_websocket_{name}_total{{direction="{direction}"}} {count}'

    def left(self, connection: Connection) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        if not self.connections and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)
