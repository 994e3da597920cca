"""WebSockets: what breaks the rules ends in the code that the RFC gives it, and costs no memory."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatoba.gateway.http import SocketLimits
from tests.unit.gateway.framing import BYTES, CLOSE, PING, TEXT, closing, frame, heard, talking
from tests.unit.gateway.wire import on_uvloop

# Masks are chance: tests that are named after their bytes would be others in every process.
BREACHES = {
    "not masked": (frame(TEXT, b"plain", masked=False), 1002),
    "reserved kind": (frame(3, b"reserved"), 1002),
    "compressed": (frame(TEXT, b"compressed?", bits=4), 1002),
    "goes on with nothing": (frame(0, b"goes on with nothing"), 1002),
    "a message in a message": (frame(TEXT, b"a", last=False) + frame(TEXT, b"b"), 1002),
    "long ping": (frame(PING, b"x" * 126), 1002),
    "ping in parts": (frame(PING, b"", last=False), 1002),
    "not utf-8": (frame(TEXT, b"\xff\xfe"), 1007),
    "torn utf-8": (frame(TEXT, b"\xce", last=False) + frame(0, b"\x20"), 1007),
    "half a code": (frame(CLOSE, b"\x03"), 1002),
    "code 1006": (closing(1006), 1002),
    "code 99": (closing(99), 1002),
    "code 5000": (closing(5000), 1002),
    "too big": (frame(BYTES, bytes(70_000)), 1009),
    "too big in parts": (
        b"".join([frame(BYTES, bytes(1000), last=False)] + [frame(0, bytes(1000), last=False)] * 70),
        1009,
    ),
    "claims too much": (b"\x82\xff" + struct.pack(">Q", 1 << 62) + bytes(4) + bytes(70_000), 1009),
    "negative size": (b"\x82\xff" + struct.pack(">Q", 1 << 63) + bytes(4), 1002),
    "long form for a small size": (b"\x82\xfe\x00\x01" + bytes(5), 1002),
}


@pytest.mark.parametrize(("frames", "code"), BREACHES.values(), ids=BREACHES)
def test_a_breach_is_named_and_ends_it(frames: bytes, code: int) -> None:
    @on_uvloop
    async def run() -> None:
        limits = SocketLimits(message_bytes=65_536, close_seconds=0.2)
        async with talking(limits=limits) as (wire, server):
            wire.send(frames)
            kind, payload = await heard(wire)
            assert (kind, struct.unpack(">H", payload[:2])[0]) == (CLOSE, code)
            wire.send(closing(code))
            await wire.reader.read()
            assert server.failures == 0
            assert server.sockets.open == 0

    run()


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=400))
def test_no_noise_makes_it_fail(noise: bytes) -> None:
    @on_uvloop
    async def run() -> None:
        async with talking(limits=SocketLimits(message_bytes=100, close_seconds=0.05)) as (wire, server):
            wire.send(noise)
            wire.end()
            await wire.reader.read()
            assert server.failures == 0

    run()


@on_uvloop
@pytest.mark.slow
async def test_empty_fragments_and_pings_without_end_cost_no_memory() -> None:
    """A message that never ends, in pieces of nothing; and pings of one who does not read the answers."""
    async with talking(limits=SocketLimits(message_bytes=1000)) as (wire, server):
        wire.send(frame(BYTES, b"", last=False))
        nothing = frame(0, b"", last=False) * 20_000
        for _ in range(5):
            wire.send(nothing)
            await wire.writer.drain()
        for _ in range(100):
            wire.send(frame(PING, bytes(125)) * 1000)
            await wire.writer.drain()
        (connection,) = server.connections
        assert connection._transport.get_write_buffer_size() < 1 << 20
