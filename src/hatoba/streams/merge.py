"""Reading in order of time from many places at once, holding little. Pure but for the loaders handed in.

A *source* knows the range of times it covers and can be loaded. Sources are opened only when the reading reaches their
range, so a long history is read one block at a time; where ranges overlap (several streams, late events) the open ones
are merged by a heap.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from heapq import heappop, heappush, heapreplace
from typing import NamedTuple

from hatoba.streams.blocks import size_of
from hatoba.streams.port import EVENT_OVERHEAD, Event, Located, Page, Position, Query

_BUFFERED = 20_000  # events held over all open sources
_LEAST = 16


class Source(NamedTuple):
    """Events of one stream between two times, both included, in order once loaded."""

    stream: str
    low: int
    high: int
    load: Callable[[], list[Event]]


class _Reader:
    """An open source: a window of its next events. Beyond the window it is loaded again, so that memory stays bounded
    however many sources overlap."""

    __slots__ = ("_at", "_events", "_query", "_source", "_window", "stream")

    def __init__(self, source: Source, query: Query, window: int) -> None:
        self.stream = source.stream
        self._source = source
        self._query = query
        self._window = window
        self._at: Position | None = query.after
        self._events: list[Event] = []  # the next one last

    def peek(self) -> Event | None:
        """The next event; None at the end."""
        if not self._events:
            self._events = self._fill()
        return self._events[-1] if self._events else None

    def take(self) -> Event:
        """The event that was peeked at."""
        return self._events.pop()

    def _fill(self) -> list[Event]:
        query, events = self._query, self._source.load()
        low = 0 if query.start is None else bisect_left(events, query.start, key=_time)
        high = len(events) if query.end is None else bisect_left(events, query.end, key=_time)
        if self._at is not None:
            place = bisect_left(events, self._at, key=self._place)
            if query.backward:
                high = min(high, place)
            else:
                low = max(low, place + (place < len(events) and self._place(events[place]) == self._at))
        if query.backward:
            picked = events[max(low, high - self._window) : max(low, high)]
        else:
            picked = events[low : max(low, min(high, low + self._window))][::-1]
        if picked:
            self._at = self._place(picked[0])
        return picked

    def _place(self, event: Event) -> Position:
        return Position(event.time, self.stream, event.sequence)


def _time(event: Event) -> int:
    return event.time


def merged(sources: list[Source], query: Query) -> Iterator[Located]:
    """Every event that the query's times and position admit, in order."""
    sign = -1 if query.backward else 1
    rank = {stream: sign * number for number, stream in enumerate(sorted({source.stream for source in sources}))}
    waiting = [source for source in sources if overlaps(source.low, source.high, query)]
    waiting.sort(key=lambda source: -sign * _near(source, query))  # the nearest last, where it is popped
    window = max(_LEAST, _BUFFERED // max(1, len(waiting)))
    readers: list[_Reader] = []
    heads: list[tuple[int, int, int, int]] = []  # of each open source: time, stream, sequence; the reader's number

    def head(number: int) -> tuple[int, int, int, int] | None:
        reader = readers[number]
        event = reader.peek()
        if event is None:
            return None
        return sign * event.time, rank[reader.stream], sign * event.sequence, number

    while waiting or heads:
        # Open everything that may hold what comes next.
        while waiting and (not heads or sign * _near(waiting[-1], query) <= heads[0][0]):
            readers.append(_Reader(waiting.pop(), query, window))
            if entry := head(len(readers) - 1):
                heappush(heads, entry)
        if heads:
            number = heads[0][3]
            yield Located(readers[number].stream, readers[number].take())
            if entry := head(number):
                heapreplace(heads, entry)
            else:
                heappop(heads)


def _near(source: Source, query: Query) -> int:
    return source.high if query.backward else source.low


def overlaps(low: int, high: int, query: Query) -> bool:
    """Whether something between two times, both included, may be wanted."""
    if (query.start is not None and high < query.start) or (query.end is not None and low >= query.end):
        return False
    if query.after is None:
        return True
    return low <= query.after.time if query.backward else high >= query.after.time


def page(sources: list[Source], query: Query) -> Page:
    """As much as the query's bounds allow."""
    found: list[Located] = []
    last = query.after
    held = 0
    for scanned, located in enumerate(merged(sources, query)):
        matches = query.match is None or query.match(located.event.message)
        weight = size_of(located.event.message) + EVENT_OVERHEAD if matches else 0
        # One event always fits, or reading would never go on.
        if scanned == query.max_scan or len(found) == query.limit or (found and held + weight > query.max_bytes):
            return Page(events=found, last=last, complete=False)
        last = located.position
        if matches:
            found.append(located)
            held += weight
    return Page(events=found, last=last, complete=True)
