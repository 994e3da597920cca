"""Messages of a data channel: against bytes of other implementations, there and back, and what is none."""

from __future__ import annotations

import hashlib
import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.services.ssm.session import frames as f
from hatoba.services.ssm.session.frames import BadFrame, Frame, Payload
from tools.plugin import Message, message

# What ssm-session 1.0.6 (npm, MIT) sends for a terminal of 202 by 18, for "ls\r" as a text and as bytes.
SIZE = (
    "00000074000000000000000000000000000000696e7075745f73747265616d5f64617461000000010000018bcfe5687b0000000000000000"
    "00000000000000019b191b6b4666f604d22568f7c36d4d486534343336356239353131363265646136346163656664323735373232303965"
    "00000003000000167b22636f6c73223a3230322c22726f7773223a31387d"
)
TEXT = (
    "00000074000000000000000000000000000000696e7075745f73747265616d5f64617461000000010000018bcfe5687b0000000000000007"
    "00000000000000019a563518fb8dc577048aaa7aea2943a73164383837636530663836373265343931346439303030653830316364373465"
    "00000001000000036c730d"
)
BYTES = (
    "00000074000000000000000000000000000000696e7075745f73747265616d5f64617461000000010000018bcfe5687b0000000000000001"
    "0000000000000000b8a47f38e90aa6ca2a04463c78d94b083231363232306335613030383739316138343939396332623738313437383331"
    "00000001000000036c730d"
)


def test_what_a_javascript_client_sends() -> None:
    size, text, bytes_ = (f.decode(bytes.fromhex(each)) for each in (SIZE, TEXT, BYTES))
    assert (size.kind, size.payload_type, size.sequence) == (f.INPUT, Payload.SIZE, 0)
    assert size.payload == b'{"cols":202,"rows":18}'
    assert (text.payload, text.sequence, text.flags, text.created) == (b"ls\r", 7, f.SYN, 1_700_000_000_123)
    assert text.id == "048aaa7a-ea29-43a7-9a56-3518fb8dc577", "as that client reads it itself"
    assert bytes_.payload == b"ls\r", "whose digest is of something else"


def test_the_layout_byte_by_byte() -> None:
    frame = Frame(
        kind="output_stream_data",
        id="dd01e56b-ff48-483e-a508-b5f073f31b16",
        created=1_503_434_274_948,
        sequence=2,
        flags=3,
        payload_type=1,
        payload=b"payload",
    )
    assert f.encode(frame) == b"".join(
        (
            struct.pack(">I", 116),
            b"output_stream_data              ",
            struct.pack(">I", 1),
            struct.pack(">Q", 1_503_434_274_948),
            struct.pack(">q", 2),
            struct.pack(">Q", 3),
            bytes.fromhex("a508b5f073f31b16 dd01e56bff48483e"),
            hashlib.sha256(b"payload").digest(),
            struct.pack(">I", 1),
            struct.pack(">I", 7),
            b"payload",
        )
    )


FRAMES = st.builds(
    Frame,
    kind=st.sampled_from([f.INPUT, f.OUTPUT, f.ACKNOWLEDGE, f.CLOSED, f.START, f.PAUSE]),
    id=st.uuids().map(str),
    created=st.integers(0, 2**63),
    sequence=st.integers(-(2**63), 2**63 - 1),
    flags=st.integers(0, 2**64 - 1),
    payload_type=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=2000),
    schema=st.integers(0, 2**32 - 1),
)


@given(FRAMES)
def test_there_and_back(frame: Frame) -> None:
    assert f.decode(f.encode(frame)) == frame


@given(st.binary(max_size=3000), st.integers(0, 2**31))
def test_the_other_implementation_agrees(payload: bytes, number: int) -> None:
    theirs = f.decode(message(f.INPUT, payload, type_=1, number=number))
    assert (theirs.payload, theirs.sequence) == (payload, number)
    ours = Message(f.encode(theirs))
    assert (ours.payload, ours.number, ours.id, ours.kind) == (payload, number, theirs.id, f.INPUT)
    assert uuid.UUID(ours.id).version == 4


@given(st.binary(max_size=300))
def test_noise_is_no_message(noise: bytes) -> None:
    with pytest.raises(BadFrame):
        f.decode(noise[:119] if len(noise) < 200 else noise[:4].replace(noise[:4], b"\xff\xff\xff\xff") + noise[4:])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: b"\0\0\0\0" + data[4:],
        lambda data: struct.pack(">I", 1 << 31) + data[4:],
        lambda data: data[:4] + b"\xff" * 32 + data[36:],
        lambda data: data[:116] + struct.pack(">I", 1 << 31) + data[120:],
        lambda data: data[:116] + struct.pack(">I", f.LONGEST + 1) + bytes(f.LONGEST + 1),
    ],
)
def test_what_is_spoiled_is_refused(spoil: object) -> None:
    assert callable(spoil)
    with pytest.raises(BadFrame):
        f.decode(spoil(message(f.INPUT, b"payload", type_=1)))


def test_a_longer_header_of_a_later_version_is_skipped() -> None:
    data = message(f.INPUT, b"payload", type_=1)
    later = struct.pack(">I", 124) + data[4:116] + b"8 bytes." + data[116:]
    assert f.decode(later).payload == b"payload"
