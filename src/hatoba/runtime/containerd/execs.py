"""Processes started inside a running container, and their streams.

The streams are FIFOs in our run directory: the shim opens them, copies, and closes them when the process ends. One
that nobody attached to has none.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal as signals
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec
from google.protobuf import any_pb2

from hatoba.runtime import oci
from hatoba.runtime.base import ExecSpec, Exit
from hatoba.runtime.containerd.client import FAILED_PRECONDITION, NOT_FOUND, CallFailed, Client
from hatoba.runtime.containerd.records import Record
from hatoba.runtime.failures import Failure, failure
from hatoba.runtime.stubs.runc import options_pb2
from hatoba.runtime.stubs.services.tasks.v1 import tasks_pb2
from hatoba.runtime.users import User

PROCESS_URL = "types.containerd.io/opencontainers/runtime-spec/1/Process"

_CHUNK = 1 << 16
_STRAYS = 16  # containers that are looked at at a time
_STRAY_SECONDS = 5.0  # for one that is killed

Stream = Literal["stdout", "stderr"]


class Fifos:
    """The three FIFOs of one attached process, our ends opened before the shim opens its own."""

    def __init__(self, folder: Path, name: str, *, terminal: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        wanted = ("stdin", "stdout") if terminal else ("stdin", "stdout", "stderr")
        self.paths = {stream: str(folder / f"{name}.{stream}") for stream in wanted}
        for path in self.paths.values():
            Path(path).unlink(missing_ok=True)
            os.mkfifo(path, 0o600)
        self._readers = {stream: _open(path, os.O_RDONLY) for stream, path in self.paths.items() if stream != "stdin"}
        self._stdin: asyncio.StreamWriter | None = None

    async def connect(self) -> None:
        """Once the shim has its ends: stdin can be opened for writing only then."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # the process is over already
            file = os.fdopen(_open(self.paths["stdin"], os.O_WRONLY), "wb", buffering=0)
            transport, protocol = await loop.connect_write_pipe(lambda: asyncio.StreamReaderProtocol(_silent()), file)
            self._stdin = asyncio.StreamWriter(transport, protocol, None, loop)

    async def output(self) -> AsyncIterator[tuple[Stream, bytes]]:
        queue: asyncio.Queue[tuple[Stream, bytes]] = asyncio.Queue(maxsize=4)
        pumps = [asyncio.ensure_future(self._pump(stream, queue)) for stream in list(self._readers)]
        try:
            open_streams = len(pumps)
            while open_streams:
                stream, data = await queue.get()
                if data:
                    yield stream, data
                else:
                    open_streams -= 1
        finally:
            for pump in pumps:
                pump.cancel()

    async def _pump(self, name: str, queue: asyncio.Queue[tuple[Stream, bytes]]) -> None:
        stream: Stream = "stderr" if name == "stderr" else "stdout"
        reader = asyncio.StreamReader(limit=_CHUNK)
        file = os.fdopen(self._readers.pop(name), "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), file
        )
        try:
            while data := await reader.read(_CHUNK):
                await queue.put((stream, data))
            await queue.put((stream, b""))
        finally:
            transport.close()

    async def write(self, data: bytes) -> None:
        if self._stdin is None:
            raise failure(Failure.CONTAINER_STATE, "the process takes no input any more")
        try:
            self._stdin.write(data)
            await self._stdin.drain()
        except OSError as error:
            raise failure(Failure.CONTAINER_STATE, f"the process takes no input any more: {error}") from error

    def close_stdin(self) -> None:
        """What is still to be written goes first."""
        if self._stdin is not None:
            self._stdin.close()
            self._stdin = None

    def close(self) -> None:
        self.close_stdin()
        while self._readers:
            os.close(self._readers.popitem()[1])
        for path in self.paths.values():
            Path(path).unlink(missing_ok=True)


def _open(path: str, how: int) -> int:
    return os.open(path, how | os.O_NONBLOCK | os.O_CLOEXEC)


def _silent() -> asyncio.StreamReader:
    return asyncio.StreamReader()


async def end_strays(client: Client, ids: Iterable[str], folder: Path) -> int:
    """Ends what an earlier process of ours has run inside these containers: its ends of the streams went with it, and
    nobody watches any more. How many there were."""
    at_a_time = asyncio.Semaphore(_STRAYS)

    async def end_those_of(id: str) -> int:
        async with at_a_time:
            strays = await _strays(client, id)
            for stray in strays:
                await _end(client, id, stray)
            return len(strays)

    ended = await asyncio.gather(*(end_those_of(id) for id in ids))
    _empty(folder)
    return sum(ended)


