"""A request's body while it comes in.

It is read once: whole with a limit (`await body.read(65536)`), or piece by piece (`async for piece in body`). What has
come and was not read yet is bounded: the socket is not read while more than `HIGH` bytes wait, so a client that sends
gigabytes is slowed to the pace of whoever reads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from hatoba.core.errors import HatobaError

HIGH = 256 * 1024  # stop reading the socket
LOW = 64 * 1024  # go on


class BodyTooLarge(HatobaError):
    """The body is longer than whoever reads it takes."""


class BodyCut(HatobaError):
    """The body ended before its declared length, came too slowly, or was not well-formed."""


class Flow(Protocol):
    """What a body asks of its connection."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def send_continue(self) -> None: ...


class Body:
    __slots__ = ("_flow", "_paused", "_pieces", "_size", "_waiter", "complete", "error", "expects", "length")

    def __init__(self, flow: Flow, length: int | None, *, expects: bool) -> None:
        self._flow = flow
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self.length = length  # as declared, or None when it is chunked
        self.expects = expects  # the client waits for `100 Continue` before it sends
        self.complete = False
        self.error: BodyCut | None = None

    # --- the connection's side

    def feed(self, piece: bytes) -> None:
        self.expects = False
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > HIGH and not self._paused:
            self._paused = True
            self._flow.pause()
        self._wake()

    def finish(self) -> None:
        self.complete = True
        self._wake()

    def fail(self, error: BodyCut) -> None:
        if not self.complete and self.error is None:
            self.error = error
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- the reader's side

    async def read(self, limit: int) -> bytes:
        """All of it. Raises `BodyTooLarge` (before reading, when the length was declared) and `BodyCut`."""
        if self.complete and self._size <= limit:
            return self._take()
        if self.length is not None and self.length > limit:
            raise BodyTooLarge(f"The request's body has {self.length} bytes; at most {limit} are taken here.")
        pieces, size = [], 0
        async for piece in self:
            size += len(piece)
            if size > limit:
                raise BodyTooLarge(f"The request's body has more than the {limit} bytes that are taken here.")
            pieces.append(piece)
        return b"".join(pieces)

    def _take(self) -> bytes:
        pieces = self._pieces
        whole = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._consumed(self._size)
        return whole

    def __aiter__(self) -> Body:
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self.complete:
                raise StopAsyncIteration
            if self.error is not None:
                raise self.error
            if self.expects:
                self.expects = False
                self._flow.send_continue()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        piece = self._pieces.popleft()
        self._consumed(len(piece))
        return piece

    def _consumed(self, size: int) -> None:
        self._size -= size
        if self._paused and self._size <= LOW:
            self._paused = False
            self._flow.resume()
