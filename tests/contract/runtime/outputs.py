"""Running a container to its end and reading what it wrote, as a log spooler would: from FIFOs of our own."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from hatoba.runtime.base import Exit, Stdio
from tests.contract.runtime.worlds import World, spec


class Output:
    """A FIFO and a thread that empties it: it ends when the last writer has gone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(self._descriptor, True)

    async def text(self) -> str:
        return await asyncio.to_thread(self._read)

    def _read(self) -> str:
        parts = []
        while part := os.read(self._descriptor, 65536):
            parts.append(part)
        os.close(self._descriptor)
        return b"".join(parts).decode()


async def run(world: World, folder: Path, *args: str, id: str = "c", **more: Any) -> tuple[str, Exit]:
    """What it wrote (both streams) and how it ended."""
    output = Output(folder / f"{id}.out")
    terminal = more.pop("terminal", False)
    stdio = Stdio(stdout=str(output.path), stderr=str(output.path), terminal=terminal)
    await world.runtime.create(await spec(world, id, *args, stdio=stdio, **more))
    await world.runtime.start(id)
    text = await output.text()
    exit = await world.runtime.wait(id)
    await world.runtime.delete(id)
    return text, exit


async def shell(world: World, folder: Path, script: str, **more: Any) -> str:
    return (await run(world, folder, "sh", "-c", script, **more))[0]
