"""What is known in memory about one stream: its counters, its blocks on disk, and the events that are not there yet."""

from __future__ import annotations

from bisect import insort

from hatoba.core.errors import PortError
from hatoba.streams.blocks import size_of
from hatoba.streams.port import EVENT_OVERHEAD, Batch, Event, Stats
from hatoba.streams.segments import Block

_HELD_OVERHEAD = 120  # bytes that an event takes in memory beside its text


class Stream:
    """`active` and `frozen` are in order of time. `frozen` is on its way to disk, and empty otherwise."""

    __slots__ = ("active", "blocks", "bytes", "first", "frozen", "ingested", "last", "next", "producers")

    def __init__(self, blocks: list[Block]) -> None:
        self.blocks = blocks
        self.active: list[Event] = []
        self.frozen: list[Event] = []
        self.next = 0
        self.producers: dict[str, int] = {}
        if blocks:
            self.next = blocks[-1].summary.next
            self.producers = dict(blocks[-1].summary.producers)
        self.summarise()

    def summarise(self) -> None:
        """Counts anew from what there is."""
        held = self.frozen + self.active
        full = [block.summary for block in self.blocks if not block.summary.empty]
        self.first = min([s.min_time for s in full] + [event.time for event in held], default=None)
        self.last = max([s.max_time for s in full] + [event.time for event in held], default=None)
        self.ingested = max([s.ingested for s in full] + [event.ingested for event in held], default=None)
        self.bytes = sum(s.bytes for s in full) + sum(size_of(event.message) + EVENT_OVERHEAD for event in held)

    @property
    def idle(self) -> bool:
        return not self.active and not self.frozen

    def stats(self) -> Stats:
        return Stats(first_time=self.first, last_time=self.last, last_ingested=self.ingested, bytes=self.bytes)

    def add(self, first: int, ingested: int, times: list[int], messages: list[str]) -> tuple[list[Event], int]:
        """Makes durable events readable. Returns them, and the memory they take."""
        events = [
            Event(time, sequence, ingested, message)
            for sequence, (time, message) in enumerate(zip(times, messages, strict=True), first)
        ]
        text = sum(map(size_of, messages))
        active = self.active
        low, high = min(times), max(times)
        if times == sorted(times) and (not active or active[-1].time <= low):
            active += events
        else:
            for event in events:
                insort(active, event)
        self.next = first + len(events)
        self.bytes += text + EVENT_OVERHEAD * len(events)
        self.first = low if self.first is None else min(self.first, low)
        self.last = high if self.last is None else max(self.last, high)
        self.ingested = ingested if self.ingested is None else max(self.ingested, ingested)
        return events, text + _HELD_OVERHEAD * len(events)

    def freeze(self) -> None:
        self.frozen, self.active = self.active, []

    def thaw(self) -> None:
        """Takes back what could not be written."""
        self.active = sorted(self.frozen + self.active)
        self.frozen = []


def check(batch: Batch) -> None:
    """Raises `PortError` for what cannot be stored. Pure."""
    count = len(batch.times)
    if len(batch.messages) != count or (batch.producer and len(batch.ends) != count):
        raise PortError("BadBatch", "a batch's columns differ in length")
    if min(batch.times) < 0 or max(batch.times) >= 1 << 63:
        raise PortError("BadBatch", "a time is negative or beyond all calendars")
    try:
        "".join(batch.messages).encode()
    except UnicodeEncodeError as error:
        raise PortError("BadBatch", f"a text is not Unicode: {error.reason}") from None


def fresh(batch: Batch, reached: int) -> tuple[list[int], list[str]]:
    """The events of a batch beyond what the producer had reached. Pure."""
    times, messages = list(batch.times), list(batch.messages)
    if not batch.producer:
        return times, messages
    # `ends` rises, so what is known already is a beginning of the batch.
    known = next((i for i, end in enumerate(batch.ends) if end > reached), len(batch.ends))
    return (times[known:], messages[known:]) if known else (times, messages)
