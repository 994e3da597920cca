"""A process inside a container of a node, while somebody watches it: its input, output, terminal and end.

The session only says that one is wanted (`messages.Execute`); the node answers by dialling a connection of its own on
the same port, which begins with `messages.Dialled` and carries that one process. So nothing that a process writes
stands in the way of the node's reports, a slow watcher slows down that process and nobody else, and a node behind a
router needs no open port. The channel's name is the token: unguessable, for one node, once, for `PATIENCE` seconds.

    down    Input · InputEnd · Resize            up    Running · Output · Took … · Ended, or Failed

Output is slowed down by TCP. Input is not: at most `WINDOW` bytes of it are on their way, and `Took` tells when the
process has read some, so that the node can always read, and learns at once that the watcher has gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from hatoba.core.errors import HatobaError, PortError
from hatoba.core.ids import Ids
from hatoba.fleet.messages import Dialled, Execute, decoded, encode, read_frame
from hatoba.fleet.model import Part, Workload

PATIENCE = 10.0  # seconds for a node to dial
LIMIT = 1 << 20  # bytes of one frame
WINDOW = 256 * 1024  # bytes of input that the process has not read yet
SINCE = 2  # the first protocol of nodes that know channels


class Input(Part, frozen=True, kw_only=True, tag="input"):
    data: bytes


class InputEnd(Part, frozen=True, kw_only=True, tag="input-end"):
    """Nothing more comes. With a terminal that is not an end: it has a key for it."""


class Resize(Part, frozen=True, kw_only=True, tag="resize"):
    columns: int
    rows: int


class Running(Part, frozen=True, kw_only=True, tag="running"):
    """It was started."""


class Output(Part, frozen=True, kw_only=True, tag="output"):
    data: bytes
    error: bool = False  # of the process's stderr; with a terminal there is none


class Took(Part, frozen=True, kw_only=True, tag="took"):
    """So many bytes of the input are the process's now."""

    size: int


class Ended(Part, frozen=True, kw_only=True, tag="ended"):
    """After all of its output. 128 + n when signal n ended it."""

    code: int


class Failed(Part, frozen=True, kw_only=True, tag="failed"):
    """It could not be started; `code` is the runtime's."""

    code: str
    text: str


ToProcess = Input | InputEnd | Resize
FromProcess = Running | Output | Took | Ended | Failed

_from: msgspec.msgpack.Decoder[FromProcess] = msgspec.msgpack.Decoder(FromProcess)
_to: msgspec.msgpack.Decoder[ToProcess] = msgspec.msgpack.Decoder(ToProcess)


def frame(message: ToProcess | FromProcess) -> bytes:
    body = encode(message)
    return len(body).to_bytes(4, "big") + body


async def read_to(reader: asyncio.StreamReader) -> ToProcess:
    """The node's side. Raises `EOFError`, `OSError` and `messages.Broken`."""
    return decoded(_to, await read_frame(reader, LIMIT))


class ChannelLost(HatobaError):
    """There is no way to the process any more; the text says why."""


class Channel:
    """One process, as the control plane has it."""

    def __init__(self, node: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.node = node
        self._reader = reader
        self._writer = writer
        self._why = ""
        self._unread = 0
        self._room = asyncio.Event()
        self.closed = asyncio.Event()

    async def send(self, message: ToProcess) -> None:
        """Returns when there is room for more input: while somebody receives, and the process reads."""
        if self.closed.is_set():
            raise self._lost()
        try:
            self._writer.write(frame(message))
            await self._writer.drain()
        except OSError:
            raise self._lost() from None
        if isinstance(message, Input):
            self._unread += len(message.data)
            self._count()
            await self._room.wait()

    async def receive(self) -> Running | Output | Ended | Failed:
        """Not received, output slows the process down. After `Ended` and `Failed` nothing more comes."""
        while True:
            try:
                message = decoded(_from, await read_frame(self._reader, LIMIT))
            except (OSError, EOFError):
                raise self._lost() from None
            if not isinstance(message, Took):
                return message
            self._unread -= message.size
            self._count()

    def _count(self) -> None:
        if self._unread < WINDOW or self.closed.is_set():
            self._room.set()
        else:
            self._room.clear()

    def _lost(self) -> ChannelLost:
        return ChannelLost(self._why or "The connection to the container's node was lost.")

    def close(self, why: str = "") -> None:
        """Ends the process too, if it still runs."""
        if not self.closed.is_set():
            self._why = why
            self.closed.set()
            self._room.set()
            self._writer.close()

    def cut(self, why: str) -> None:
        """Like `close`, when the other side will not answer."""
        self.close(why)
        self._writer.transport.abort()


class Wanted(Part, frozen=True, kw_only=True):
    """Which process. `user` "": the container's own."""

    container: str
    args: tuple[str, ...]
    env: tuple[str, ...] = ()  # beside the container's
    user: str = ""
    terminal: bool = False
    columns: int = 80
    rows: int = 24


class Executor(Protocol):
    """How rooms run something inside a container."""

    async def execute(self, workload: Workload, wanted: Wanted) -> Channel:
        """Raises `PortError` ("disconnected", "timeout", "too-old") when its node cannot be asked now."""
        ...

    def reaches(self, workload: Workload) -> bool:
        """Whether its node is connected, and knows how."""
        ...


class Channels:
    """Those of all nodes: asked for, awaited, open."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._awaited: dict[str, tuple[str, asyncio.Future[Channel]]] = {}
        self._open: dict[str, set[Channel]] = {}  # by node

    def __len__(self) -> int:
        return sum(len(channels) for channels in self._open.values())

    async def ask(self, workload: Workload, wanted: Wanted, say: Callable[[Execute], None]) -> Channel:
        """`say` tells the workload's node."""
        name = self._ids.hex(32)
        future: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()
        self._awaited[name] = (workload.node, future)
        try:
            say(
                Execute(
                    channel=name,
                    workload=workload.id,
                    container=wanted.container,
                    args=wanted.args,
                    env=wanted.env,
                    user=wanted.user,
                    terminal=wanted.terminal,
                    columns=wanted.columns,
                    rows=wanted.rows,
                )
            )
            async with asyncio.timeout(PATIENCE):
                return await future
        except TimeoutError:
            raise PortError("timeout", f"the node {workload.node} did not answer in time") from None
        finally:
            del self._awaited[name]

    async def serve(
        self, node: str, first: Dialled, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """A connection that a node has dialled, to its end."""
        awaited_of, future = self._awaited.get(first.channel, ("", None))
        if future is None or awaited_of != node or future.done():
            return
        channel = Channel(node, reader, writer)
        self._open.setdefault(node, set()).add(channel)
        future.set_result(channel)
        try:
            await channel.closed.wait()
        finally:
            self._open[node].discard(channel)
            if not self._open[node]:
                del self._open[node]

    def lost(self, node: str) -> None:
        """The node is gone, or replaced by one of the same name."""
        for channel in tuple(self._open.get(node, ())):
            channel.cut("The container's node was lost.")

    def close(self) -> None:
        for node in tuple(self._open):
            for channel in tuple(self._open[node]):
                channel.cut("The platform is shutting down.")
