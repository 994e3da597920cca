"""A WebSocket to another server: the client's opening, then `websocket.WebSocket` from the other end."""

from __future__ import annotations

import asyncio
import base64
from typing import cast
from urllib.parse import urlsplit

import httptools
from wsproto.connection import ConnectionType

from hatoba.gateway.http.client import Unanswered
from hatoba.gateway.http.upgrade import accept_key
from hatoba.gateway.http.websocket import SocketLimits, WebSocket

_MOST = 64 * 1024  # bytes of the server's answer


class _Dialling(asyncio.Protocol):
    """Reads the answer, then hands everything to the socket."""

    def __init__(self, key: str, limits: SocketLimits) -> None:
        self._key = key
        self._limits = limits
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body = b""
        self._heard = 0
        self._socket: WebSocket | None = None
        self.opened: asyncio.Future[WebSocket] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._socket is not None:
            self._socket.feed(data)
            return
        self._heard += len(data)
        try:
            self._parser.feed_data(data)
            if self._heard > _MOST:
                self._fail("The answer is too long.")
        except httptools.HttpParserUpgrade as upgrade:
            self._switch(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._fail(f"The answer is not HTTP: {error}.")

    def _switch(self, rest: bytes) -> None:
        if self._headers.get("sec-websocket-accept") != accept_key(self._key):
            self._fail("The server does not speak WebSocket.")
            return
        self._socket = WebSocket(self._transport, ConnectionType.CLIENT, self._limits)
        self.opened.set_result(self._socket)
        self._socket.feed(rest)

    def _fail(self, why: str) -> None:
        if not self.opened.done():
            self.opened.set_exception(Unanswered(why))
        self._transport.abort()

    # --- the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status != 101:
            self._fail(f"The server answered {status}: {self._body.decode(errors='replace').strip()}")

    # --- the transport

    def connection_lost(self, error: Exception | None) -> None:
        if self._socket is not None:
            self._socket.lost()
        elif not self.opened.done():
            self.opened.set_exception(Unanswered("The server hung up."))

    def pause_writing(self) -> None:
        if self._socket is not None:
            self._socket.pause()

    def resume_writing(self) -> None:
        if self._socket is not None:
            self._socket.resume()


async def dial(url: str, *, nonce: bytes, patience: float, limits: SocketLimits | None = None) -> WebSocket:
    """Opens `ws://host:port/path?query`. `nonce`: 16 bytes by chance. Raises `Unanswered`."""
    where = urlsplit(url)
    key = base64.b64encode(nonce).decode()
    lines = (
        f"GET {where.path}?{where.query} HTTP/1.1",
        f"host: {where.netloc}",
        "connection: Upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        f"sec-websocket-key: {key}",
    )
    try:
        async with asyncio.timeout(patience):
            loop = asyncio.get_running_loop()
            made = loop.create_connection(
                lambda: _Dialling(key, limits or SocketLimits()), where.hostname or "", where.port or 80
            )
            transport, dialling = await made
            transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            return await dialling.opened
    except (OSError, TimeoutError) as error:
        raise Unanswered(str(error) or f"{where.netloc} did not answer in time.") from error
