"""The real log streams: on disk, written by this process alone.

Appends of all streams wait together for the next *flush*: one write and one sync of the journal. Then they become
readable, in memory. When memory holds enough, a *checkpoint* moves it into the streams' own segments and drops the
journal's files. All state changes on the event loop; threads only read and write files.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from hatoba.core.clock import Clock
from hatoba.core.errors import PortError, Refused
from hatoba.core.tasks import TaskGroup
from hatoba.streams import merge, segments
from hatoba.streams.journal import Appended, Deleted, Entry, Journal, frame, sync_folder
from hatoba.streams.merge import Source
from hatoba.streams.port import Batch, Page, Query, Stats
from hatoba.streams.segments import Block
from hatoba.streams.stream import Stream, check, fresh
from hatoba.streams.tail import Tail, Tails

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)

HELD_BYTES = 16 << 20  # memory at which a checkpoint begins; at twice that, appends wait for it
KNOWN_STREAMS = 10_000  # streams whose summaries are kept in memory
RETRY_SECONDS = 1.0  # after a checkpoint that failed


class _Waiting:
    """An append that has not been flushed."""

    __slots__ = ("batch", "done", "stream")

    def __init__(self, stream: str, batch: Batch | None, done: asyncio.Future[int]) -> None:
        self.stream = stream
        self.batch = batch  # None: delete the stream
        self.done = done


class DiskStreams:
    """`Streams` on disk. Make it with `open`."""

    def __init__(self, root: Path, lock: int, clock: Clock, held_bytes: int) -> None:
        self._root = root
        self._lock_file = lock
        self._clock = clock
        self._limit = held_bytes
        self._journal = Journal(root)
        self._streams: dict[str, Stream] = {}
        self._held = 0  # bytes in memory that are not in segments
        self._tails = Tails()
        self._waiting: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._files = asyncio.Lock()  # whoever changes segments holds it
        self._tasks = TaskGroup("streams")
        self._flusher: asyncio.Task[None] | None = None
        self._checkpoint: asyncio.Task[None] | None = None
        self._writer = ThreadPoolExecutor(1, "streams-journal")
        self._readers = ThreadPoolExecutor(2, "streams-files")
        self._stuck = False  # the last checkpoint failed
        self._next_attempt = 0.0  # monotonic
        self._closing = False

    @classmethod
    async def open(cls, root: Path, clock: Clock, *, held_bytes: int = HELD_BYTES) -> DiskStreams:
        """Takes the folder, and reads back what was answered. Raises `Refused`."""
        lock = _take(root)
        self = cls(root, lock, clock, held_bytes)
        await self._in(self._writer, self._replay)
        self._flusher = self._tasks.start(self._flushes(), "flush")
        return self

    def _replay(self) -> None:
        """What the journal holds and the segments do not. Runs before anything else does."""
        for entry in self._journal.replay():
            if isinstance(entry, Deleted):
                self._streams.pop(entry.stream, None)
                segments.remove_stream(self._folder(entry.stream))
                continue
            stream = self._streams.get(entry.stream)
            if stream is None:
                stream = self._streams[entry.stream] = Stream(segments.load(self._folder(entry.stream)))
            if entry.first >= stream.next:
                self._apply(stream, entry)

    def _folder(self, stream: str) -> Path:
        return segments.folder(self._root, stream)

    def _apply(self, stream: Stream, entry: Appended) -> None:
        events, held = stream.add(entry.first, entry.ingested, entry.times, entry.messages)
        self._held += held
        if entry.producer:
            stream.producers[entry.producer] = entry.high
        self._tails.publish(entry.stream, events)

    # --- appending

    async def append(self, stream: str, batch: Batch) -> int:
        if not batch.times:
            return 0
        check(batch)  # here, where it concerns nobody else
        return await self._submit(stream, batch)

    async def delete(self, stream: str) -> None:
        async with self._files:
            await self._submit(stream, None)
            await self._in(self._readers, segments.remove_stream, self._folder(stream))

    async def _submit(self, stream: str, batch: Batch | None) -> int:
        if self._closing:
            raise PortError("Closed", "the log streams are being closed")
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(stream, batch, done))
        self._wake.set()
        return await done

    async def _flushes(self) -> None:
        try:
            while not (self._closing and not self._waiting):
                await self._wake.wait()
                self._wake.clear()
                if self._held > 2 * self._limit:
                    await self._begin_checkpoint()
                    if self._checkpoint is not None:
                        await asyncio.wait([self._checkpoint])
                batch, self._waiting = self._waiting, []
                if batch:
                    await self._flush(batch)
                if self._held > self._limit or self._journal.size > 4 * self._limit:
                    await self._begin_checkpoint()
                self._forget_idle()
        finally:
            # Nobody may wait for a flush that never comes.
            self._closing = True
            _fail(self._waiting, PortError("Closed", "the log streams have ended"))

    async def _flush(self, batch: list[_Waiting]) -> None:
        """One write and one sync for everybody who waits."""
        try:
            if self._stuck and self._held > 2 * self._limit:
                raise PortError("DiskFull", "log events cannot be moved out of memory: the disk takes no more")
            await self._know([waiting.stream for waiting in batch])
            entries, counts = self._prepare(batch)
            if entries:
                await self._in(self._writer, self._journal.write, b"".join(map(frame, entries)))
        except PortError as error:
            _fail(batch, error)
            return
        for entry in entries:
            if isinstance(entry, Deleted):
                self._streams[entry.stream] = Stream([])
            else:
                self._apply(self._streams[entry.stream], entry)
        for waiting, count in zip(batch, counts, strict=True):
            if not waiting.done.done():
                waiting.done.set_result(count)

    def _prepare(self, batch: list[_Waiting]) -> tuple[list[Entry], list[int]]:
        """What to write, and how many events of each append are new. Changes nothing: the write may yet fail."""
        entries: list[Entry] = []
        counts: list[int] = []
        next_: dict[str, int] = {}
        reached: dict[tuple[str, str], int] = {}
        gone: set[str] = set()
        now = int(self._clock.now() * 1000)
        for waiting in batch:
            name, wanted = waiting.stream, waiting.batch
            if wanted is None:
                entries.append(Deleted(name))
                counts.append(0)
                next_[name] = 0
                gone.add(name)
                reached = {key: high for key, high in reached.items() if key[0] != name}
                continue
            stream = self._streams[name]
            producers = {} if name in gone else stream.producers
            high = reached.get((name, wanted.producer), producers.get(wanted.producer, -1))
            times, messages = fresh(wanted, high)
            counts.append(len(times))
            if not times:
                continue
            if wanted.producer:
                high = reached[name, wanted.producer] = wanted.ends[-1]
            first = next_.get(name, stream.next)
            next_[name] = first + len(times)
            entries.append(Appended(name, first, now, wanted.producer, high, times, messages))
        return entries, counts

    # --- reading

    async def read(self, query: Query) -> Page:
        await self._know(query.streams)
        sources = [source for name in query.streams for source in self._sources(name, query)]
        return await self._in(self._readers, merge.page, sources, query)

    def _sources(self, name: str, query: Query) -> list[Source]:
        stream = self._streams.get(name)
        if stream is None:
            return []
        sources = [
            Source(name, block.summary.min_time, block.summary.max_time, partial(segments.read, block))
            for block in stream.blocks
            if not block.summary.empty
        ]
        for events in (stream.frozen, stream.active):
            if events and merge.overlaps(events[0].time, events[-1].time, query):
                held = list(events)  # what is appended from now on belongs to the next page
                sources.append(Source(name, held[0].time, held[-1].time, held.copy))
        return sources

    async def stats(self, streams: Sequence[str]) -> list[Stats]:
        await self._know(streams)
        return [self._streams[name].stats() if name in self._streams else Stream([]).stats() for name in streams]

    def subscribe(self, wants: Callable[[str], bool]) -> Tail:
        return self._tails.subscribe(wants)

    async def _know(self, names: Sequence[str]) -> None:
        """Loads the summaries of streams that are not in memory."""
        missing = [name for name in names if name not in self._streams]
        if not missing:
            return
        loaded = await self._in(self._readers, self._load, missing)
        for name, stream in zip(missing, loaded, strict=True):
            self._streams.setdefault(name, stream)

    def _load(self, names: list[str]) -> list[Stream]:
        return [Stream(segments.load(self._folder(name))) for name in names]

    def _forget_idle(self) -> None:
        if len(self._streams) <= KNOWN_STREAMS or self._waiting or self._files.locked():
            return  # whoever changes segments relies on what it has read of them
        idle = [name for name, stream in self._streams.items() if stream.idle]
        for name in idle[: len(self._streams) - KNOWN_STREAMS * 3 // 4]:
            del self._streams[name]

    # --- from memory into segments

    async def _begin_checkpoint(self) -> None:
        """Called between flushes, so that what the journal's files so far hold is exactly what is in memory."""
        if self._files.locked() or self._clock.monotonic() < self._next_attempt:
            return
        await self._files.acquire()
        upto = await self._in(self._writer, self._journal.rotate)
        moving = [_Moving(name, stream) for name, stream in self._streams.items() if stream.active]
        self._checkpoint = self._tasks.start(self._move(moving, upto, self._held), "checkpoint")

    async def _move(self, moving: list[_Moving], upto: int, held: int) -> None:
        try:
            results = await self._in(self._readers, self._write_all, moving)
            for moved, result in zip(moving, results, strict=True):
                if isinstance(result, PortError):
                    moved.stream.thaw()
                else:
                    moved.stream.blocks = moved.stream.blocks + result
                    moved.stream.frozen = []
            failures = [result for result in results if isinstance(result, PortError)]
            self._stuck = bool(failures)
            if failures:
                self._next_attempt = self._clock.monotonic() + RETRY_SECONDS
                log.error("%d log streams cannot be written to their segments: %s", len(failures), failures[0])
                return
            self._held -= held
            await self._in(self._writer, self._journal.drop, upto)
        finally:
            self._files.release()

    def _write_all(self, moving: list[_Moving]) -> list[list[Block] | PortError]:
        results: list[list[Block] | PortError] = []
        for moved in moving:
            try:
                results.append(
                    segments.append(
                        self._folder(moved.name), moved.stream.blocks, moved.events, moved.next, moved.producers
                    )
                )
            except PortError as error:
                results.append(error)
        return results

    async def expire(self, stream: str, before: int) -> int:
        async with self._files:
            await self._know([stream])
            known = self._streams[stream]
            gone = segments.expired(known.blocks, before)
            if not gone:
                return 0
            paths = {block.path for block in gone}
            left = [block for block in known.blocks if block.path not in paths]
            newest = known.blocks[-1]
            if newest.path in paths:
                # The newest block carries the counters: they outlive it.
                left += await self._in(
                    self._readers,
                    segments.append,
                    self._folder(stream),
                    left,
                    [],
                    newest.summary.next,
                    newest.summary.producers,
                )
            known.blocks = left
            known.summarise()
            await self._in(self._readers, segments.remove, paths)
            return sum(block.size for block in gone)

    # --- closing

    async def close(self) -> None:
        """Answers what waits, then lets go of the folder."""
        self._closing = True
        self._wake.set()
        if self._flusher is not None:
            await self._flusher
        if self._checkpoint is not None:
            await asyncio.wait([self._checkpoint])
        self._tails.close()
        await self._in(self._writer, self._journal.close)
        self._writer.shutdown()
        self._readers.shutdown()
        os.close(self._lock_file)

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[P, R], *args: P.args, **_: P.kwargs) -> R:
        return await asyncio.get_running_loop().run_in_executor(pool, partial(work, *args))


def _fail(batch: list[_Waiting], error: PortError) -> None:
    for waiting in batch:
        if not waiting.done.done():
            waiting.done.set_exception(PortError(error.code, error.message))


def _take(root: Path) -> int:
    try:
        (root / segments.FOLDER).mkdir(parents=True, exist_ok=True)
        sync_folder(root)
        sync_folder(root.parent)
        lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Refused(f"The log streams in {root} cannot be opened: {error}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise Refused(f"Another Hatoba is writing the log streams in {root}.") from None
    return lock


class _Moving:
    """A stream whose events are on their way into its segments: what they were when they left memory."""

    __slots__ = ("events", "name", "next", "producers", "stream")

    def __init__(self, name: str, stream: Stream) -> None:
        stream.freeze()
        self.name = name
        self.stream = stream
        self.events = stream.frozen
        self.next = stream.next
        self.producers = dict(stream.producers)
