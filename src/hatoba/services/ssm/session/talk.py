"""One session under way: the client's socket on one side, the container's process on the other.

Bytes are moved with the pace of whoever takes them: output is read from the node while the client acknowledges, input
is acknowledged while the process takes it. Whatever ends it, the client is told by a last message, and the process does
not outlive it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shlex
from collections import deque
from collections.abc import Coroutine

import msgspec

from hatoba.core.clock import Clock
from hatoba.core.errors import HatobaError, PortError
from hatoba.core.ids import Ids
from hatoba.fleet import channels as node
from hatoba.fleet.channels import Channel, ChannelLost, Executor, Wanted
from hatoba.fleet.model import Workload
from hatoba.gateway.http import SocketClosed, WebSocket
from hatoba.services.ssm.session import channel as ch
from hatoba.services.ssm.session.channel import DataChannel
from hatoba.services.ssm.session.flow import GivenUp
from hatoba.services.ssm.session.frames import BadFrame
from hatoba.services.ssm.session.model import Session
from hatoba.services.ssm.session.transcript import NotLogged, Transcript
from hatoba.services.ssm.session.words import OpenDataChannel

log = logging.getLogger(__name__)

IDLE = 20 * 60.0  # seconds without input or output, as ECS documents
HANDSHAKE = 15.0  # seconds for the client's answer
SIZE = 0.5  # seconds for a client that shows a terminal to say how large it is
FLUSH = 10.0  # seconds for a client to acknowledge the last output
PIECE = 32 * 1024  # bytes of output in one message
MOST_TYPED = 256 * 1024  # bytes of input that wait for the process

_TERMINAL = ("TERM=xterm-256color",)


class Over(HatobaError):
    """The session ends; the text is what the client is told."""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What a talk needs of the platform."""

    clock: Clock
    ids: Ids
    executor: Executor
    idle: float = IDLE


