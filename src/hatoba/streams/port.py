"""The interface of log streams, and the values that cross it.

Times are milliseconds since the epoch, given by whoever sends the events. Events are ordered by (time, stream,
sequence); the sequence counts within a stream, so an event's place never changes, restarts included.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

EVENT_OVERHEAD = 26
"""Bytes that one event counts for besides its text, in every size this engine reports."""


class Event(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False):
    """One line. Orders by time, then by arrival."""

    time: int
    sequence: int
    ingested: int
    message: str


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Events to append, in columns. With a producer, `ends` tells how far each event reaches in the producer's output:
    events up to a place that is stored already are skipped."""

    times: Sequence[int]
    messages: Sequence[str]
    producer: str = ""
    ends: Sequence[int] = ()


class Position(NamedTuple):
    """A place between events: directly at the event it names."""

    time: int
    stream: str
    sequence: int


class Located(NamedTuple):
    stream: str
    event: Event

    @property
    def position(self) -> Position:
        return Position(self.event.time, self.stream, self.event.sequence)


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What to read: `start <= time < end`, strictly beyond `after` in the direction of reading."""

    streams: Sequence[str]
    start: int | None = None
    end: int | None = None
    after: Position | None = None
    backward: bool = False
    limit: int = 10_000
    max_bytes: int = 1 << 20
    max_scan: int = 100_000  # events looked at, matching or not, before a page ends
    match: Callable[[str], bool] | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """`last` is where to go on: the last event looked at, matching or not. `complete`: there was no more."""

    events: list[Located]
    last: Position | None
    complete: bool


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    first_time: int | None
    last_time: int | None
    last_ingested: int | None
    bytes: int


class Subscription(Protocol):
    """New events as they become durable. Use as `async with`; `missed` counts what a slow reader was spared."""

    missed: int

    def __aiter__(self) -> AsyncIterator[list[Located]]: ...
    def close(self) -> None: ...


class Streams(Protocol):
    async def append(self, stream: str, batch: Batch) -> int:
        """Returns how many events were new, once they are durable. Raises `PortError`: then none of them is visible."""
        ...

    async def read(self, query: Query) -> Page: ...

    async def stats(self, streams: Sequence[str]) -> list[Stats]: ...

    def subscribe(self, wants: Callable[[str], bool]) -> Subscription: ...

    async def expire(self, stream: str, before: int) -> int:
        """Frees what lies wholly before the time, in whole segments. Returns the bytes freed on disk."""
        ...

    async def delete(self, stream: str) -> None:
        """Forgets a stream; appending to its id later begins a new one."""
        ...

    async def close(self) -> None: ...
