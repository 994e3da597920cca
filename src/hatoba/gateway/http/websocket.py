"""A WebSocket: messages over one connection, either end of it.

Framing, masking and the rules of RFC 6455 are wsproto's; what is ours is the flow. Whole messages come out of
`receive`, in order; the transport is not read while more than `queue_bytes` of them wait. `send` returns when the other
side takes more. A line that is silent is pinged, and given up when nothing comes back. Whoever talks has to be in
`receive` (or come back to it) to learn that the other side has left: `SocketClosed` says with which code and why.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Literal

import msgspec
from wsproto.connection import Connection as Wire
from wsproto.connection import ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage

from hatoba.core.errors import HatobaError
from hatoba.gateway.http.deadline import Deadline

NORMAL, LEAVING, UNSUPPORTED, POLICY, TOO_BIG, FAILED = 1000, 1001, 1003, 1008, 1009, 1011
NO_CODE, LOST = 1005, 1006  # never on the wire: a close without a code, and none at all

_EACH = 64  # bytes that a queued message counts beside its own
_COUNTED = frozenset((NORMAL, LEAVING, 1002, UNSUPPORTED, NO_CODE, LOST, 1007, POLICY, TOO_BIG, FAILED))

Owes = Literal["sign of life", "pong", "close"]


class SocketClosed(HatobaError):
    """The talk is over. 1000: as it should be; 1006: the line broke."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"{code} {reason}".strip())
        self.code = code
        self.reason = reason


class SocketLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the other side may take of us."""

    message_bytes: int = 1 << 20  # one message, all of its fragments; longer: 1009
    queue_bytes: int = 256 * 1024  # messages that wait for `receive`, before the transport is not read any more
    ping_seconds: float = 30.0  # of silence, after which we ask
    pong_seconds: float = 20.0  # for any sign of life after that
    close_seconds: float = 5.0  # for the other side's close
    write_seconds: float = 60.0  # without taking anything of what is sent


class SocketCounts:
    """What all sockets of a server have done, for its metrics."""

    def __init__(self) -> None:
        self.open = 0
        self.opened = 0
        self.messages = {"in": 0, "out": 0}
        self.bytes = {"in": 0, "out": 0}
        self.closed: dict[str, int] = {}  # by code; a client cannot make this grow

    def ended(self, code: int) -> None:
        self.open -= 1
        name = str(code) if code in _COUNTED else "other"
        self.closed[name] = self.closed.get(name, 0) + 1


class WebSocket:
    """`feed`, `lost`, `pause` and `resume` are for the protocol that owns the transport; the rest for who talks."""

    def __init__(
        self,
        transport: asyncio.Transport,
        end: ConnectionType,
        limits: SocketLimits | None = None,
        counts: SocketCounts | None = None,
    ) -> None:
        self.limits = limits or SocketLimits()
        self._transport = transport
        self._wire = Wire(end)
        self._counts = counts or SocketCounts()
        self._counts.open += 1
        self._counts.opened += 1
        self._loop = asyncio.get_running_loop()
        self._messages: deque[str | bytes] = deque()
        self._queued = 0
        self._parts: list[str | bytes] = []  # of the message whose fragments are coming in
        self._size = 0
        self._closed: SocketClosed | None = None
        self._line_over = asyncio.Event()  # nothing more comes in, whatever was agreed
        self._unread = False  # the transport is not read
        self._writable = asyncio.Event()  # all who send wait for it, and there may be several
        self._writable.set()
        self._reader: asyncio.Future[None] | None = None
        self._deadline: Deadline[Owes] = Deadline(self._loop, self._overdue)
        self._deadline.set("sign of life", self.limits.ping_seconds)

    # --- what comes in

    def feed(self, data: bytes) -> None:
        if self._line_over.is_set() or not data:
            return
        self._counts.bytes["in"] += len(data)
        if self._closed is None and not self._unread:
            self._deadline.set("sign of life", self.limits.ping_seconds)
        self._wire.receive_data(data)
        for event in self._wire.events():
            self._hear(event)
            if self._line_over.is_set():
                return

    def _hear(self, event: Event) -> None:
        match event:
            case TextMessage() | BytesMessage():
                if self._closed is None:
                    self._part(event)
            case Ping():
                if (
                    self._writable.is_set() and self._wire.state is ConnectionState.OPEN
                ):  # one that is not read wants none
                    self._write(event.response())
            case CloseConnection():
                self._over(event.code, event.reason or "")
                if self._wire.state in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING):
                    self._write(CloseConnection(code=event.code, reason=event.reason))
                self._line_over.set()
                self._transport.close()
                self._deadline.set("close", self.limits.close_seconds)
            case _:
                pass

    def _part(self, event: TextMessage | BytesMessage) -> None:
        self._size += len(event.data)
        if self._size > self.limits.message_bytes:
            self._leave(TOO_BIG, f"A message may have {self.limits.message_bytes} bytes.")
            return
        if event.data:
            self._parts.append(bytes(event.data) if isinstance(event, BytesMessage) else event.data)
        if not event.message_finished:
            return
        whole: str | bytes
        if isinstance(event, TextMessage):
            whole = "".join(part for part in self._parts if isinstance(part, str))
        else:
            whole = b"".join(part for part in self._parts if isinstance(part, bytes))
        self._counts.messages["in"] += 1
        self._messages.append(whole)
        self._queued += self._size + _EACH
        self._parts, self._size = [], 0
        if self._queued > self.limits.queue_bytes and not self._unread:
            self._unread = True
            self._transport.pause_reading()
            self._deadline.clear()  # who is not read cannot give a sign of life
        _wake(self._reader)

    def lost(self) -> None:
        """The transport is gone."""
        self._line_over.set()
        self._deadline.close()
        self._over(LOST, "The connection was lost.")

    def _over(self, code: int, reason: str) -> None:
        """The talk is over; the first word counts."""
        if self._closed is None:
            self._closed = SocketClosed(code, reason)
            self._counts.ended(code)
        _wake(self._reader)
        self._writable.set()

    # --- for who talks

    async def receive(self) -> str | bytes:
        """The next message: text or bytes, as it was sent. Raises `SocketClosed` after the last one."""
        while not self._messages:
            if self._closed is not None:
                raise self._closed
            self._reader = self._loop.create_future()
            await self._reader
        message = self._messages.popleft()
        self._queued -= len(message) + _EACH
        if self._unread and self._queued <= self.limits.queue_bytes // 2:
            self._unread = False
            if not self._transport.is_closing():
                self._transport.resume_reading()
                self._deadline.set("sign of life", self.limits.ping_seconds)
        return message

    async def send(self, message: str | bytes) -> None:
        """Returns when there is room for more. Raises `SocketClosed`."""
        if self._closed is not None:
            raise self._closed
        self._counts.messages["out"] += 1
        self._write(TextMessage(data=message) if isinstance(message, str) else BytesMessage(data=message))
        await self._room()

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Says why and waits, not for long, until the other side has said so too. Nothing happens the second time."""
        self._leave(code, reason)
        if not self._transport.is_closing():
            await self._line_over.wait()  # the deadline ends it at the latest

    def leave(self) -> None:
        """The server is going away."""
        self._leave(LEAVING, "The server is going away.")

    def _leave(self, code: int, reason: str) -> None:
        self._over(code, reason)
        if self._wire.state is ConnectionState.OPEN and not self._transport.is_closing():
            self._messages.clear()
            self._write(CloseConnection(code=code, reason=reason))
            if self._unread:  # its close is behind what nobody will read
                self._unread = False
                self._transport.resume_reading()
            self._deadline.set("close", self.limits.close_seconds)

    # --- what goes out

    def _write(self, event: Event) -> None:
        data = self._wire.send(event)
        self._counts.bytes["out"] += len(data)
        self._transport.write(data)

    def pause(self) -> None:
        if self._closed is None:
            self._writable.clear()

    def resume(self) -> None:
        self._writable.set()

    async def _room(self) -> None:
        try:
            async with asyncio.timeout(self.limits.write_seconds):
                await self._writable.wait()
        except TimeoutError:
            self._over(LOST, "The other side takes nothing.")
            self._transport.abort()
        if self._closed is not None:
            raise self._closed

    def _overdue(self, owes: Owes) -> None:
        if owes == "sign of life":
            self._write(Ping())
            self._deadline.set("pong", self.limits.pong_seconds)
            return
        self._over(LOST, "The other side gave no sign of life.")
        self._line_over.set()
        self._transport.abort()


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
