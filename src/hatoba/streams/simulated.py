"""Log streams in memory: the twin of the ones on disk, for tests and the simulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from hatoba.core.clock import Clock
from hatoba.core.errors import PortError
from hatoba.streams import merge
from hatoba.streams.merge import Source
from hatoba.streams.port import Batch, Page, Query, Stats
from hatoba.streams.stream import Stream, check, fresh
from hatoba.streams.tail import Tail, Tails


class MemoryStreams:
    """`Streams` without a disk. `full` makes appends fail as a full disk would."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._streams: dict[str, Stream] = {}
        self._tails = Tails()
        self.full = False

    async def append(self, stream: str, batch: Batch) -> int:
        if self.full:
            raise PortError("DiskFull", "No space left on device: log streams")
        check(batch)
        known = self._streams.setdefault(stream, Stream([]))
        times, messages = fresh(batch, known.producers.get(batch.producer, -1))
        if not times:
            return 0
        events, _ = known.add(known.next, int(self._clock.now() * 1000), times, messages)
        if batch.producer:
            known.producers[batch.producer] = batch.ends[-1]
        self._tails.publish(stream, events)
        return len(times)

    async def read(self, query: Query) -> Page:
        sources: list[Source] = []
        for name in query.streams:
            if (stream := self._streams.get(name)) is not None and stream.active:
                events = stream.active
                sources.append(Source(name, events[0].time, events[-1].time, partial(list, events)))
        return merge.page(sources, query)

    async def stats(self, streams: Sequence[str]) -> list[Stats]:
        return [(self._streams.get(name) or Stream([])).stats() for name in streams]

    def subscribe(self, wants: Callable[[str], bool]) -> Tail:
        return self._tails.subscribe(wants)

    async def expire(self, stream: str, before: int) -> int:
        known = self._streams.get(stream)
        if known is None or not known.active or known.active[-1].time >= before:
            return 0
        freed = known.bytes
        known.active = []
        known.summarise()
        return freed

    async def delete(self, stream: str) -> None:
        self._streams.pop(stream, None)

    async def close(self) -> None:
        self._tails.close()
