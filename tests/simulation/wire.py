"""Connections in memory, with what real ones do: they are slow now and then, they break, and they fall silent.

Within a connection everything arrives in order, as TCP has it; between connections nothing is in order.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from typing import Any

from hatoba.fleet.session import Sessions

SILENCE = 15.0  # seconds after which an end gives up on one that does not answer


class End:
    """One end's writer: what `asyncio.StreamWriter` is to the sessions."""

    def __init__(self, link: Link, name: str) -> None:
        self.link = link
        self.name = name
        self.reader = asyncio.StreamReader()
        self.other: End
        self.closed = False
        self._arrives = 0.0
        self._under_way: deque[bytes] = deque()

    def write(self, data: bytes) -> None:
        if self.closed:
            return
        loop = asyncio.get_running_loop()
        if self.link.cut:  # nobody acknowledges it: in the end the connection is given up
            loop.call_later(SILENCE, self._break, ConnectionResetError("it timed out"))
            return
        self._under_way.append(data)
        self._arrives = max(self._arrives, loop.time() + self.link.delay())
        loop.call_at(self._arrives, self._arrive)

    def _arrive(self) -> None:
        self.other.receive(self._under_way.popleft())  # timers of the same time fire in no order; bytes do arrive in it

    def receive(self, data: bytes) -> None:
        if not self.closed and not self.link.cut:
            self.reader.feed_data(data)

    def _break(self, error: Exception) -> None:
        if not self.closed:
            self.closed = True
            self.reader.set_exception(error)

    async def drain(self) -> None:
        await asyncio.sleep(0)
        if self.closed:
            raise ConnectionResetError

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self.reader.feed_eof()
        if not self.link.cut:
            loop = asyncio.get_running_loop()
            loop.call_at(max(self._arrives, loop.time() + self.link.delay()), self.other.hang_up)

    def hang_up(self) -> None:
        if not self.closed:
            self.closed = True
            self.reader.feed_eof()

    def get_extra_info(self, name: str) -> Any:
        return {"subject": ((("commonName", self.name),),)} if name == "peercert" else None


class Link:
    """The way between one node and the control plane. `cut`: nothing gets through, and nobody is told."""

    def __init__(self, node: str, seed: int) -> None:
        self.node = node
        self.cut = False
        self._random = random.Random(seed)
        self._ends: list[End] = []

    def delay(self) -> float:
        """Mostly a millisecond, sometimes much longer."""
        return self._random.expovariate(1000.0) + (self._random.random() < 0.05) * self._random.uniform(0.0, 2.0)

    async def connect(self, sessions: Sessions | None) -> tuple[Any, Any]:
        await asyncio.sleep(self.delay())
        if self.cut:
            await asyncio.sleep(SILENCE)
            raise ConnectionRefusedError("nobody answers")
        if sessions is None:
            raise ConnectionRefusedError("nobody listens")
        here, there = End(self, self.node), End(self, self.node)
        here.other, there.other = there, here
        self._ends += (here, there)
        self._serving = asyncio.get_running_loop().create_task(sessions.accept(there.reader, there))  # type: ignore[arg-type]
        return here.reader, here

    def drop(self) -> None:
        """The connections break, at both ends at once."""
        for end in self._ends:
            end.hang_up()
        self._ends.clear()
