"""WebSockets on the endpoint: opening, messages, ends, flow. (What is hostile: `test_http_websocket_hostile`.)"""

from __future__ import annotations

import asyncio
import os
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatoba.gateway.http import Request, Response, SocketClosed, SocketLimits, WebSocket, switch
from tests.unit.gateway.framing import (
    BYTES,
    CLOSE,
    HEAD,
    PING,
    PONG,
    TEXT,
    closing,
    frame,
    heard,
    parrot,
    refused_with,
    talking,
)
from tests.unit.gateway.wire import connected, get, on_uvloop, serving

# --- opening


@on_uvloop
async def test_the_opening_is_the_rfcs() -> None:
    async def handler(request: Request) -> Response:
        return switch(request, parrot, protocols=("v2", "v1"))

    async with serving(handler) as (_, port), connected(port) as wire:
        wire.send(get("/talk", *HEAD, "sec-websocket-protocol: v1, v2"))
        answer = await wire.answer(head_only=True)
        assert answer.status == 101
        assert answer.headers["upgrade"] == "websocket"
        assert answer.headers["connection"] == "Upgrade"
        assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert answer.headers["sec-websocket-protocol"] == "v2"
        assert not answer.headers.keys() & {"content-length", "transfer-encoding", "sec-websocket-extensions"}


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((), 426),
        (HEAD[1:], 426),
        ((*HEAD[:2], "sec-websocket-version: 8", HEAD[3]), 426),
        (HEAD[:3], 400),
        ((*HEAD[:3], "sec-websocket-key: c2hvcnQ="), 400),
        ((*HEAD[:3], "sec-websocket-key: not base64!"), 400),
    ],
)
def test_what_is_no_opening_is_refused(lines: tuple[str, ...], status: int) -> None:
    @on_uvloop
    async def run() -> None:
        async def handler(request: Request) -> Response:
            return switch(request, parrot)

        async with serving(handler) as (_, port), connected(port) as wire:
            wire.send(get("/", *lines))
            assert (await wire.answer()).status == status

    run()


@on_uvloop
async def test_an_offer_that_is_declined_leaves_http() -> None:
    async def handler(request: Request) -> Response:
        return Response(status=403, body=request.target.encode())

    async with serving(handler) as (_, port), connected(port) as wire:
        wire.send(get("/a", *HEAD) + get("/b"))
        assert [(await wire.answer()).body, (await wire.answer()).body] == [b"/a", b"/b"]


@on_uvloop
async def test_frames_that_follow_the_opening_at_once_are_not_lost_nor_read_as_http() -> None:
    async def handler(request: Request) -> Response:
        await asyncio.sleep(0.01)
        return switch(request, parrot) if request.target == "/talk" else Response(body=b"before")

    async with serving(handler) as (_, port), connected(port) as wire:
        wire.send(get("/before") + get("/talk", *HEAD) + frame(TEXT, b"early"))
        assert (await wire.answer()).body == b"before"
        assert (await wire.answer(head_only=True)).status == 101
        assert await heard(wire) == (TEXT, b"early")


