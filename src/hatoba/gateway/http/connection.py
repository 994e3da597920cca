"""One client's connection: bytes in, requests to the handler one after the other, answers out in the same order.

Requests that were pipelined wait in `_requests`; a task exists only while one is being answered, so that thousands of
idle connections cost little. What the client owes us has a deadline:

    idle    the next request           closed silently
    head    the rest of a head         408, closed
    body    more of a body             the body fails, and whoever reads it answers
    close   to take the last answer    cut off

The deadline is one lazily moved timer per connection: it costs nothing per request.

A connection whose client offers to talk WebSocket is not read on until that request is answered: what follows is
either frames (after a 101; `websocket` has the rest of its life) or the next request.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from typing import TYPE_CHECKING, Literal, cast

import httptools
from wsproto.connection import ConnectionType

from hatoba.gateway.http import head, upgrade
from hatoba.gateway.http.body import Body, BodyCut, BodyTooLarge
from hatoba.gateway.http.deadline import Deadline
from hatoba.gateway.http.messages import Request, Response, Switch
from hatoba.gateway.http.reached import Arrival, arrival
from hatoba.gateway.http.sending import Gone, Sender, plain
from hatoba.gateway.http.websocket import FAILED, SocketClosed, WebSocket

if TYPE_CHECKING:
    from hatoba.gateway.http.server import Server

log = logging.getLogger(__name__)

Owes = Literal["idle", "head", "body", "close"]

PIPELINED = 32  # requests that may wait before the socket is not read any more
LINGER = 2.0  # seconds in which a client may still send what nobody wants, so that it can read the answer
_ONCE = frozenset(("host", "content-length", "content-type", "authorization", "x-amz-date", "x-amz-target"))


class _Bad(Exception):
    """What the parser let through and we do not."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _keep_alive(wire: socket.socket) -> None:
    """A client that is gone without a word is found out within a minute or two, even if nothing is sent to it."""
    if wire.family == socket.AF_UNIX:
        return
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)


