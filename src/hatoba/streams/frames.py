"""Frames: a length and a checksum before the bytes, so that a torn tail is recognised. Pure."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_HEAD = struct.Struct("<II")
HEAD_SIZE = _HEAD.size
MAX_PAYLOAD = 64 << 20


def pack(payload: bytes) -> bytes:
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def unpack(data: bytes | memoryview) -> bytes | None:
    """The payload of the frame at the beginning of `data`; None when it is torn or damaged."""
    if len(data) < HEAD_SIZE:
        return None
    size, checksum = _HEAD.unpack_from(data)
    payload = bytes(data[HEAD_SIZE : HEAD_SIZE + size])
    # An empty frame is what a hole of zeros looks like, and is never written.
    if not 0 < size <= MAX_PAYLOAD or len(payload) != size or zlib.crc32(payload) != checksum:
        return None
    return payload


def scan(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Every whole frame from the beginning, as (offset of its end, payload), up to the first torn one."""
    view, offset = memoryview(data), 0
    while (payload := unpack(view[offset:])) is not None:
        offset += HEAD_SIZE + len(payload)
        yield offset, payload
