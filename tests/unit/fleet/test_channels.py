"""Processes on a node, watched from the control plane: over real TLS, with real processes (of this machine, not of a
container: tests/contract/runtime has those)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest

from hatoba.core.clock import SystemClock
from hatoba.core.errors import PortError
from hatoba.core.records import replace
from hatoba.fleet import channels as ch
from hatoba.fleet import messages as msg
from hatoba.fleet.channels import Channel, ChannelLost, Wanted
from hatoba.node.executions import Executions
from hatoba.runtime.base import ExecSpec, Exit, Process
from hatoba.runtime.failures import Failure, failure
from hatoba.runtime.simulated import SimulatedHost, SimulatedRuntime
from tests.unit.fleet.connected import Control, Node, fleet, until


class Local:
    """`runtime.base.Process` of a process on this machine."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.size = (0, 0)

    async def wait(self) -> Exit:
        # asyncio's own waits for the streams too, which others may hold open.
        await until(lambda: self.process.returncode is not None, 120.0)
        code = self.process.returncode
        assert code is not None
        return Exit(code=code if code >= 0 else 128 - code, at=0.0)

    async def output(self) -> AsyncIterator[tuple[Literal["stdout", "stderr"], bytes]]:
        queue: asyncio.Queue[tuple[Literal["stdout", "stderr"], bytes]] = asyncio.Queue(maxsize=4)

        async def pump(name: Literal["stdout", "stderr"], reader: asyncio.StreamReader) -> None:
            while data := await reader.read(1 << 16):
                await queue.put((name, data))
            await queue.put((name, b""))

        assert self.process.stdout is not None
        assert self.process.stderr is not None
        pumps = [
            asyncio.ensure_future(pump("stdout", self.process.stdout)),
            asyncio.ensure_future(pump("stderr", self.process.stderr)),
        ]
        try:
            left = 2
            while left:
                stream, data = await queue.get()
                left -= not data
                if data:
                    yield stream, data
        finally:
            for each in pumps:
                each.cancel()

    async def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(data)
            await self.process.stdin.drain()
        except OSError as error:
            raise failure(Failure.CONTAINER_STATE, str(error)) from error

    async def close_stdin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    async def resize(self, columns: int, rows: int) -> None:
        self.size = (columns, rows)

    async def signal(self, number: int) -> None:
        if self.process.returncode is None:
            self.process.send_signal(number)

    async def close(self) -> None:
        await self.signal(signal.SIGKILL)
        await self.wait()
        self.process._transport.close()  # type: ignore[attr-defined]


