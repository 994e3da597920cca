"""What is kept of a session in a log group: its output, line by line, in a stream of the session's name.

A session that is to be logged is not held without its log: when lines cannot be kept, it ends and says so. Output waits
until it is written, so nothing gathers here. What only moves a cursor or paints is left out, as the agent does.
"""

from __future__ import annotations

import asyncio
import re

from hatoba.core.clock import Clock
from hatoba.core.errors import AwsError, HatobaError
from hatoba.gateway.call import Client

EVERY = 1.0  # seconds
AT_ONCE = 64 * 1024  # bytes that are written without waiting for the next second
LONGEST = 16 * 1024  # bytes of a line
MOST_EVENTS = 5_000  # of one request

_PAINT = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # window titles
    r"|\x1b[@-Z\\-_]"
    r"|[\x00-\x08\x0b-\x1f\x7f]"
)


class NotLogged(HatobaError):
    """The session cannot be logged, and must not be held; the text says why."""


def lines(text: str) -> list[str]:
    """What is legible of it."""
    return [line for line in (_PAINT.sub("", each) for each in text.split("\n")) if line.strip()]


class Transcript:
    def __init__(self, logs: Client, group: str, stream: str, clock: Clock) -> None:
        self._logs = logs
        self._group = group
        self._stream = stream
        self._clock = clock
        self._pending = bytearray()
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        """Raises `NotLogged`."""
        try:
            await self._logs.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        except AwsError as error:
            raise NotLogged(
                f"The session cannot be logged to {self._group}: {error.message} Create the log group, or change the "
                "cluster's executeCommandConfiguration."
            ) from error

    async def write(self, data: bytes) -> None:
        self._pending += data
        if len(self._pending) >= AT_ONCE:
            await self.flush()

    async def keep(self) -> None:
        """Writes what has gathered, every second, until it is cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            await self.flush()

    async def flush(self, *, last: bool = False) -> None:
        """Whole lines; with `last` also one that has no end. Raises `NotLogged`."""
        async with self._writing:
            cut = len(self._pending) if last else self._pending.rfind(b"\n") + 1
            if cut == 0 and len(self._pending) >= LONGEST:
                cut = len(self._pending)
            text, self._pending = self._pending[:cut].decode(errors="replace"), self._pending[cut:]
            found = [line[at : at + LONGEST] for line in lines(text) for at in range(0, len(line), LONGEST)]
            for at in range(0, len(found), MOST_EVENTS):
                await self._put(found[at : at + MOST_EVENTS])

    async def _put(self, messages: list[str]) -> None:
        now = int(self._clock.now() * 1000)
        events = [{"timestamp": now, "message": message} for message in messages]
        try:
            await self._logs.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=events)
        except AwsError as error:
            raise NotLogged(f"The session's log in {self._group} cannot be written: {error.message}") from error
