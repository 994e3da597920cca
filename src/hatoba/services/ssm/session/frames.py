"""One message of a data channel, to bytes and back. Big-endian, a header of 116 bytes, then the payload's length:

     0  header length (116)          36  schema version (1)       64  message id, its two halves swapped
     4  message type, 32 bytes,      40  created, ms              80  SHA-256 of the payload
        padded with spaces           48  sequence number         112  payload type
                                     56  flags                   116  payload length, then the payload

What we send is exact: the plugin checks it. What comes is taken as the service takes it: types padded with NULs or from
the left, and any digest (ssm-session, on npm, sends the text of another one). TCP has checked the bytes already.
"""

from __future__ import annotations

import hashlib
import struct
from enum import IntEnum
from typing import Final

import msgspec

from hatoba.core.errors import HatobaError

_HEADER: Final = struct.Struct(">I32sIQqQ16s32sI")
HEADER: Final = _HEADER.size
assert HEADER == 116
LONGEST: Final = 256 * 1024  # bytes of a payload

SYN, FIN = 1, 2  # flags: the first, the last message of the stream

INPUT: Final = "input_stream_data"
OUTPUT: Final = "output_stream_data"
ACKNOWLEDGE: Final = "acknowledge"
CLOSED: Final = "channel_closed"
START: Final = "start_publication"
PAUSE: Final = "pause_publication"


class Payload(IntEnum):
    NONE = 0
    OUTPUT = 1
    ERROR = 2
    SIZE = 3
    PARAMETER = 4
    HANDSHAKE_REQUEST = 5
    HANDSHAKE_RESPONSE = 6
    HANDSHAKE_COMPLETE = 7
    ENCRYPTION_CHALLENGE = 8
    ENCRYPTION_ANSWER = 9
    FLAG = 10
    STDERR = 11
    EXIT_CODE = 12


class BadFrame(HatobaError):
    """These bytes are not a message."""


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    kind: str  # the message type
    id: str  # a UUID
    created: int  # milliseconds since the epoch
    sequence: int = 0
    flags: int = 0
    payload_type: int = Payload.NONE
    payload: bytes = b""
    schema: int = 1


def encode(frame: Frame) -> bytes:
    kind = frame.kind.encode()
    if len(kind) > 32:
        raise ValueError(f"{frame.kind} is no message type")
    header = _HEADER.pack(
        HEADER,
        kind.ljust(32),
        frame.schema,
        frame.created,
        frame.sequence,
        frame.flags,
        _swapped(bytes.fromhex(frame.id.replace("-", ""))),
        hashlib.sha256(frame.payload).digest(),
        frame.payload_type,
    )
    return b"".join((header, len(frame.payload).to_bytes(4, "big"), frame.payload))


def decode(data: bytes) -> Frame:
    """Raises `BadFrame`."""
    if len(data) < HEADER + 4:
        raise BadFrame(f"A message has at least {HEADER + 4} bytes, not {len(data)}.")
    header, kind, schema, created, sequence, flags, id_, _, payload_type = _HEADER.unpack_from(data)
    if not HEADER <= header <= len(data) - 4:
        raise BadFrame(f"A header of {header} bytes is not understood.")
    length, payload = int.from_bytes(data[header : header + 4], "big"), data[header + 4 :]
    if length != len(payload) or length > LONGEST:
        raise BadFrame(f"A payload of {length} bytes was announced, and {len(payload)} came.")
    try:
        name = kind.strip(b"\0 ").decode("ascii")
    except UnicodeDecodeError:
        raise BadFrame("The message type is not a text.") from None
    return Frame(
        kind=name,
        id=_uuid(_swapped(id_)),
        created=created,
        sequence=sequence,
        flags=flags,
        payload_type=payload_type,
        payload=payload,
        schema=schema,
    )


def _swapped(id_: bytes) -> bytes:
    return id_[8:] + id_[:8]


def _uuid(id_: bytes) -> str:
    text = id_.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