def _as_in_a_container() -> None:
    """Whoever runs the tests may do so under `nohup`."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class LocalRuntime(SimulatedRuntime):
    """Whatever is executed runs on this machine."""

    def __init__(self) -> None:
        super().__init__(SimulatedHost(SystemClock()))
        self.started: list[Local] = []

    async def exec(self, id: str, spec: ExecSpec) -> Process:  # type: ignore[override]
        if spec.args[0] == "missing":
            raise failure(Failure.CONTAINER_START, 'exec: "missing": executable file not found in $PATH')
        pipe = asyncio.subprocess.PIPE
        made = Local(
            await asyncio.create_subprocess_exec(
                *spec.args, stdin=pipe, stdout=pipe, stderr=pipe, preexec_fn=_as_in_a_container
            )
        )
        self.started.append(made)
        return made


@asynccontextmanager
async def executing(folder: Path, nodes: int = 1) -> AsyncIterator[tuple[Control, list[Node], LocalRuntime]]:
    async with fleet(folder, nodes) as (control, all_):
        runtime = LocalRuntime()
        found = {("w1", "app"): "w1-app"}
        executions = Executions(runtime, all_[0].session.dial, lambda w, c: found.get((w, c)), "exec-test")
        all_[0].execute = executions.execute  # type: ignore[method-assign]
        all_[0].session._execute = executions.execute
        control.want("w1", all_[0].id)
        try:
            yield control, all_, runtime
        finally:
            await executions.close()


async def opened(control: Control, *args: str, container: str = "app") -> Channel:
    workload = control.want("w1", control.sessions.connected[0])
    return await control.sessions.execute(workload, Wanted(container=container, args=args))


async def all_of(channel: Channel) -> tuple[bytes, bytes, int]:
    out, err = [], []
    assert isinstance(await channel.receive(), ch.Running)
    while True:
        match await channel.receive():
            case ch.Output(data=data, error=error):
                (err if error else out).append(data)
            case ch.Ended(code=code):
                channel.close()
                return b"".join(out), b"".join(err), code


async def test_output_streams_and_exit_code(tmp_path: Path) -> None:
    async with executing(tmp_path) as (control, _, _):
        channel = await opened(control, "sh", "-c", "echo out; echo err >&2; exit 3")
        assert await all_of(channel) == (b"out\n", b"err\n", 3)
        channel = await opened(control, "sh", "-c", "kill -9 $$")
        assert await all_of(channel) == (b"", b"", 137)


async def test_megabytes_in_both_directions_at_once(tmp_path: Path) -> None:
    async with executing(tmp_path) as (control, _, _):
        channel = await opened(control, "cat")
        data = os.urandom(3 << 20)

        async def write() -> None:
            for at in range(0, len(data), 50_000):
                await channel.send(ch.Input(data=data[at : at + 50_000]))
            await channel.send(ch.InputEnd())

        writing = asyncio.create_task(write())
        out, _, code = await all_of(channel)
        await writing
        assert (out == data, code) == (True, 0)


async def test_a_process_that_reads_nothing_stops_its_writer_and_nobody_else(tmp_path: Path) -> None:
    async with executing(tmp_path) as (control, (node,), runtime):
        channel = await opened(control, "sleep", "60")
        assert isinstance(await channel.receive(), ch.Running)
        receiving = asyncio.create_task(channel.receive())
        sent = 0

        async def write() -> None:
            nonlocal sent
            while True:
                await channel.send(ch.Input(data=bytes(10_000)))
                sent += 10_000

        writing = asyncio.create_task(write())
        await until(lambda: sent >= ch.WINDOW // 2)
        node.say("w1", 1, "running")
        await until(lambda: ("workload", "w1", 1) in node.heard.acknowledgements)
        assert sent < 1 << 20
        await channel.send(ch.Resize(columns=100, rows=30))  # is not behind the input
        await until(lambda: runtime.started[0].size == (100, 30))
        for task in (writing, receiving):
            task.cancel()
        channel.close()
        await until(lambda: runtime.started[0].process.returncode is not None)
        assert runtime.started[0].process.returncode == -signal.SIGHUP


async def test_a_watcher_that_reads_nothing_slows_its_process_down_and_nobody_else(tmp_path: Path) -> None:
    async with executing(tmp_path) as (control, (node,), runtime):
        channel = await opened(control, "sh", "-c", "head -c 64000000 /dev/zero")
        await until(lambda: len(runtime.started) == 1)
        node.say("w1", 1, "running")
        await until(lambda: ("workload", "w1", 1) in node.heard.acknowledgements)
        assert runtime.started[0].process.returncode is None, "it waits"
        out, _, code = await all_of(channel)
        assert (len(out), code) == (64_000_000, 0)


async def test_what_holds_the_output_open_is_not_waited_for(tmp_path: Path) -> None:
    async with executing(tmp_path) as (control, _, _):
        channel = await opened(control, "sh", "-c", "sleep 30 & echo $!; exit 4")
        began = time.monotonic()
        out, _, code = await all_of(channel)
        assert code == 4
        assert time.monotonic() - began < 5
        os.kill(int(out), signal.SIGKILL)


async def test_what_ignores_the_hangup_is_killed(tmp_path: Path) -> None:
    async with executing(tmp_path) as (control, _, runtime):
        channel = await opened(control, "sh", "-c", "trap '' HUP; echo ready; while :; do sleep 0.1; done")
        assert isinstance(await channel.receive(), ch.Running)
        assert await channel.receive() == ch.Output(data=b"ready\n")
        channel.close()
        await until(lambda: runtime.started[0].process.returncode == -signal.SIGKILL)


@pytest.mark.parametrize(
    ("container", "args", "code"),
    [("other", ("true",), "container-not-running"), ("app", ("missing",), "container-start")],
)
async def test_what_cannot_be_started_says_why(
    tmp_path: Path, container: str, args: tuple[str, ...], code: str
) -> None:
    async with executing(tmp_path) as (control, _, _):
        answer = await (await opened(control, *args, container=container)).receive()
        assert isinstance(answer, ch.Failed)
        assert answer.code == code


async def test_a_process_that_closes_its_input_goes_on(tmp_path: Path) -> None:
    async with executing(tmp_path) as (control, _, _):
        channel = await opened(control, "sh", "-c", "exec <&-; sleep 0.2; echo still here")
        for _ in range(20):
            await channel.send(ch.Input(data=bytes(1000)))
        await channel.send(ch.InputEnd())
        assert await all_of(channel) == (b"still here\n", b"", 0)


async def test_a_node_that_ends_or_is_lost_ends_its_channels(tmp_path: Path) -> None:
    async with executing(tmp_path) as (control, (node,), runtime):
        channel = await opened(control, "sleep", "60")
        assert isinstance(await channel.receive(), ch.Running)
        control.sessions._lost(node.id)
        with pytest.raises(ChannelLost, match="node was lost"):
            await channel.receive()
        with pytest.raises(ChannelLost, match="node was lost"):
            await channel.send(ch.Input(data=b"x"))
        await until(lambda: runtime.started[0].process.returncode is not None)
        await until(lambda: len(control.sessions.channels) == 0)


async def test_who_is_not_connected_or_too_old_is_not_asked(tmp_path: Path) -> None:
    async with executing(tmp_path) as (control, (node,), _):
        workload = control.want("w1", node.id)
        with pytest.raises(PortError) as refused:
            await control.sessions.execute(replace(workload, node="nobody"), Wanted(container="app", args=("true",)))
        assert refused.value.code == "disconnected"
        control.sessions._sessions[node.id].protocol = 1
        with pytest.raises(PortError) as refused:
            await opened(control, "true")
        assert refused.value.code == "too-old"


async def test_only_the_node_that_was_asked_may_answer_and_once(tmp_path: Path) -> None:
    async with fleet(tmp_path, 2) as (control, (one, two)):
        workload = control.want("w1", one.id)
        asking = asyncio.create_task(control.sessions.execute(workload, Wanted(container="app", args=("true",))))
        await until(lambda: len(one.executed) == 1)
        name = one.executed[0].channel

        async def dialled(node: Node, channel: str) -> asyncio.StreamReader:
            reader, writer = await node.session.dial()
            writer.write(msg.frame(msg.Dialled(channel=channel)))
            return reader

        for reader in (await dialled(two, name), await dialled(one, "0" * 32)):
            assert await reader.read() == b""
        assert not asking.done()
        await dialled(one, name)
        channel = await asking
        assert await (await dialled(one, name)).read() == b""
        channel.close()