def _empty(folder: Path) -> None:
    for fifo in folder.glob("*"):
        fifo.unlink(missing_ok=True)


async def _strays(client: Client, id: str) -> list[str]:
    try:
        answer = await client.call(client.tasks.ListPids, tasks_pb2.ListPidsRequest(container_id=id))
    except CallFailed:  # it does not run
        return []
    return [found.exec_id for process in answer.processes if (found := _details(process)).exec_id]


def _details(process: Any) -> options_pb2.ProcessDetails:
    found = options_pb2.ProcessDetails()
    if process.info.type_url.endswith("ProcessDetails"):
        found.ParseFromString(process.info.value)
    return found


async def _end(client: Client, id: str, stray: str) -> None:
    ids: dict[str, Any] = {"container_id": id, "exec_id": stray}
    with contextlib.suppress(CallFailed, TimeoutError):  # it has ended meanwhile
        await client.call(client.tasks.Kill, tasks_pb2.KillRequest(**ids, signal=signals.SIGKILL))
        async with asyncio.timeout(_STRAY_SECONDS):
            await client.call(client.tasks.Wait, tasks_pb2.WaitRequest(**ids))
        await client.call(client.tasks.DeleteProcess, tasks_pb2.DeleteProcessRequest(**ids))


class ContainerdProcess:
    """`base.Process` over containerd's exec calls."""

    def __init__(self, client: Client, record: Record, spec: ExecSpec, fifos: Fifos | None) -> None:
        self._client = client
        self._record = record
        self._spec = spec
        self._fifos = fifos
        self._ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._ids: dict[str, Any] = {"container_id": record.spec.id, "exec_id": spec.id}
        self._created = False
        self._started = False

    async def start(self, user: User | None) -> None:
        if self._spec.id in self._record.execs:
            raise failure(Failure.CONTAINER_STATE, f"exec {self._spec.id} runs already")
        process = oci.exec_process(self._record.process, self._spec, user)
        paths = self._fifos.paths if self._fifos else {}
        self._record.execs[self._spec.id] = self._ended
        try:
            packed = any_pb2.Any(type_url=PROCESS_URL, value=msgspec.json.encode(process))
            request = tasks_pb2.ExecProcessRequest(**self._ids, **paths, spec=packed, terminal=self._spec.terminal)
            await self._client.call(self._client.tasks.Exec, request)
            self._created = True
            await self._client.call(self._client.tasks.Start, tasks_pb2.StartRequest(**self._ids))
            self._started = True
            if self._fifos:
                await self._fifos.connect()
            if self._spec.terminal:
                await self.resize(self._spec.columns, self._spec.rows)
        except CallFailed as error:
            await self.close()
            if error.code == Failure.INTERNAL:
                raise failure(Failure.CONTAINER_START, error.message) from error
            raise
        except BaseException:
            await self.close()
            raise

    async def wait(self) -> Exit:
        return await asyncio.shield(self._ended)

    def output(self) -> AsyncIterator[tuple[Stream, bytes]]:
        return self._attached().output()

    async def write(self, data: bytes) -> None:
        await self._attached().write(data)

    async def close_stdin(self) -> None:
        """The shim keeps the FIFO open for writing itself, until it is told: only then its reader meets the end."""
        self._attached().close_stdin()
        await self._unless_over(self._client.tasks.CloseIO, tasks_pb2.CloseIORequest(**self._ids, stdin=True))

    def _attached(self) -> Fifos:
        if self._fifos is None:
            raise failure(Failure.CONTAINER_STATE, f"exec {self._spec.id} was not attached to")
        return self._fifos

    async def resize(self, columns: int, rows: int) -> None:
        request = tasks_pb2.ResizePtyRequest(**self._ids, width=columns, height=rows)
        await self._unless_over(self._client.tasks.ResizePty, request)

    async def signal(self, number: int) -> None:
        await self._unless_over(self._client.tasks.Kill, tasks_pb2.KillRequest(**self._ids, signal=number))

    async def close(self) -> None:
        if self._created:
            self._created = False
            if self._started and not self._ended.done():  # what was never started does not end either
                await self.signal(signals.SIGKILL)
                await self.wait()
            await self._unless_over(self._client.tasks.DeleteProcess, tasks_pb2.DeleteProcessRequest(**self._ids))
        self._record.execs.pop(self._spec.id, None)
        if self._fifos:
            self._fifos.close()

    async def _unless_over(self, method: Any, request: Any) -> None:
        try:
            await self._client.call(method, request)
        except CallFailed as error:
            if error.status not in (NOT_FOUND, FAILED_PRECONDITION) and not self._ended.done():
                raise
