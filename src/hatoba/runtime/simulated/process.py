"""A simulated process inside a simulated container."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

from hatoba.core.clock import Clock
from hatoba.runtime.base import ExecSpec, Exit
from hatoba.runtime.failures import Failure, failure
from hatoba.runtime.simulated.host import ExecBehaviour


class SimulatedProcess:
    """`base.Process`."""

    def __init__(self, spec: ExecSpec, behaviour: ExecBehaviour, clock: Clock, container_ended: asyncio.Event) -> None:
        self._spec = spec
        self._behaviour = behaviour
        self._clock = clock
        self._exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._input: asyncio.Queue[bytes] = asyncio.Queue()
        self._task = asyncio.ensure_future(self._run(container_ended))
        self.size = (spec.columns, spec.rows)

    async def _run(self, container_ended: asyncio.Event) -> None:
        """Ends when its time is over, or with the container."""
        if self._behaviour.echoes:
            await container_ended.wait()
            self._end(137)
            return
        try:
            async with asyncio.timeout(self._behaviour.runs):
                await container_ended.wait()
            self._end(137)
        except TimeoutError:
            self._end(self._behaviour.code)

    def _end(self, code: int) -> None:
        if not self._exit.done():
            self._exit.set_result(Exit(code=code, at=self._clock.now()))
            self._input.put_nowait(b"")

    async def wait(self) -> Exit:
        return await asyncio.shield(self._exit)

    def output(self) -> AsyncIterator[tuple[Literal["stdout", "stderr"], bytes]]:
        self._attached()
        return self._output()

    async def _output(self) -> AsyncIterator[tuple[Literal["stdout", "stderr"], bytes]]:
        if self._behaviour.stdout:
            yield "stdout", self._behaviour.stdout
        if self._behaviour.stderr:
            yield ("stdout" if self._spec.terminal else "stderr"), self._behaviour.stderr
        while self._behaviour.echoes and (data := await self._input.get()):
            yield "stdout", data
        await self.wait()

    async def write(self, data: bytes) -> None:
        self._attached()
        if self._exit.done():
            raise failure(Failure.CONTAINER_STATE, "the process takes no input any more")
        self._input.put_nowait(data)

    async def close_stdin(self) -> None:
        self._attached()
        if self._behaviour.echoes:
            self._end(self._behaviour.code)

    def _attached(self) -> None:
        if not self._spec.attach:
            raise failure(Failure.CONTAINER_STATE, f"exec {self._spec.id} was not attached to")

    async def resize(self, columns: int, rows: int) -> None:
        self.size = (columns, rows)

    async def signal(self, number: int) -> None:
        self._end(128 + number)

    async def close(self) -> None:
        self._end(137)
        self._task.cancel()
