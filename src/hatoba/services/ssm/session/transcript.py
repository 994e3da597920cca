"""What is kept of a session: its output, line by line, in a log group's stream or a bucket's object of its name.

A session that is to be logged is not held without its log: when lines cannot be kept, it ends and says so. Output waits
until it is written to a log group, so nothing gathers here; an object is written anew every minute in which there was
anything, and followed by a second one before it becomes large. What only moves a cursor or paints is left out, as the
agent does.
"""

from __future__ import annotations

import asyncio
import re
from typing import Protocol

from hatoba.core.clock import Clock
from hatoba.core.errors import AwsError, HatobaError
from hatoba.core.tasks import whole
from hatoba.gateway.call import Client
from hatoba.services.ssm.plan.sessions import object_key

EVERY = 1.0  # seconds
AT_ONCE = 64 * 1024  # bytes that are written without waiting for the next second
LONGEST = 16 * 1024  # bytes of a line
MOST_EVENTS = 5_000  # of one request
EVERY_OBJECT = 60.0  # seconds
OBJECT_BYTES = 8 * 1024 * 1024  # of one object

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


class Transcript(Protocol):
    async def open(self) -> None:
        """Raises `NotLogged`, as the others do."""
        ...

    async def write(self, data: bytes) -> None: ...

    async def keep(self) -> None:
        """Writes what has gathered, from time to time, until it is cancelled."""
        ...

    async def flush(self, *, last: bool = False) -> None:
        """Whole lines; with `last` also one that has no end."""
        ...


class InLogGroup:
    def __init__(self, logs: Client, group: str, stream: str, clock: Clock) -> None:
        self._logs = logs
        self._group = group
        self._stream = stream
        self._clock = clock
        self._pending = bytearray()
        self._writing = asyncio.Lock()

    async def open(self) -> None:
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
        while True:
            await asyncio.sleep(EVERY)
            await self.flush()

    async def flush(self, *, last: bool = False) -> None:
        async with self._writing:
            cut = len(self._pending) if last else self._pending.rfind(b"\n") + 1
            if cut == 0 and len(self._pending) >= LONGEST:
                cut = len(self._pending)
            text, self._pending = self._pending[:cut].decode(errors="replace"), self._pending[cut:]
            found = [line[at : at + LONGEST] for line in lines(text) for at in range(0, len(line), LONGEST)]
            await whole(self._put(found))

    async def _put(self, messages: list[str]) -> None:
        now = int(self._clock.now() * 1000)
        events = [{"timestamp": now, "message": message} for message in messages]
        try:
            for at in range(0, len(events), MOST_EVENTS):
                some = events[at : at + MOST_EVENTS]
                await self._logs.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=some)
        except AwsError as error:
            raise NotLogged(f"The session's log in {self._group} cannot be written: {error.message}") from error


class InBucket:
    """`session`: its id. What gathers here is one object's."""

    def __init__(self, s3: Client, bucket: str, prefix: str, session: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix
        self._session = session
        self._number = 1
        self._raw = bytearray()  # a line that has no end yet
        self._text = bytearray()
        self._news = False
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        """The object is there from the beginning, empty: then it is known that it can be."""
        await self._put("cannot be logged to")

    async def write(self, data: bytes) -> None:
        self._raw += data
        if self._take(whole=len(self._raw) < LONGEST) and len(self._text) >= OBJECT_BYTES:
            await self.flush()

    def _take(self, *, whole: bool) -> bool:
        """Lines from what came; whether there were any."""
        cut = self._raw.rfind(b"\n") + 1 if whole else len(self._raw)
        found = lines(self._raw[:cut].decode(errors="replace"))
        del self._raw[:cut]
        self._text += "".join(f"{line}\n" for line in found).encode()
        self._news = self._news or bool(found)
        return bool(found)

    async def keep(self) -> None:
        while True:
            await asyncio.sleep(EVERY_OBJECT)
            await self.flush()

    async def flush(self, *, last: bool = False) -> None:
        async with self._writing:
            self._take(whole=not last)
            if not self._news:
                return
            self._news = False
            await whole(self._put("cannot go on being logged to"))
            if len(self._text) >= OBJECT_BYTES:
                self._number += 1
                self._text.clear()

    async def _put(self, what: str) -> None:
        key = object_key(self._prefix, self._session, self._number)
        try:
            await self._s3.put_object(Bucket=self._bucket, Key=key, Body=bytes(self._text), ContentType="text/plain")
        except AwsError as error:
            raise NotLogged(
                f"The session {what} the bucket {self._bucket}: {error.message} Change the bucket, or the cluster's "
                "executeCommandConfiguration."
            ) from error


class InBoth:
    def __init__(self, *parts: Transcript) -> None:
        self._parts = parts

    async def open(self) -> None:
        for part in self._parts:
            await part.open()

    async def write(self, data: bytes) -> None:
        for part in self._parts:
            await part.write(data)

    async def keep(self) -> None:
        work = [asyncio.create_task(part.keep()) for part in self._parts]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for each in work:
                if each.done():
                    each.result()
        finally:
            for each in work:
                each.cancel()
            await asyncio.wait(work)

    async def flush(self, *, last: bool = False) -> None:
        for part in self._parts:
            await part.flush(last=last)
