"""Sending to servers that only listen: datagrams, or a stream that nobody answers on.

A datagram counts as delivered once the kernel has taken it; whether anybody hears it is not known, as the protocols
have it. A stream that breaks is opened again, by whoever sends the batch again.
"""

from __future__ import annotations

import asyncio
import socket

from hatoba.core.errors import PortError
from hatoba.node.logs.drivers.address import Address

CONNECT_SECONDS = 5.0
SEND_SECONDS = 30.0
UNSENT = "logs-unsent"


class Line:
    """A socket to one server, made when it is first needed. Everything raises `PortError`."""

    def __init__(self, to: Address) -> None:
        self._to = to
        self._socket: socket.socket | None = None

    async def connect(self) -> None:
        if self._socket is None:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    self._socket = await self._connected()
            except (OSError, TimeoutError) as error:
                raise self._failed(error) from error

    async def _connected(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        if self._to.kind in ("unix", "unixgram"):
            kind = socket.SOCK_DGRAM if self._to.kind == "unixgram" else socket.SOCK_STREAM
            return await _open(socket.AF_UNIX, kind, self._to.path)
        kind = socket.SOCK_DGRAM if self._to.kind == "udp" else socket.SOCK_STREAM
        found = await loop.getaddrinfo(self._to.host, self._to.port, type=kind)
        family, kind, _, _, where = found[0]
        return await _open(family, kind, where)

    async def send(self, *messages: bytes) -> None:
        """One datagram each, or one after the other on a stream."""
        await self.connect()
        assert self._socket is not None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(SEND_SECONDS):
                if self._socket.type is socket.SOCK_STREAM:
                    _check_open(self._socket)
                    await loop.sock_sendall(self._socket, b"".join(messages))
                else:
                    for message in messages:
                        await self._datagram(loop, self._socket, message)
        except (OSError, TimeoutError) as error:
            self.close()
            raise self._failed(error) from error
        except BaseException:
            self.close()  # cancelled in the middle of a message
            raise

    async def _datagram(self, loop: asyncio.AbstractEventLoop, made: socket.socket, message: bytes) -> None:
        try:
            await loop.sock_sendall(made, message)
        except ConnectionRefusedError:
            if self._to.kind != "udp":
                raise
            # Nobody listened to an earlier one: that is what UDP is like, and no reason to keep the container waiting.

    def _failed(self, error: Exception) -> PortError:
        return PortError(UNSENT, f"the log server at {self._to}: {str(error) or type(error).__name__}")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


async def _open(family: int, kind: int, where: object) -> socket.socket:
    made = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        await asyncio.get_running_loop().sock_connect(made, where)  # type: ignore[arg-type]  # getaddrinfo's own
    except BaseException:
        made.close()
        raise
    return made


def _check_open(stream: socket.socket) -> None:
    """What is written to a stream whose other end has hung up is lost without a word."""
    try:
        if stream.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"":
            raise ConnectionResetError("it has hung up")
    except BlockingIOError:
        pass
