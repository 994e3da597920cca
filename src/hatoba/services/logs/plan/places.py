"""GetLogEvents' tokens: where to go on, forward and backward. Pure.

A token names a place between two events by the event before or behind it, not a page: it stays good over restarts, and
what is written later is found from it. At the end of the stream a token leads to itself, which is how clients know.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hatoba.streams.port import Event, Position

_TOKEN = re.compile(r"([fb])/(\d{20})(\d{36})/s")


class Place(NamedTuple):
    """Between sequences `sequence - 1` and `sequence` at a time."""

    time: int
    sequence: int

    @property
    def forward_token(self) -> str:
        return f"f/{self.time:020d}{self.sequence:036d}/s"

    @property
    def backward_token(self) -> str:
        return f"b/{self.time:020d}{self.sequence:036d}/s"

    def after(self, stream: str) -> Position:
        """To read forward from here."""
        return Position(self.time, stream, self.sequence - 1)

    def before(self, stream: str) -> Position:
        """To read backward from here."""
        return Position(self.time, stream, self.sequence)


BEGINNING = Place(0, 0)


def parse(token: str) -> tuple[bool, Place] | None:
    """Whether it leads backward, and from where; None when the token is none of ours."""
    found = _TOKEN.fullmatch(token)
    return (found[1] == "b", Place(int(found[2]), int(found[3]))) if found else None


def around(events: list[Event], came_from: Place) -> tuple[Place, Place]:
    """The places before the first and behind the last event of a page; of an empty one, where it was looked for."""
    if not events:
        return came_from, came_from
    return Place(events[0].time, events[0].sequence), Place(events[-1].time, events[-1].sequence + 1)
