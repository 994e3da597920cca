"""Which bytes of an object a request is about.

Source: RFC 9110, "Range requests"; S3's API reference, "GetObject": several ranges in one request are not supported,
and like what is no range at all they are left aside: the whole object is answered.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


class Span(NamedTuple):
    first: int
    length: int

    def content_range(self, size: int) -> str:
        return f"bytes {self.first}-{self.first + self.length - 1}/{size}"


class Unsatisfiable(ValueError):
    """No byte of the object is in the range."""


def span(said: str | None, size: int) -> Span | None:
    """The part that a Range header asks for; None: all of it. Raises `Unsatisfiable`."""
    found = _RANGE.fullmatch(said.strip()) if said else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        length = min(int(found[2]), size)
        first = size - length
    else:
        first = int(found[1])
        last = min(int(found[2]), size - 1) if found[2] else size - 1
        if found[2] and int(found[2]) < first:
            return None
        length = last - first + 1
    if length <= 0 or first >= size:
        raise Unsatisfiable(said)
    return Span(first, length)


def exact(said: str, size: int) -> Span | None:
    """The range of a part that is copied: both ends given and inside of the source; None where it is not so."""
    found = _RANGE.fullmatch(said.strip())
    if found is None or not found[1] or not found[2]:
        return None
    first, last = int(found[1]), int(found[2])
    return Span(first, last - first + 1) if first <= last < size else None