class Talk:
    def __init__(
        self,
        side: Side,
        session: Session,
        workload: Workload,
        opened: OpenDataChannel,
        socket: WebSocket,
        transcript: Transcript | None,
    ) -> None:
        self._side = side
        self._session = session
        self._workload = workload
        self._opened = opened
        self._socket = socket
        self._transcript = transcript
        self._channel = DataChannel(session.id, session.target, side.clock, side.ids)
        self._process: Channel | None = None
        self._size = (opened.columns or 80, opened.rows or 24)
        self._typed: deque[node.Input | node.InputEnd] = deque()
        self._typed_size = 0
        self._active = side.clock.monotonic()
        self._ready, self._sized, self._more = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._room, self._stirred = asyncio.Event(), asyncio.Event()  # stirred: what is unacknowledged has changed
        self._refused = ""  # what the client could not do of the handshake
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def end(self, why: str) -> None:
        """From outside."""
        if not self._ended.done():
            self._ended.set_result(why)

    async def run(self) -> str:
        """To the session's end; why it ended, "" when the program did."""
        why = ""
        try:
            await self._until_one_ends(self._work(), self._listen(), self._watch(), self._leave())
        except (Over, GivenUp, ChannelLost, NotLogged, BadFrame) as error:
            why = str(error)
        except SocketClosed as closed:
            why = f"The client has gone: {closed}."
        finally:
            if self._process is not None:
                self._process.close()
        if self._transcript is not None:
            with contextlib.suppress(NotLogged):  # then that is why it ended
                await self._transcript.flush(last=True)
        with contextlib.suppress(SocketClosed):
            await self._socket.send(self._channel.closed(why))
            await self._socket.close()
        return why

    async def _until_one_ends(self, *work: Coroutine[None, None, None]) -> None:
        tasks = [asyncio.create_task(each) for each in work]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    # --- from beginning to end

    async def _work(self) -> None:
        terminal = self._opened.terminal
        if self._transcript is not None:
            await self._transcript.open()
        await self._send(self._channel.greet("InteractiveCommands" if terminal else "NonInteractiveCommands"))
        await self._handshake()
        self._process = process = await self._start(terminal)
        await self._socket.send(self._channel.publication(starts=True))
        work = [asyncio.create_task(self._type(process))]
        if self._transcript is not None:
            work.append(asyncio.create_task(self._transcript.keep()))
        work.append(asyncio.create_task(self._show(process)))
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for task in work:
                if task.done():
                    task.result()
        finally:
            for task in work:
                task.cancel()
            await asyncio.wait(work)

    async def _handshake(self) -> None:
        try:
            async with asyncio.timeout(HANDSHAKE):
                await self._ready.wait()
        except TimeoutError:
            raise Over(
                "Handshake timed out. Please ensure that you have the latest version of the session manager plugin."
            ) from None
        if self._refused:
            raise Over(f"The client could not open the session: {self._refused}.")
        await self._send(self._channel.complete())
        if self._opened.terminal and not self._opened.columns:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SIZE):
                    await self._sized.wait()

    async def _start(self, terminal: bool) -> Channel:
        try:
            args = tuple(shlex.split(self._session.command)) or ("sh",)
        except ValueError as error:
            raise Over(f"Failed to parse commands input: {error}.") from None
        columns, rows = self._size
        wanted = Wanted(
            container=self._session.container,
            args=args,
            env=_TERMINAL if terminal else (),
            user="0",  # as ECS documents: whatever user the container has
            terminal=terminal,
            columns=columns,
            rows=rows,
        )
        try:
            process = await self._side.executor.execute(self._workload, wanted)
        except PortError as error:
            raise Over(f"The container cannot be reached: {error.message}.") from None
        self._process = process  # from here on it is closed, whatever happens
        first = await process.receive()
        if isinstance(first, node.Failed):
            raise Over(f"Unable to start command: {first.text}")
        if self._size != (columns, rows):
            await process.send(node.Resize(columns=self._size[0], rows=self._size[1]))
        return process

    # --- the process's side

    async def _show(self, process: Channel) -> None:
        while True:
            match await process.receive():
                case node.Output(data=data, error=error):
                    for at in range(0, len(data), PIECE):
                        await self._output(data[at : at + PIECE], error)
                case node.Ended(code=code):
                    break
                case _:
                    pass
        if self._transcript is not None:
            await self._transcript.flush(last=True)
        if self._opened.exit_code:
            await self._send(self._channel.exit_code(code))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH):
                while not self._channel.quiet:
                    self._room.clear()
                    await self._room.wait()

    async def _output(self, data: bytes, error: bool) -> None:
        if self._transcript is not None:
            await self._transcript.write(data)
        while not self._channel.has_room:
            self._room.clear()
            await self._room.wait()
        self._active = self._side.clock.monotonic()
        await self._send(self._channel.output(data, error=error))

    async def _send(self, message: bytes) -> None:
        self._stirred.set()
        await self._socket.send(message)

    async def _type(self, process: Channel) -> None:
        while True:
            while self._typed:
                message = self._typed.popleft()
                await process.send(message)
                if isinstance(message, node.Input):
                    self._typed_size -= len(message.data)
                    await self._take()
            self._more.clear()
            await self._more.wait()

    # --- the client's side

    async def _listen(self) -> None:
        while True:
            message = await self._socket.receive()
            if isinstance(message, str):
                raise BadFrame("Only the first message is a text.")
            reply = self._channel.hear(message)
            self._room.set()
            self._stirred.set()
            if reply is not None:
                await self._socket.send(reply)
            await self._take()

    async def _take(self) -> None:
        """Takes what the client has typed, while there is room for it: what is taken is acknowledged."""
        while self._typed_size < MOST_TYPED and (found := self._channel.next()) is not None:
            event, acknowledgement = found
            self._taken(event)  # at once: whoever else takes meanwhile takes what comes after it
            await self._socket.send(acknowledgement)
            if isinstance(event, ch.Resized) and self._process is not None:
                await self._process.send(node.Resize(columns=self._size[0], rows=self._size[1]))

    def _taken(self, event: ch.Event) -> None:
        match event:
            case ch.Typed(data, end):
                self._active = self._side.clock.monotonic()
                if data:
                    self._typed.append(node.Input(data=data))
                    self._typed_size += len(data)
                if end:
                    self._typed.append(node.InputEnd())
                self._more.set()
                self._ready.set()  # a client that knows no handshake
            case ch.Resized(columns, rows):
                self._size = (columns, rows)
                self._sized.set()
                self._ready.set()
            case ch.Answered(error):
                self._refused = error
                self._ready.set()
            case ch.Terminated():
                raise Over("")
            case _:
                pass

    async def _watch(self) -> None:
        """Sends again what was not acknowledged, and ends what is idle."""
        clock = self._side.clock
        while True:
            idle_at = self._active + self._side.idle
            due = self._channel.due
            wake_at = idle_at if due is None else min(due, idle_at)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, wake_at - clock.monotonic())):
                    await self._stirred.wait()
            self._stirred.clear()
            if clock.monotonic() >= self._active + self._side.idle:
                raise Over(f"Your session timed out due to inactivity ({self._side.idle / 60:.0f} minutes).")
            again = self._channel.again()
            if again is not None:
                await self._socket.send(again)

    async def _leave(self) -> None:
        raise Over(await self._ended)
