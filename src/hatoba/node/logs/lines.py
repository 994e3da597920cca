"""From bytes to events: lines, long lines in pieces, several lines as one event. Pure.

Where one event ends and the next begins depends on the bytes alone, from any place that an event ended at: so what is
sent again after a crash is cut as before.
"""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

from hatoba.node.logs.patterns import finder

EVENT_BYTES = 256 * 1024 - 26  # the largest event's text: 256 KiB with the overhead that every event counts for
_LONG_LEADS = (0xC0, 0xE0, 0xF0)  # the least first byte of a character of more than 1, 2, 3 bytes
_REPLACED = 3  # bytes of U+FFFD, which stands for each byte that is no UTF-8


class Line(NamedTuple):
    """`end` is the offset past its newline. `text` may be empty."""

    start: int
    end: int
    text: str


class Splitter:
    """Cuts a sequence of bytes into lines. Bytes must be fed in order; what is no whole line yet is kept."""

    def __init__(self, offset: int) -> None:
        self._start = offset  # of the kept bytes
        self._kept = b""

    @property
    def settled(self) -> int:
        """The offset up to which everything was given out as lines."""
        return self._start

    @property
    def fed(self) -> int:
        """The offset up to which bytes were fed."""
        return self._start + len(self._kept)

    def feed(self, data: bytes) -> list[Line]:
        data = self._kept + data if self._kept else data
        *whole, kept = data.split(b"\n")
        lines: list[Line] = []
        start = self._start
        ends = accumulate((len(raw) + 1 for raw in whole), initial=start)
        next(ends)
        for raw, end in zip(whole, ends, strict=True):
            if len(raw) * _REPLACED <= EVENT_BYTES:
                lines.append(Line(start, end, _text(raw)))
            else:
                pieces, rest, at = _pieces(raw, start, whole=True)
                lines += pieces
                # The newline belongs to the last piece.
                lines.append(Line(at, end, _text(rest)))
            start = end
        pieces, kept, start = _pieces(kept, start, whole=False)
        lines += pieces
        self._start, self._kept = start, kept
        return lines

    def finish(self) -> list[Line]:
        """What is left: a last line without a newline."""
        if not self._kept:
            return []
        pieces, rest, at = _pieces(self._kept, self._start, whole=True)
        end = self.fed
        self._start, self._kept = end, b""
        return [*pieces, Line(at, end, _text(rest))]


def _pieces(raw: bytes, start: int, *, whole: bool) -> tuple[list[Line], bytes, int]:
    """A long line cut so that each piece fits into an event and no character is torn; the rest, and its offset. A line
    that may still grow is cut only where its growth makes no difference."""
    pieces: list[Line] = []
    while whole or len(raw) > EVENT_BYTES:
        size = _fitting(raw)
        if size == len(raw):
            break
        pieces.append(Line(start, start + size, _text(raw[:size])))
        raw, start = raw[size:], start + size
    return pieces, raw, start


def _fitting(raw: bytes) -> int:
    """How many of the bytes make the next piece."""
    head = raw[:EVENT_BYTES]
    if len(raw) > EVENT_BYTES:
        head = head[: len(head) - _torn(head)]
    if head.isascii() or len(_text(head).encode()) <= EVENT_BYTES:
        return len(head)
    return EVENT_BYTES // _REPLACED


def _torn(head: bytes) -> int:
    """How many bytes at the end are the beginning of a character that goes on."""
    for back, long_lead in enumerate(_LONG_LEADS, 1):
        if head[-back] >= 0xC0:
            return back if head[-back] >= long_lead else 0
        if head[-back] < 0x80:
            break
    return 0


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


class Grouper:
    """Several lines as one event: a line that matches begins the next one. `barrier` is an offset that no event may
    span: an event ended there before the agent was restarted."""

    def __init__(self, new_event: str, barrier: int = 0) -> None:
        self._begins = finder(new_event)
        self._barrier = barrier
        self._lines: list[Line] = []
        self._size = 0

    @property
    def start(self) -> int | None:
        """Where the event that is still open begins."""
        return self._lines[0].start if self._lines else None

    def feed(self, lines: list[Line]) -> list[Line]:
        events: list[Line] = []
        for line in lines:
            size = len(line.text.encode()) + 1
            if self._lines and (self._size + size > EVENT_BYTES or self._begins(line.text)):
                events += self.finish()
            self._lines.append(line)
            self._size += size
            if line.end == self._barrier:
                events += self.finish()
        return events

    def finish(self) -> list[Line]:
        """The open event, as it is."""
        lines, self._lines, self._size = self._lines, [], 0
        if not lines:
            return []
        return [Line(lines[0].start, lines[-1].end, "\n".join(line.text for line in lines))]
