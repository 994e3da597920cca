"""Answers onto the wire: bytes at once, streams piece by piece, ranges of files by `sendfile`.

Whoever sends waits while the client does not take what was sent: nothing gathers in memory but the transport's own
bounded buffer. A client that takes nothing for `seconds` is cut off.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from email.utils import formatdate
from http import HTTPStatus

from hatoba.core.clock import Clock
from hatoba.core.errors import HatobaError
from hatoba.gateway.http.messages import FileSlice, Response

_AT_ONCE = 64 * 1024  # a body up to this size goes out in one piece with its head
_SLICE = 8 * 1024 * 1024  # the most that one sendfile is asked for
_PIECE = 256 * 1024  # of a file that goes out by TLS
_STATUS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_BODILESS = frozenset((101, 204, 304))


class Gone(HatobaError):
    """The client went away, or takes nothing, in the middle of an answer."""


class Date:
    """The `date` header's line, formatted once a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = 0
        self._line = ""

    def line(self) -> str:
        second = int(self._clock.now())
        if second != self._second:
            self._second = second
            self._line = f"date: {formatdate(second, usegmt=True)}\r\n"
        return self._line


def plain(status: int, sentence: str) -> Response:
    """An answer of the server itself, to what is hardly a request. It ends the connection."""
    headers = {"content-type": "text/plain; charset=utf-8"}
    return Response(status=status, headers=headers, body=f"{sentence}\n".encode(), close=True)


class Sender:
    """The outgoing half of one connection."""

    def __init__(self, transport: asyncio.Transport, seconds: float, date: Callable[[], str]) -> None:
        self._transport = transport
        self._seconds = seconds
        self._date = date
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        self._lost = False
        self.streaming = False  # an iterator is being sent: nobody wants its rest when the client goes

    # --- what the transport tells

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._wake()

    def lost(self) -> None:
        self._lost = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- answers

    async def send(self, response: Response, *, keep: bool, head_only: bool = False, http10: bool = False) -> None:
        """Returns when the answer is out, or so nearly that the next may follow. Raises `Gone`."""
        body = response.body
        if isinstance(body, bytes):
            head = self._head(response, len(body), keep=keep, http10=http10)
            self._send_bytes(head, b"" if head_only else body)
            await self._room()
        elif isinstance(body, FileSlice):
            with body.file:
                self._transport.write(self._head(response, body.length, keep=keep, http10=http10))
                if not head_only:
                    await self._send_file(body)
        else:
            await self._send_stream(response, body, keep=keep, head_only=head_only, http10=http10)

    def _head(self, response: Response, length: int | None, *, keep: bool, http10: bool) -> bytes:
        """`length` is the body's; None for one that is sent in chunks or until the connection ends."""
        status, headers = response.status, response.headers
        head = _STATUS.get(status) or f"HTTP/1.1 {status} \r\n"
        for name, value in headers.items():
            if "\n" in value or "\r" in value:
                # A header ends with its line: what a client made us repeat must not begin another one.
                value = " ".join(value.split())
            head += f"{name}: {value}\r\n"
        if "content-length" not in headers and status not in _BODILESS and length is not None:
            head += f"content-length: {length}\r\n"
        elif length is None and not http10:
            head += "transfer-encoding: chunked\r\n"
        if not keep or http10:
            head += "connection: keep-alive\r\n" if keep else "connection: close\r\n"
        return f"{head}{self._date()}\r\n".encode()

    def _send_bytes(self, head: bytes, body: bytes) -> None:
        if len(body) <= _AT_ONCE:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)

    async def _send_stream(
        self, response: Response, pieces: AsyncIterator[bytes], *, keep: bool, head_only: bool, http10: bool
    ) -> None:
        told = response.headers.get("content-length")
        left = None if told is None else int(told)
        chunked = left is None and not http10
        self._transport.write(self._head(response, left, keep=keep, http10=http10))
        self.streaming = True
        try:
            if not head_only:
                left = await self._send_pieces(pieces, left, chunked=chunked)
                if left:
                    raise ValueError(f"a stream ended {left} bytes before its declared length")
        finally:
            self.streaming = False
            await _close(pieces)
        if chunked and not head_only:
            self._transport.write(b"0\r\n\r\n")

    async def _send_pieces(self, pieces: AsyncIterator[bytes], left: int | None, *, chunked: bool) -> int | None:
        """What is left of the declared length."""
        async for piece in pieces:
            if not piece:
                continue
            if left is not None:
                left -= len(piece)
                if left < 0:
                    raise ValueError(f"a stream is {-left} bytes longer than its declared length")
            if chunked:
                self._transport.writelines((b"%x\r\n" % len(piece), piece, b"\r\n"))
            else:
                self._transport.write(piece)
            await self._room()
        return left

    async def _send_file(self, part: FileSlice) -> None:
        if self._transport.get_extra_info("ssl_object") is None:
            await self._lend_file(part)
        else:
            await self._read_file(part)

    async def _read_file(self, part: FileSlice) -> None:
        """Piece by piece, for TLS. The disk is waited for in a thread."""
        source, offset, end = part.file.fileno(), part.offset, part.offset + part.length
        while offset < end:
            piece = await self._loop.run_in_executor(None, os.pread, source, min(end - offset, _PIECE), offset)
            if not piece:
                raise ValueError(f"a file ended {end - offset} bytes before its declared length")
            self._transport.write(piece)
            await self._room()
            offset += len(piece)

    async def _lend_file(self, part: FileSlice) -> None:
        """From the page cache to the socket, past this process. The disk is waited for in a thread."""
        await self._flushed()
        # uvloop has no sendfile and does not lend its own descriptor: a second one of the same socket is waited on.
        wire = os.dup(self._transport.get_extra_info("socket").fileno())
        try:
            source, offset, left = part.file.fileno(), part.offset, part.length
            while left:
                try:
                    sent = await self._loop.run_in_executor(None, os.sendfile, wire, source, offset, min(left, _SLICE))
                except BlockingIOError:
                    await self._writable(wire)
                    continue
                except OSError:  # reset by the client
                    raise Gone from None
                if sent == 0:
                    raise ValueError(f"a file ended {left} bytes before its declared length")
                offset, left = offset + sent, left - sent
        finally:
            os.close(wire)

    # --- waiting for the client

    async def _room(self) -> None:
        """Returns when the transport takes more."""
        while self._paused and not self._lost:
            await self._wait()
        if self._lost:
            raise Gone

    async def _flushed(self) -> None:
        """Returns when the transport's buffer is empty."""
        self._transport.set_write_buffer_limits(high=0)
        try:
            await self._room()
        finally:
            self._transport.set_write_buffer_limits()

    async def _writable(self, wire: int) -> None:
        waiter = self._waiter = self._loop.create_future()
        self._loop.add_writer(wire, self._wake)
        try:
            await self._in_time(waiter)
        finally:
            self._loop.remove_writer(wire)
        if self._lost:
            raise Gone

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        await self._in_time(self._waiter)

    async def _in_time(self, waiter: asyncio.Future[None]) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await waiter
        except TimeoutError:
            self._transport.abort()
            raise Gone from None


async def _close(pieces: AsyncIterator[bytes]) -> None:
    if isinstance(pieces, AsyncGenerator):
        await pieces.aclose()
