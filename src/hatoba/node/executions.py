"""Processes that the control plane wants run inside this node's containers, one dialled connection each.

Nothing has to be inside the container but the program itself: the runtime starts it in the container's namespaces, so
a read-only root or an image without a shell are no obstacle. What it writes waits in its terminal or pipes while the
control plane does not read; when the connection ends, for whatever reason, so does the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Literal

from hatoba.core.errors import PortError
from hatoba.core.tasks import TaskGroup
from hatoba.fleet import channels as ch
from hatoba.fleet import messages as msg
from hatoba.runtime.base import ExecSpec, Exit, Process, Runtime

log = logging.getLogger(__name__)

MOST = 64  # at a time
LAST_WORDS = 0.5  # seconds without output, after which a process that has ended has said all it had to say
HANGUP = 2.0  # seconds for a process whose watcher has gone, to end by itself
MOST_INPUT = 2 * ch.WINDOW  # bytes of input that a process has not read
REFUSED = "container-not-running"

Stream = Literal["stdout", "stderr"]
Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
Find = Callable[[str, str], str | None]  # workload, container → the runtime's id of it, while it may be entered


class Executions:
    """`name` starts the names of what it runs: what an earlier agent has left is told from it."""

    def __init__(self, runtime: Runtime, dial: Dial, find: Find, name: str) -> None:
        self._runtime = runtime
        self._dial = dial
        self._find = find
        self._name = name
        self._number = 0
        self._tasks = TaskGroup("executions")

    def execute(self, wanted: msg.Execute) -> None:
        self._tasks.start(self._serve(wanted), wanted.channel[:8])

    def __len__(self) -> int:
        return len(self._tasks)

    async def close(self) -> None:
        await self._tasks.close()

    async def _serve(self, wanted: msg.Execute) -> None:
        try:
            reader, writer = await self._dial()
        except (OSError, TimeoutError) as error:
            log.info("a process is wanted in %s, but the control plane is away: %s", wanted.workload, error)
            return
        try:
            writer.write(msg.frame(msg.Dialled(channel=wanted.channel)))
            await self._run(wanted, reader, writer)
        except (OSError, EOFError, msg.Broken) as error:
            log.info("the watcher of a process in %s is gone: %s", wanted.workload, error)
        finally:
            writer.close()

    async def _run(self, wanted: msg.Execute, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            process = await self._started(wanted)
        except PortError as error:
            writer.write(ch.frame(ch.Failed(code=error.code, text=error.message)))
            await writer.drain()
            return
        try:
            writer.write(ch.frame(ch.Running()))
            ended = await _Watched(process, wanted.terminal, reader, writer).run()
            if ended is not None:
                writer.write(ch.frame(ch.Ended(code=ended.code)))
                await writer.drain()
        finally:
            await _end(process)

    async def _started(self, wanted: msg.Execute) -> Process:
        container = self._find(wanted.workload, wanted.container)
        if container is None:
            raise PortError(REFUSED, f"the container {wanted.container} does not run here")
        if len(self._tasks) > MOST:
            raise PortError("too-many", f"{MOST} processes are being watched on this node already")
        self._number += 1
        spec = ExecSpec(
            id=f"{self._name}-{self._number}",
            args=wanted.args,
            env=wanted.env,
            user=wanted.user,
            terminal=wanted.terminal,
            attach=True,
            columns=wanted.columns,
            rows=wanted.rows,
        )
        return await self._runtime.exec(container, spec)


class _Watched:
    """A process and the connection of whoever watches it."""

    def __init__(
        self, process: Process, terminal: bool, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._terminal = terminal
        self._reader = reader
        self._writer = writer
        self._pending: asyncio.Queue[bytes | None] = asyncio.Queue()  # None: the end
        self._waiting = 0  # bytes of it

    async def run(self) -> Exit | None:
        """Until the process has ended and said all: how. None when the watcher went first."""
        output = asyncio.create_task(self._output(), name="output")
        hearing = asyncio.create_task(self._hear(), name="hearing")
        input_ = asyncio.create_task(self._input(), name="input")
        try:
            await asyncio.wait((output, hearing), return_when=asyncio.FIRST_COMPLETED)
            if hearing.done():
                hearing.result()  # raises what ended it: this direction has no end of its own
                return None
            output.result()
            return await self._process.wait()
        finally:
            for task in (output, hearing, input_):
                task.cancel()
            await asyncio.wait((output, hearing, input_))

    async def _output(self) -> None:
        """All that it writes. What it has left running may hold its output open: that is not waited for for ever."""
        pieces = aiter(self._process.output())
        ended = asyncio.ensure_future(self._process.wait())
        try:
            while (piece := await _next(pieces, ended)) is not None:
                stream, data = piece
                self._writer.write(ch.frame(ch.Output(data=data, error=stream == "stderr")))
                await self._writer.drain()
        finally:
            ended.cancel()

    async def _hear(self) -> None:
        """Until the watcher is gone, which raises."""
        while True:
            match await ch.read_to(self._reader):
                case ch.Input(data=data):
                    self._waiting += len(data)
                    if self._waiting > MOST_INPUT:
                        raise msg.Broken("more input than was asked for")
                    self._pending.put_nowait(data)
                case ch.InputEnd():
                    self._pending.put_nowait(None)
                case ch.Resize(columns=columns, rows=rows):
                    with contextlib.suppress(PortError):  # the next one may succeed
                        await self._process.resize(columns, rows)

    async def _input(self) -> None:
        takes = True
        while True:
            data = await self._pending.get()
            try:
                if data is None and not self._terminal:
                    await self._process.close_stdin()
                elif data and takes:
                    await self._process.write(data)
            except PortError:  # it has closed its input: what still comes is nobody's, as with a pipe
                takes = False
            if data:
                self._waiting -= len(data)
                self._writer.write(ch.frame(ch.Took(size=len(data))))


async def _next(
    pieces: AsyncIterator[tuple[Stream, bytes]], ended: asyncio.Future[Exit]
) -> tuple[Stream, bytes] | None:
    """None when the streams are closed, or silent after the process's end."""
    piece = asyncio.ensure_future(_piece(pieces))
    try:
        await asyncio.wait((piece, ended), return_when=asyncio.FIRST_COMPLETED)
        if not piece.done():
            await asyncio.wait((piece,), timeout=LAST_WORDS)
        return piece.result() if piece.done() else None
    finally:
        piece.cancel()


async def _piece(pieces: AsyncIterator[tuple[Stream, bytes]]) -> tuple[Stream, bytes] | None:
    return await anext(pieces, None)


async def _end(process: Process) -> None:
    """As when a terminal is closed: it is told, and killed when it does not go."""
    with contextlib.suppress(PortError):
        await process.signal(signal.SIGHUP)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANGUP):
                await process.wait()
    with contextlib.suppress(PortError):
        await process.close()