class Connection(asyncio.Protocol):
    def __init__(self, server: Server, brought: Arrival | None = None) -> None:
        """`brought`: where it is from, if others have accepted it."""
        self._server = server
        self._brought = brought
        self._limits = server.limits
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._requests: deque[tuple[Request, bool]] = deque()  # with: may the connection stay open after it?
        self._task: asyncio.Task[None] | None = None
        self._body: Body | None = None  # of the request whose bytes are coming in
        self._in_head = False
        self._last_answer: Response | None = None  # to something malformed, after all that came before it
        self._deaf = False  # nothing that still comes is wanted
        self._eof = False
        self._held: bytes | None = None  # what followed an offer to talk WebSocket that is not answered yet
        self._socket: WebSocket | None = None  # what this connection has become
        self._pauses = 0  # reasons not to read the socket
        self._deadline: Deadline[Owes] = Deadline(self._loop, self._overdue)

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        _keep_alive(transport.get_extra_info("socket"))
        self._from = self._brought or arrival(transport, translated=self._server.translated)
        self._secure = transport.get_extra_info("ssl_object") is not None
        self._sender = Sender(self._transport, self._limits.write_seconds, self._server.date.line)
        self._server.connections.add(self)
        self._deadline.set("idle", self._limits.idle_seconds)

    def data_received(self, data: bytes) -> None:
        if self._socket is not None:
            self._socket.feed(data)
            return
        if self._held is not None:
            self._held += data
            return
        if self._deaf:
            return
        try:
            self._feed(data)
            if self._in_head:
                # The parser keeps an unfinished header to itself: what went in is counted here.
                self._head_fed += len(data)
                self._bound(self._head_fed)
        except (httptools.HttpParserError, _Bad) as error:
            self._malformed(error)
        if self._task is None and (self._requests or self._last_answer is not None):
            self._begin()
        if self._body is not None and not self._pauses and not self._body.expects:
            self._deadline.set("body", self._limits.body_seconds)
        elif self._in_head and self._task is None and self._deadline.kind != "head":
            self._deadline.set("head", self._limits.head_seconds)

    def eof_received(self) -> bool:
        """The client sends no more, but may still read what it has asked for; unless that is a stream, which may be
        endless: then it is taken to have gone."""
        if self._socket is not None:
            return False
        self._eof = True
        if self._body is not None:
            self._body.fail(BodyCut("The request's body ended before its declared length."))
        return self._task is not None and not self._sender.streaming and not self._secure  # TLS ends in both directions

    def connection_lost(self, error: Exception | None) -> None:
        self._deaf = True
        self._requests.clear()
        self._deadline.close()
        if self._body is not None:
            self._body.fail(BodyCut("The client closed the connection."))
        if self._task is not None and self._sender.streaming:
            self._task.cancel()  # it may be waiting for something to send, to nobody
        self._sender.lost()
        if self._socket is not None:
            self._socket.lost()
        self._server.left(self)

    def pause_writing(self) -> None:
        self._sender.pause()
        if self._socket is not None:
            self._socket.pause()

    def resume_writing(self) -> None:
        self._sender.resume()
        if self._socket is not None:
            self._socket.resume()

    # --- the parser

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            rest = data[offer.args[0] :]
            if upgrade.offers(self._headers):
                self._held = rest
                self.pause()
            elif rest:  # an offer to switch to anything else is left unanswered: what follows is the next request
                self._feed(rest)

    def on_message_begin(self) -> None:
        self._in_head = True
        self._target = b""
        self._headers: dict[str, str] = {}
        self._head_size = self._head_fed = 0

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_size += len(name) + len(value) + 4
        self._bound(self._head_size)
        key, text = name.decode("latin-1").lower(), head.text(value)
        if key not in self._headers:
            self._headers[key] = text
        elif key in _ONCE:
            raise _Bad(400, f"The header {key} was sent more than once.")
        else:
            self._headers[key] = f"{self._headers[key]},{text}"

    def _bound(self, size: int) -> None:
        if size > self._limits.head_bytes:
            raise _Bad(431, f"The request's head is larger than {self._limits.head_bytes} bytes.")

    def on_headers_complete(self) -> None:
        self._in_head = False
        parser, headers, from_ = self._parser, self._headers, self._from
        version = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise _Bad(505, f"HTTP/{version} is not spoken here, but HTTP/1.1.")
        http10 = version == "1.0"
        length = headers.get("content-length")
        if parser.should_upgrade() and (length not in (None, "0") or "transfer-encoding" in headers):
            raise _Bad(400, "A request with a body cannot ask to switch protocols.")
        expects = not http10 and headers.get("expect", "").lower() == "100-continue"
        self._body = Body(self, None if length is None else int(length), expects=expects)
        request = Request(
            method=parser.get_method().decode(),
            target=head.origin(self._target.decode("latin-1")),
            headers=headers,
            body=self._body,
            peer=from_.peer,
            peer_port=from_.peer_port,
            http10=http10,
            secure=self._secure,
            meant=from_.meant,
            carrier=from_.carrier,
        )
        self._requests.append((request, parser.should_keep_alive()))
        if len(self._requests) == PIPELINED:
            self.pause()

    def on_body(self, piece: bytes) -> None:
        assert self._body is not None
        self._body.feed(piece)

    def on_message_complete(self) -> None:
        assert self._body is not None
        self._body.finish()
        self._body = None
        if self._deadline.kind == "body":
            self._deadline.clear()
        if not self._parser.should_keep_alive():
            self._deaf = True

    def _malformed(self, error: httptools.HttpParserError | _Bad) -> None:
        if self._deaf:
            return  # it had said that the request before was its last
        self._deaf = True
        said = f"The request is not well-formed HTTP: {error}."
        if self._body is not None:
            self._body.fail(BodyCut(said))
            return
        bad = error if isinstance(error, _Bad) else error.__context__
        self._last_answer = plain(bad.status, str(bad)) if isinstance(bad, _Bad) else plain(400, said)

    # --- what a body asks for

    def pause(self) -> None:
        self._pauses += 1
        if self._pauses == 1 and not self._transport.is_closing():
            self._transport.pause_reading()
            self._deadline.clear()

    def resume(self) -> None:
        self._pauses -= 1
        if self._pauses == 0 and not self._transport.is_closing():
            self._transport.resume_reading()
            if self._body is not None:
                self._deadline.set("body", self._limits.body_seconds)

    def send_continue(self) -> None:
        self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._deadline.set("body", self._limits.body_seconds)

    # --- answering

    def _begin(self) -> None:
        self._deadline.clear()
        self._task = self._loop.create_task(self._serve())
        self._task.add_done_callback(self._served)

    async def _serve(self) -> None:
        while self._requests:
            request, keep = self._requests.popleft()
            if len(self._requests) == PIPELINED - 1:
                self.resume()
            if not await self._answer(request, keep):
                return
        if self._last_answer is not None:
            await self._send(self._last_answer, keep=False)
            self._finish(linger=True)
        elif self._eof:
            self._finish(linger=False)
        # No await from here on: whatever comes next finds no task and starts one.
        self._task = None
        if self._transport.is_closing() or self._deadline.kind is not None:
            return
        if self._in_head:
            self._deadline.set("head", self._limits.head_seconds)
        else:
            self._deadline.set("idle", self._limits.idle_seconds)

    async def _answer(self, request: Request, keep: bool) -> bool:
        """Whether the connection goes on."""
        try:
            response = await self._server.handler(request)
        except BodyTooLarge as error:
            response = plain(413, str(error))
        except BodyCut as error:
            response = plain(400, str(error))
        body = request.body
        # A body that nobody read to its end cannot be told from the next request's head.
        keep = keep and body.complete and not (response.close or self._server.draining)
        keep = keep and not (self._eof and not self._requests and self._last_answer is None)
        keep = keep and not (request.http10 and response.streams)  # its end is the connection's
        keep = keep or response.switch is not None
        sent = await self._send(response, keep=keep, head_only=request.method == "HEAD", http10=request.http10)
        if sent and response.switch is not None:
            return await self._talk(response.switch)
        if sent and not keep:
            self._finish(linger=not body.complete or bool(self._requests))
        if sent and keep and self._held is not None and not self._requests:  # the offer was the last of them
            held, self._held = self._held, None
            self.resume()
            self.data_received(held)
        return sent and keep

    async def _talk(self, agreed: Switch) -> bool:
        """The rest of the connection's life, as a WebSocket."""
        socket_ = WebSocket(self._transport, ConnectionType.SERVER, agreed.limits, self._server.sockets)
        held, self._held, self._socket = self._held or b"", None, socket_
        self.resume()
        socket_.feed(held)
        if self._server.draining:
            socket_.leave()
        try:
            await agreed.talk(socket_)
        except SocketClosed:
            pass
        except BaseException:
            await socket_.close(FAILED, "An internal error occurred.")
            raise
        await socket_.close()
        self._finish(linger=False)
        return False

    async def _send(self, response: Response, *, keep: bool, head_only: bool = False, http10: bool = False) -> bool:
        """Whether the client is still there."""
        try:
            await self._sender.send(response, keep=keep, head_only=head_only, http10=http10)
        except Gone:
            self._transport.abort()
            return False
        return True

    def _served(self, task: asyncio.Task[None]) -> None:
        if self._task is task:  # and not the next one, begun before this was told
            self._task = None
        if not task.cancelled() and (error := task.exception()) is not None:
            self._server.failures += 1
            log.error("a request from %s could not be answered", self._from.peer, exc_info=error)
        if task.cancelled() or task.exception() is not None:
            self._transport.abort()

    def _finish(self, *, linger: bool) -> None:
        """Ends the connection after its last answer. Closing while bytes still come in would reset it, and the client
        might never see the answer: so its side is read, and dropped, for a moment."""
        self._deaf = True
        self._requests.clear()
        if self._transport.is_closing():
            return
        if linger and not self._eof:
            self._transport.resume_reading()
            if not self._secure:
                self._transport.write_eof()
            self._deadline.set("close", LINGER)
        else:
            self._transport.close()
            self._deadline.set("close", self._limits.write_seconds)

    def _overdue(self, owes: Owes) -> None:
        if owes == "body" and self._body is not None:
            self._deaf = True
            self._body.fail(BodyCut("The request's body came too slowly."))
        elif owes == "head":
            self._deaf = True
            self._last_answer = plain(408, "The request's head came too slowly.")
            self._begin()
        else:
            self._transport.abort()

    # --- shutting down

    @property
    def busy(self) -> bool:
        return self._task is not None

    def drain(self) -> None:
        """Ends an idle connection; one that is answering ends after its answer, and a talk is asked to end."""
        if self._socket is not None:
            self._socket.leave()
        elif self._task is None:
            self._deaf = True
            self._transport.close()

    def abort(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._transport.abort()
