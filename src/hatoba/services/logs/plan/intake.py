"""Which events of a PutLogEvents request are taken. Pure.

Source: the API reference of PutLogEvents, "The batch of events must satisfy the following constraints".
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from hatoba.streams.blocks import size_of
from hatoba.streams.port import EVENT_OVERHEAD

BATCH_BYTES = 1_048_576
EVENT_BYTES = 1_048_576
HOUR = 3600 * 1000  # ms, as all times here
DAY = 24 * HOUR
MOST_OLD = 14 * DAY
MOST_NEW = 2 * HOUR


class Event(NamedTuple):
    timestamp: int
    message: str


class Intake(NamedTuple):
    """Events from `first` to `last` are taken. The others were too old, expired by the group's retention or too new,
    by the index at which that ends or begins."""

    first: int
    last: int
    too_old_end: int | None
    expired_end: int | None
    too_new_start: int | None


def refusal(events: Sequence[Event]) -> str | None:
    """Why the batch as a whole is not taken; None when it is."""
    total = 0
    for event in events:
        size = size_of(event.message) + EVENT_OVERHEAD
        if size > EVENT_BYTES:
            return f"Log event too large: {size} bytes exceeds limit of {EVENT_BYTES}"
        total += size
    if total > BATCH_BYTES:
        return f"Upload too large: {total} bytes exceeds limit of {BATCH_BYTES}"
    if any(later.timestamp < event.timestamp for event, later in itertools.pairwise(events)):
        return "Log events in a single PutLogEvents request must be in chronological order."
    if events[-1].timestamp - events[0].timestamp > DAY:
        return "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
    return None


def intake(events: Sequence[Event], now: int, retention: int | None) -> Intake:
    """`events` in order of time; `retention` in days."""
    old = _before(events, now - MOST_OLD)
    expired = _before(events, now - retention * DAY) if retention is not None else 0
    new = _before(events, now + MOST_NEW + 1)
    return Intake(
        first=max(old, expired),
        last=new,
        too_old_end=old or None,
        expired_end=expired or None,
        too_new_start=new if new < len(events) else None,
    )


def _before(events: Sequence[Event], time: int) -> int:
    """How many events at the beginning are earlier than a time."""
    return next((index for index, event in enumerate(events) if event.timestamp >= time), len(events))
