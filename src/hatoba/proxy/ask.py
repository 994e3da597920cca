"""One question to one target: connect, ask, read the status. The smallest HTTP client that does it properly.

The socket comes from outside, since it must be made inside the VPC's network namespace, and is bound to the balancer's
address, so that the target's security rules see the balancer. The answer is read to its end, within bounds, so that
the application never meets a reset connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable

from hatoba.core.errors import PortError
from hatoba.proxy import http2
from hatoba.proxy.base import HealthCheck
from hatoba.proxy.health import Answered, Failed, Result, TimedOut

OpenSocket = Callable[[socket.AddressFamily], Awaitable[socket.socket]]  # TCP, in the right network namespace

_LONGEST_HEAD = 64 * 1024
_LONGEST_BODY = 64 * 1024
_BODY_PATIENCE = 0.25
_BIND_ADDRESS_NO_PORT = 24  # socket.IP_BIND_ADDRESS_NO_PORT is missing from Python 3.11
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: |\r?\n)")
_LENGTH = re.compile(rb"\r?\ncontent-length:[ \t]*([0-9]+)[ \t]*\r?\n", re.IGNORECASE)
_AGENT = "ELB-HealthChecker/2.0"  # applications look for it to keep checks out of their logs


async def open_socket(family: socket.AddressFamily) -> socket.socket:
    """In the present network namespace."""
    return socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)


@functools.cache
def unverified(speaks: str) -> ssl.SSLContext:
    """Targets' certificates are not verified: that is what such balancers promise. `speaks` is offered by ALPN."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([speaks])
    return context


async def ask(
    address: str,
    port: int,
    settings: HealthCheck,
    *,
    source: str | None,
    opener: OpenSocket,
) -> Result:
    """Asks once. Never raises for what the target or the network does."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        connection = await opener(family)
    except (OSError, PortError) as error:
        return Failed(why=str(error), ours=True)
    connected = False
    with contextlib.ExitStack() as unfinished:
        unfinished.callback(connection.close)
        try:
            async with asyncio.timeout(settings.timeout):
                connection.setblocking(False)
                _bind(connection, source)
                await asyncio.get_running_loop().sock_connect(connection, (address, port))
                connected = True
                if settings.protocol == "TCP":
                    return Answered(code=0)
                unfinished.pop_all()  # the transport's from here on
                return await _http(connection, address, port, settings)
        except TimeoutError:
            return TimedOut(connected=connected)
        except OSError as error:  # TLS's errors are among them
            return Failed(why=str(error))


def _bind(connection: socket.socket, source: str | None) -> None:
    if source is None:
        return
    with contextlib.suppress(OSError):
        # The port is chosen when connecting, by the whole pair of addresses: far more of them.
        connection.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
    connection.bind((source, 0))


async def _http(connection: socket.socket, address: str, port: int, settings: HealthCheck) -> Result:
    loop = asyncio.get_running_loop()
    host = f"[{address}]" if ipaddress.ip_address(address).version == 6 else address
    secure, old = settings.protocol == "HTTPS", settings.version == "HTTP1"
    answer: _Answer | _NewAnswer = _Answer() if old else _NewAnswer(grpc=settings.version == "GRPC")
    transport, _ = await loop.create_connection(
        lambda: answer,
        sock=connection,
        ssl=unverified("http/1.1" if old else "h2") if secure else None,
        server_hostname="" if secure else None,
    )
    try:
        transport.write(_old(settings, f"{host}:{port}") if old else _new(settings, f"{host}:{port}"))
        result = await answer.status
        # A body without end is the target's business, not a failure.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_BODY_PATIENCE):
                await answer.ended
        return result
    finally:
        transport.close()


def _old(settings: HealthCheck, host: str) -> bytes:
    return (
        f"GET {settings.path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        f"User-Agent: {_AGENT}\r\nAccept-Encoding: gzip, compressed\r\n\r\n".encode()
    )


def _new(settings: HealthCheck, host: str) -> bytes:
    """Over HTTP/2; of gRPC a call with an empty message."""
    grpc = settings.version == "GRPC"
    headers = [
        (":method", "POST" if grpc else "GET"),
        (":scheme", settings.protocol.lower()),
        (":path", settings.path),
        (":authority", host),
        ("user-agent", _AGENT),
    ]
    if grpc:
        return http2.question([*headers, ("content-type", "application/grpc"), ("te", "trailers")], bytes(5))
    return http2.question(headers)


class _NewAnswer(asyncio.Protocol):
    """Over HTTP/2; what follows the status is not waited for."""

    def __init__(self, *, grpc: bool) -> None:
        loop = asyncio.get_running_loop()
        self.status: asyncio.Future[Result] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.ended.set_result(None)
        self._talk = http2.Conversation(grpc=grpc)
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        reply = self._talk.receive(data)
        if reply and self._transport is not None:
            self._transport.write(reply)
        if self._talk.result is not None and not self.status.done():
            self.status.set_result(self._talk.result)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.status.done():
            self.status.set_result(Failed(why=str(error)) if error else self._talk.closed())


class _Answer(asyncio.Protocol):
    """Reads a status line and headers, then waits for the end of the body."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.status: asyncio.Future[Result] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self._received = b""
        self._length = -1  # of the whole answer, once known

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self.status.done():
            self._head()
        whole = len(self._received)
        if self.status.done() and (self._over() or whole > _LONGEST_HEAD + _LONGEST_BODY):
            self._end()

    def _head(self) -> None:
        head = re.search(rb"\r?\n\r?\n", self._received)
        if head is None:
            if len(self._received) > _LONGEST_HEAD:
                self.status.set_result(Failed(why="headers without end"))
            return
        matched = _STATUS.match(self._received)
        if matched is None:
            self.status.set_result(Failed(why="not HTTP"))
            return
        if 100 <= int(matched[1]) < 200 and int(matched[1]) != 101:
            self._received = self._received[head.end() :]  # an interim answer: the real one follows
            self._head()
            return
        if (length := _LENGTH.search(self._received, 0, head.end())) is not None:
            self._length = head.end() + int(length[1])
        self.status.set_result(Answered(code=int(matched[1])))

    def _over(self) -> bool:
        if self._length >= 0:
            return len(self._received) >= self._length
        return self._received.endswith(b"\r\n0\r\n\r\n")

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.status.done():
            self.status.set_result(Failed(why=str(error) if error else "connection closed without an answer"))
        self._end()
