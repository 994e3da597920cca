"""Byte ranges: the standard `Range` of a download (RFC 9110), and the `Content-Range` of a chunk ("0-1023")."""

from __future__ import annotations

import re
from typing import NamedTuple

from hatoba.registry.problems import Problem

_CHUNK = re.compile(r"(?:bytes[ =])?(\d{1,19})-(\d{1,19})(?:/(?:\d+|\*))?")
_BYTES = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


class Span(NamedTuple):
    """Bytes `first` to `last`, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        return self.last - self.first + 1


def chunk(header: str | None) -> Span | None:
    """The place of a chunk, when the client says it."""
    if header is None:
        return None
    match = _CHUNK.fullmatch(header.strip())
    if match is None or int(match[2]) < int(match[1]):
        raise Problem("BLOB_UPLOAD_INVALID", f"Content-Range {header!r} is not a range such as 0-1023.")
    return Span(int(match[1]), int(match[2]))


def received(size: int) -> str:
    """How a registry tells what it has of an upload. An empty one is written 0-0, as every registry does."""
    return f"0-{max(size - 1, 0)}"


def wanted(header: str | None, size: int) -> Span | None:
    """The part to send, or None for all. What is not one range of bytes is ignored, as the RFC allows."""
    match = _BYTES.fullmatch(header.strip()) if header else None
    if match is None or (not match[1] and not match[2]):
        return None
    if not match[1]:
        first, last = max(size - int(match[2]), 0), size - 1
    else:
        first, last = int(match[1]), min(int(match[2]), size - 1) if match[2] else size - 1
        if match[2] and int(match[2]) < first:
            return None
    if first > last:
        raise Problem(
            "RANGE_INVALID",
            f"The blob has {size} bytes; {header!r} is outside of it.",
            headers={"content-range": f"bytes */{size}"},
        )
    return Span(first, last)
