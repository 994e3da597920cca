"""Receivers of logs as they are found in the wild: good ones, slow ones, and those that break what they promised."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from hatoba.node.logs.batch import LogBatch
from hatoba.streams.port import Batch

Answer = Callable[["Forwarded", asyncio.StreamWriter], Awaitable[None]]


class Forwarded(msgspec.Struct, frozen=True, array_like=True):
    """One message of the forward mode."""

    tag: str
    entries: list[tuple[Any, dict[str, str]]]
    about: dict[str, Any]


class Receiver:
    """Listens on a socket. `answers` are used one after the other, the last one for ever."""

    def __init__(self, path: Path, *answers: Answer) -> None:
        self.path = path
        self.answers = list(answers) or [acknowledge]
        self.messages: list[Forwarded] = []
        self.connections = 0
        self.changed = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._served: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    async def __aenter__(self) -> Receiver:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def close(self) -> None:
        """Goes away as a process does that is killed: its socket stays where it is."""
        if self._server is not None:
            self._server.close()
            for writer in self._served.values():
                writer.transport.abort()
            if self._served:
                await asyncio.wait(self._served)
            self._server = None

    @property
    def lines(self) -> list[str]:
        return [record["log"] for message in self.messages for _, record in message.entries]

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(true)

    async def _take(self, message: Forwarded, writer: asyncio.StreamWriter) -> None:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer not in (hang_up, tear):
            async with self.changed:
                self.messages.append(message)
                self.changed.notify_all()
        await answer(message, writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._served[task] = writer
        read = b""
        try:
            while piece := await reader.read(1 << 16):
                read += piece
                while (found := _first(read)) is not None:
                    message, read = found
                    await self._take(message, writer)
        except OSError:
            pass
        finally:
            del self._served[task]
            writer.transport.abort()


def _first(read: bytes) -> tuple[Forwarded, bytes] | None:
    """The first message and what follows it; None when there is not all of it."""
    try:
        return msgspec.msgpack.decode(read, type=Forwarded), b""
    except msgspec.DecodeError as error:
        more = re.search(r"trailing characters \(byte (\d+)\)", str(error))
    if more is None:
        return None
    return msgspec.msgpack.decode(read[: int(more[1])], type=Forwarded), read[int(more[1]) :]


def answer_of(message: Forwarded) -> bytes:
    return msgspec.msgpack.encode({"ack": message.about["chunk"]})


async def acknowledge(message: Forwarded, writer: asyncio.StreamWriter) -> None:
    if "chunk" in message.about:
        writer.write(answer_of(message))
        await writer.drain()


async def slow(message: Forwarded, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.02)


async def dribble(message: Forwarded, writer: asyncio.StreamWriter) -> None:
    """The acknowledgement in single bytes."""
    for byte in answer_of(message):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.001)


async def hang_up(message: Forwarded, writer: asyncio.StreamWriter) -> None:
    """Gone before it acknowledged: nobody knows whether it has the message."""
    writer.transport.abort()


async def tear(message: Forwarded, writer: asyncio.StreamWriter) -> None:
    writer.write(answer_of(message)[:5])
    await writer.drain()
    writer.transport.abort()


async def ignore(message: Forwarded, writer: asyncio.StreamWriter) -> None:
    """Never acknowledges."""


async def babble(message: Forwarded, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


async def mistake(message: Forwarded, writer: asyncio.StreamWriter) -> None:
    writer.write(msgspec.msgpack.encode({"ack": "somebody else's"}))
    await writer.drain()


async def flood(message: Forwarded, writer: asyncio.StreamWriter) -> None:
    """An acknowledgement without an end."""
    writer.write(b"\x81\xa3ack\xdb\xff\xff\xff\xff")
    for _ in range(64):
        writer.write(b"x" * 4096)
        await writer.drain()


def batch(*texts: str, stderr: tuple[str, ...] = (), start: int = 0) -> LogBatch:
    """Lines of both outputs, each ten bytes long as far as offsets go."""
    parts = [
        Batch(
            times=[1_700_000_000_123 + n for n in range(len(lines))],
            messages=list(lines),
            producer=f"c/{stream}",
            ends=[start + 10 * (n + 1) for n in range(len(lines))],
        )
        for stream, lines in (("stdout", texts), ("stderr", stderr))
        if lines
    ]
    return LogBatch(container_id="c", group="", stream="", region=None, create_group=False, parts=tuple(parts))