# --- messages


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.text(max_size=300), st.integers(1, 7)), max_size=6))
def test_messages_come_back_as_they_were_however_they_were_cut(messages: list[tuple[bool, str, int]]) -> None:
    @on_uvloop
    async def run() -> None:
        async with talking() as (wire, _):
            for is_text, text, pieces in messages:
                kind, payload = TEXT if is_text else BYTES, text.encode()
                cut = max(1, -(-len(payload) // pieces))
                parts = [payload[at : at + cut] for at in range(0, len(payload), cut)] or [b""]
                for number, part in enumerate(parts):
                    wire.send(frame(0 if number else kind, part, last=number == len(parts) - 1))
                    wire.send(frame(PING, b"between"))
            expected = [(TEXT if is_text else BYTES, text.encode()) for is_text, text, _ in messages]
            got = []
            while len(got) < len(expected):
                kind, payload = await heard(wire)
                if kind == PONG:
                    assert payload == b"between"
                else:
                    got.append((kind, payload))
            assert got == expected

    run()


@on_uvloop
async def test_long_messages_byte_by_byte_of_the_head() -> None:
    async with talking() as (wire, _):
        payload = os.urandom(100_000)
        whole = frame(BYTES, payload)
        for at in range(16):
            wire.send(whole[at : at + 1])
            await asyncio.sleep(0)
        wire.send(whole[16:])
        assert await heard(wire) == (BYTES, payload)


# --- ends


@on_uvloop
async def test_a_close_is_answered_and_told() -> None:
    ends: list[tuple[int, str]] = []

    async def talk(socket: WebSocket) -> None:
        try:
            await socket.receive()
        except SocketClosed as closed:
            ends.append((closed.code, closed.reason))
            raise

    async with talking(talk) as (wire, server):
        wire.send(closing(3000, "enough") + frame(TEXT, b"too late"))
        assert await refused_with(wire) == 3000
        assert ends == [(3000, "enough")]
        assert server.sockets.open == 0
        assert server.sockets.closed == {"other": 1}
        assert server.failures == 0


@on_uvloop
async def test_who_talks_may_end_it_and_what_was_sent_before_arrives() -> None:
    async def talk(socket: WebSocket) -> None:
        await socket.send("last words")
        await socket.close(1008, "that is all")
        with pytest.raises(SocketClosed):
            await socket.send("more")

    async with talking(talk) as (wire, _):
        assert await heard(wire) == (TEXT, b"last words")
        assert await heard(wire) == (CLOSE, struct.pack(">H", 1008) + b"that is all")
        wire.send(closing(1008))
        assert await wire.closed()


@on_uvloop
async def test_a_handler_that_returns_has_said_goodbye() -> None:
    async def talk(socket: WebSocket) -> None:
        return

    async with talking(talk) as (wire, _):
        assert await heard(wire) == (CLOSE, struct.pack(">H", 1000))
        wire.send(closing(1000))
        assert await wire.closed()


@on_uvloop
async def test_a_failure_of_ours_is_counted_and_told() -> None:
    async def talk(socket: WebSocket) -> None:
        raise ZeroDivisionError

    async with talking(talk) as (wire, server):
        assert (await heard(wire))[1][:2] == struct.pack(">H", 1011)
        wire.send(closing(1011))
        assert await wire.closed()
        assert server.failures == 1


@on_uvloop
async def test_a_client_that_does_not_answer_a_close_is_cut_off() -> None:
    async def talk(socket: WebSocket) -> None:
        return

    async with talking(talk, SocketLimits(close_seconds=0.1)) as (wire, server):
        assert await heard(wire) == (CLOSE, struct.pack(">H", 1000))
        assert await wire.closed()
        assert not server.connections


@on_uvloop
async def test_a_line_that_breaks_is_told() -> None:
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def talk(socket: WebSocket) -> None:
        try:
            await socket.receive()
        except SocketClosed as closed:
            ended.set_result(closed.code)

    async with talking(talk) as (wire, _):
        wire.reset()
        assert await ended == 1006


@on_uvloop
async def test_a_server_that_goes_away_says_so() -> None:
    async with talking() as (wire, server):
        wire.send(frame(TEXT, b"here"))
        assert await heard(wire) == (TEXT, b"here")
        going = asyncio.create_task(server.close(grace=5))
        assert (await heard(wire))[1][:2] == struct.pack(">H", 1001)
        wire.send(closing(1001))
        await going
        assert await wire.closed()


# --- flow


@on_uvloop
async def test_what_nobody_receives_is_not_read() -> None:
    read_on = asyncio.Event()
    sizes: list[int] = []

    async def talk(socket: WebSocket) -> None:
        await read_on.wait()
        while sum(sizes) < 64 << 20:
            sizes.append(len(await socket.receive()))
        await socket.send("got it")

    async with talking(talk) as (wire, server):
        message = frame(BYTES, bytes(64 * 1024))
        sent = 0
        while wire.writer.transport.get_write_buffer_size() < 1 << 20:  # ours fills once the kernel's are full
            wire.send(message)
            sent += 1
            await asyncio.sleep(0)
        # What the kernel holds, what was read, and no more: far from all of it.
        assert server.sockets.bytes["in"] < 2 << 20
        read_on.set()
        for _ in range(1024 - sent):
            wire.send(message)
            await wire.writer.drain()
        assert await heard(wire) == (TEXT, b"got it")


@on_uvloop
async def test_a_client_that_takes_nothing_is_given_up() -> None:
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def talk(socket: WebSocket) -> None:
        try:
            while True:
                await socket.send(bytes(256 * 1024))
        except SocketClosed as closed:
            ended.set_result(closed.code)
            raise

    async with talking(talk, SocketLimits(write_seconds=0.2)) as (_, server):
        assert await ended == 1006
        assert server.sockets.bytes["out"] < 32 << 20


@on_uvloop
async def test_several_who_send_to_a_slow_client_all_go_on() -> None:
    async def several(socket: WebSocket) -> None:
        async def send(letter: int) -> None:
            for _ in range(40):
                await socket.send(bytes([letter]) * 60_000)

        await asyncio.gather(*(send(letter) for letter in b"abc"))

    async with talking(several, SocketLimits(write_seconds=3)) as (wire, server):
        await asyncio.sleep(0.2)  # all three wait for room by now
        counted = dict.fromkeys(b"abc", 0)
        for _ in range(120):
            kind, payload = await heard(wire)
            assert kind == BYTES
            assert payload == payload[:1] * 60_000, "messages are whole, whoever else sends"
            counted[payload[0]] += 1
        assert set(counted.values()) == {40}
        assert (await heard(wire))[0] == CLOSE
        assert server.failures == 0


@on_uvloop
async def test_silence_is_asked_about_and_then_given_up() -> None:
    async with talking(limits=SocketLimits(ping_seconds=0.1, pong_seconds=0.2)) as (wire, server):
        for _ in range(3):  # as long as it answers it stays
            assert await heard(wire) == (PING, b"")
            wire.send(frame(PONG))
        assert await heard(wire) == (PING, b"")
        assert await wire.reader.read() == b""
        assert server.sockets.closed == {"1006": 1}


@on_uvloop
async def test_what_it_counts() -> None:
    async with talking() as (wire, server):
        wire.send(frame(TEXT, b"four"))
        await heard(wire)
        text = "\n".join(server.collect())
        assert "hatoba_websockets 1" in text
        assert "hatoba_websockets_total 1" in text
        assert 'hatoba_websocket_messages_total{direction="in"} 1' in text
        assert 'hatoba_websocket_bytes_total{direction="out"} 6' in text
