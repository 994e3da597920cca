"""One output of a container (stdout or stderr), from its spool to events that wait to be sent.

Holds little: it reads on only when what it read before is nearly used up.
"""

from __future__ import annotations

import contextlib
import os

from hatoba.node.logs.batch import BATCH_BYTES, BATCH_EVENTS
from hatoba.node.logs.lines import Grouper, Line, Splitter
from hatoba.node.logs.reader import SpoolReader
from hatoba.node.logs.spool import OFFSET, noted, stored_offset
from hatoba.streams.blocks import size_of
from hatoba.streams.port import EVENT_OVERHEAD, Batch

_READ_BYTES = 256 << 10
_CLOCK_STEP = 60_000  # ms: a clock that is set back by less must not change the order of lines
_SENDING = "sending"  # how far the batch reaches that is under way


class Lane:
    """`stored`: what the control plane has. `read`: what was taken from the spool. `end`: where the spool ends for
    good, once that is known."""

    def __init__(self, folder: str, producer: str, new_event: str | None) -> None:
        self.producer = producer
        self.stored = stored_offset(folder)
        self.begun = False  # the spooler has spoken of it: nothing is read before
        self.end: int | None = None
        self.dropped = 0
        self._reader = SpoolReader(folder)
        self._splitter = Splitter(self.stored)
        self._sending = os.path.join(folder, _SENDING)
        self._grouper = Grouper(new_event, noted(self._sending)) if new_event else None
        self._times: list[int] = []
        self._messages: list[str] = []
        self._ends: list[int] = []
        self._size = 0
        self._latest = 0
        self._finished = False

    @property
    def read(self) -> int:
        return self._splitter.fed

    @property
    def waiting(self) -> bool:
        """Events that did not fit into the last batch."""
        return bool(self._ends)

    @property
    def done(self) -> bool:
        """Everything there will ever be is stored."""
        return self._finished and self.stored == self.end

    @property
    def group_open(self) -> bool:
        return self._grouper is not None and self._grouper.start is not None

    def begin(self, stored: int) -> None:
        """Where the spooler says that reading starts: past what was noted on disk when this object was made, if an
        earlier agent's last words were still on their way. What lies before is no longer there."""
        if not self.begun and stored > self.stored:
            self.stored = stored
            self._splitter = Splitter(stored)
        self.begun = True

    def fill(self) -> None:
        """Reads until there is a batch's worth, or no more."""
        while self.begun and self._size < BATCH_BYTES and len(self._ends) < BATCH_EVENTS:
            data = self._reader.read(self.read, _READ_BYTES)
            if not data:
                break
            lines: list[Line] = []
            at = self.read
            while self._reader.gaps and self._reader.gaps[0] <= at + len(data):
                # A line that lost its middle is not glued together.
                gap = max(at, self._reader.gaps.pop(0))
                lines += self._splitter.feed(data[: gap - at]) + self._splitter.finish()
                data, at = data[gap - at :], gap
            lines += self._splitter.feed(data)
            self._add(lines)
        if self.end is not None and self.read == self.end and not self._finished:
            self._finished = True
            self._add(self._splitter.finish())
            self.close_group()

    def close_group(self) -> None:
        """Nothing more is expected to belong to the open event."""
        if self._grouper is not None:
            self._keep(self._grouper.finish())

    def _add(self, lines: list[Line]) -> None:
        self._keep(self._grouper.feed(lines) if self._grouper is not None else lines)

    def _keep(self, events: list[Line]) -> None:
        if not events:
            return
        dates = iter(self._reader.dates(events[0].start, events[-1].end))
        bound, time = next(dates)
        for start, end, text in events:
            while start >= bound:
                bound, time = next(dates)
            if 0 < self._latest - time < _CLOCK_STEP:
                time = self._latest
            self._latest = time
            if text:  # an event without text is not taken by the service
                self._times.append(time)
                self._messages.append(text)
                self._ends.append(end)
                self._size += size_of(text) + EVENT_OVERHEAD

    def _settled(self) -> int:
        """Everything before this is either waiting in this object as an event, or needs not be sent."""
        group = self._grouper.start if self._grouper is not None else None
        return self._splitter.settled if group is None else group

    @staticmethod
    def weight(batch: Batch) -> int:
        return sum(map(size_of, batch.messages)) + EVENT_OVERHEAD * len(batch.messages)

    def take(self, events: int, room: int) -> tuple[Batch | None, int]:
        """The next events within the bounds, and the offset that is stored once they are."""
        count = size = 0
        if self._size <= room and len(self._ends) <= events:
            count, size = len(self._ends), self._size
        else:
            for message in self._messages[:events]:
                weight = size_of(message) + EVENT_OVERHEAD
                if size + weight > room:
                    break
                count, size = count + 1, size + weight
        if not count:
            return None, self.stored if self._ends else self._settled()
        batch = Batch(
            times=self._times[:count], messages=self._messages[:count], producer=self.producer, ends=self._ends[:count]
        )
        del self._times[:count], self._messages[:count], self._ends[:count]
        self._size -= size
        return batch, batch.ends[-1] if self._ends else self._settled()

    def sending(self, upto: int) -> None:
        """Notes how far the next batch reaches: if it is sent again after a restart, its last event ends there too."""
        if self._grouper is not None:
            # On a full disk there is no note: only a crash right now could then cut events differently.
            with contextlib.suppress(OSError), open(self._sending, "wb") as file:
                file.write(OFFSET.pack(upto))

    def close(self) -> None:
        self._reader.close()
