"""What makes a data channel reliable: each end keeps what was not acknowledged, and puts in order what came.

A client may refuse a message by not acknowledging it (the plugin does until its terminal is ready), so the oldest one
is sent again after a while that follows the round trips; the rule is TCP's (RFC 6298). Time is handed in.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from hatoba.core.errors import HatobaError
from hatoba.services.ssm.session.frames import Frame

FIRST_TIMEOUT, LONGEST_TIMEOUT, GRANULARITY = 0.2, 1.0, 0.01  # seconds
PATIENCE = 300.0  # seconds for which one message is sent again and again


class GivenUp(HatobaError):
    """The other side has not acknowledged a message for too long."""


class _Unacknowledged(msgspec.Struct, frozen=True, kw_only=True):
    sequence: int
    data: bytes
    first_sent: float
    last_sent: float
    again: int = 0


class Outgoing:
    """Messages that were sent, until they are acknowledged: by id, since not all clients get the numbers right."""

    def __init__(self, window: int) -> None:
        """`window`: bytes that may be unacknowledged."""
        self._window = window
        self._waiting: OrderedDict[str, _Unacknowledged] = OrderedDict()
        self._size = 0
        self._next = 0
        self._trip: float | None = None
        self._variation = 0.0
        self._timeout = FIRST_TIMEOUT

    @property
    def has_room(self) -> bool:
        return self._size < self._window

    def __len__(self) -> int:
        return len(self._waiting)

    def number(self) -> int:
        """The next message's."""
        self._next += 1
        return self._next - 1

    def sent(self, sequence: int, id_: str, data: bytes, now: float) -> None:
        self._waiting[id_] = _Unacknowledged(sequence=sequence, data=data, first_sent=now, last_sent=now)
        self._size += len(data)

    def acknowledged(self, id_: str, now: float) -> None:
        """Nothing happens the second time, or for what was never sent."""
        known = self._waiting.pop(id_, None)
        if known is None:
            return
        self._size -= len(known.data)
        if known.again == 0:  # else it is not known which of them was acknowledged
            self._measured(now - known.last_sent)

    def _measured(self, trip: float) -> None:
        if self._trip is None:
            self._trip, self._variation = trip, trip / 2
        else:
            self._variation += (abs(self._trip - trip) - self._variation) / 4
            self._trip += (trip - self._trip) / 8
        timeout = self._trip + max(GRANULARITY, 4 * self._variation)
        self._timeout = min(max(timeout, FIRST_TIMEOUT), LONGEST_TIMEOUT)

    @property
    def due(self) -> float | None:
        """When the oldest has to be sent again."""
        oldest = next(iter(self._waiting.values()), None)
        return None if oldest is None else oldest.last_sent + min(self._timeout * 2**oldest.again, LONGEST_TIMEOUT)

    def again(self, now: float) -> bytes | None:
        """The oldest message, if it is due. Raises `GivenUp`."""
        due = self.due
        if due is None or due > now:
            return None
        id_, oldest = next(iter(self._waiting.items()))
        if now - oldest.first_sent > PATIENCE:
            raise GivenUp(f"Message {oldest.sequence} was not acknowledged for {PATIENCE:.0f} seconds.")
        self._waiting[id_] = msgspec.structs.replace(oldest, last_sent=now, again=min(oldest.again + 1, 8))
        return oldest.data


class Incoming:
    """Messages that came, in the order of their numbers: what is taken is what is to be acknowledged.

    What finds no room is forgotten: it was not acknowledged, so it comes again.
    """

    def __init__(self, most_bytes: int, most: int = 1024) -> None:
        self._most_bytes = most_bytes
        self._most = most
        self._waiting: dict[int, Frame] = {}
        self._size = 0
        self._expected = 0

    def came(self, frame: Frame) -> bool:
        """Whether it had been taken before: its acknowledgement was lost, or is still on its way."""
        if frame.sequence < self._expected:
            return True
        in_order = frame.sequence == self._expected
        full = self._size >= self._most_bytes or len(self._waiting) >= self._most
        if frame.sequence in self._waiting or (full and not in_order):
            return False
        if frame.sequence < self._expected + self._most:
            self._waiting[frame.sequence] = frame
            self._size += len(frame.payload)
        return False

    def take(self) -> Frame | None:
        """The next in order, if it is here."""
        frame = self._waiting.pop(self._expected, None)
        if frame is not None:
            self._expected += 1
            self._size -= len(frame.payload)
        return frame
