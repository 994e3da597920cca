"""What comes in: framing, pipelining, limits, and bytes that no client should send."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatoba.gateway.http import Limits, Request, Response
from tests.unit.gateway.wire import Wire, connected, echo, get, on_uvloop, post, serving


@on_uvloop
async def test_requests_on_one_connection_are_answered_in_turn() -> None:
    async with serving(echo) as (_, port), connected(port) as wire:
        for number in range(3):
            wire.send(post(b"%d" % number))
            assert (await wire.answer()).body == b"POST / %d" % number


@on_uvloop
async def test_pipelined_requests_are_answered_in_order_though_later_ones_are_faster() -> None:
    async def handler(request: Request) -> Response:
        await asyncio.sleep(0.02 if request.path == "/0" else 0)
        return Response(body=request.path.encode())

    async with serving(handler) as (_, port), connected(port) as wire:
        # More than may wait at once: reading stops, and goes on.
        wire.send(b"".join(get(f"/{number}") for number in range(100)))
        assert [(await wire.answer()).body for _ in range(100)] == [b"/%d" % number for number in range(100)]


@on_uvloop
async def test_one_request_at_a_time_whenever_the_next_one_comes() -> None:
    working, most = 0, 0

    async def handler(request: Request) -> Response:
        nonlocal working, most
        working += 1
        most = max(most, working)
        await asyncio.sleep(0)
        working -= 1
        return Response(body=request.path.encode())

    async with serving(handler) as (_, port), connected(port) as wire:

        async def send() -> None:
            for number in range(1000):
                wire.send(get(f"/{number}"))
                if number % 3:
                    await asyncio.sleep(0)

        sending = asyncio.ensure_future(send())
        assert [(await wire.answer()).body for _ in range(1000)] == [b"/%d" % number for number in range(1000)]
        await sending
    assert most == 1


@on_uvloop
async def test_the_end_of_input_does_not_lose_answers_that_are_due() -> None:
    async with serving(echo) as (_, port), connected(port) as wire:
        wire.send(get("/1") + get("/2"))
        wire.end()
        assert (await wire.answer()).body == b"GET /1 "
        assert (await wire.answer()).body == b"GET /2 "
        assert await wire.closed()


@on_uvloop
async def test_a_chunked_body_is_read_as_one() -> None:
    async with serving(echo) as (_, port), connected(port) as wire:
        wire.send(
            b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
        )
        assert (await wire.answer()).body == b"POST / abcde"


@on_uvloop
async def test_every_split_of_a_request_into_packets_means_the_same() -> None:
    data = post(b"hello", "x-twice: 1", "X-Twice: 2")
    async with serving(echo) as (_, port), connected(port) as wire:
        for cut in range(1, len(data), 7):
            wire.send(data[:cut])
            await asyncio.sleep(0)
            wire.send(data[cut:])
            assert (await wire.answer()).body == b"POST / hello"


@on_uvloop
async def test_headers_are_lower_case_joined_and_as_sent() -> None:
    seen: list[dict[str, str]] = []

    async def handler(request: Request) -> Response:
        seen.append(request.headers)
        return Response()

    async with serving(handler) as (_, port), connected(port) as wire:
        wire.send("GET / HTTP/1.1\r\nHost: a\r\nX-Amz-Meta: a  b\r\nX-Amz-Meta: ü\r\n\r\n".encode())
        await wire.answer()
        assert seen[0]["x-amz-meta"] == "a  b,ü"


@pytest.mark.parametrize("name", ["host", "authorization", "x-amz-date", "x-amz-target", "content-length"])
@on_uvloop
async def test_a_header_that_decides_may_not_come_twice(name: str) -> None:
    async with serving(echo) as (_, port), connected(port) as wire:
        wire.send(f"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n{name}: 0\r\n{name}: 0\r\n\r\n".encode())
        assert (await wire.answer()).status == 400
        assert await wire.closed()


@pytest.mark.parametrize("target", ["http://here:4566/a?b=c", "/a?b=c"], ids=["whole URL", "origin"])
@on_uvloop
async def test_a_target_is_its_path_and_query(target: str) -> None:
    async with serving(echo) as (_, port), connected(port) as wire:
        wire.send(get(target))
        assert (await wire.answer()).body == b"GET /a?b=c "


@on_uvloop
async def test_an_offer_to_switch_protocols_is_left_unanswered() -> None:
    async with serving(echo) as (_, port), connected(port) as wire:
        wire.send(get("/1", "connection: upgrade", "upgrade: h2c") + get("/2"))
        assert (await wire.answer()).body == b"GET /1 "
        assert (await wire.answer()).body == b"GET /2 "


@on_uvloop
async def test_a_body_behind_an_offer_to_switch_protocols_is_not_taken_for_a_request() -> None:
    """The parser does not read it: it would be the next request's head (request smuggling)."""
    async with serving(echo) as (_, port), connected(port) as wire:
        wire.send(post(get("/smuggled"), "connection: upgrade", "upgrade: h2c"))
        assert (await wire.answer()).status == 400
        assert await wire.closed()


MALFORMED = {
    "no method": b"\x00\x01\x02\r\n\r\n",
    "unknown method": b"BREW / HTTP/1.1\r\n\r\n",
    "a later version": b"GET / HTTP/9.9\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "blank in a header's name": b"GET / HTTP/1.1\r\nhost : a\r\n\r\n",
    "negative length": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
    "length that overflows": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\n",
    "length and chunks": b"POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown transfer encoding": b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\nabc",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
@on_uvloop
async def test_what_is_not_http_is_refused(data: bytes) -> None:
    async with serving(echo) as (_, port), connected(port) as wire:
        wire.send(data)
        assert (await wire.answer()).status == 400
        assert await wire.closed()


@on_uvloop
async def test_a_request_from_before_versions_is_refused() -> None:
    async with serving(echo) as (_, port), connected(port) as wire:
        wire.send(b"GET /\r\n\r\n")
        assert (await wire.answer()).status == 505


@on_uvloop
async def test_garbage_behind_good_requests_is_refused_after_their_answers() -> None:
    async with serving(echo) as (_, port), connected(port) as wire:
        wire.send(get("/1") + get("/2") + b"garbage\r\n\r\n" + get("/3"))
        assert (await wire.answer()).body == b"GET /1 "
        assert (await wire.answer()).body == b"GET /2 "
        assert (await wire.answer()).status == 400
        assert await wire.closed()


@pytest.mark.parametrize("data", [b"x: " + b"a" * 5000, b"x: y\r\n" * 900], ids=["one long", "many"])
@pytest.mark.parametrize("packets", [1, 5])
@on_uvloop
async def test_a_head_has_a_greatest_size(data: bytes, packets: int) -> None:
    async with serving(echo, Limits(head_bytes=4096)) as (_, port), connected(port) as wire:
        whole = b"GET / HTTP/1.1\r\nhost: a\r\n" + data + b"\r\n\r\n"
        for start in range(0, len(whole), len(whole) // packets + 1):
            wire.send(whole[start : start + len(whole) // packets + 1])
            await asyncio.sleep(0.005)
        assert (await wire.answer()).status == 431


@on_uvloop
async def test_a_body_that_is_too_long_is_refused_before_it_is_sent() -> None:
    async with serving(echo) as (_, port), connected(port) as wire:
        wire.send(post(b"", length=1 << 30))
        answer = await wire.answer()
        assert answer.status == 413
        assert answer.headers["connection"] == "close"


@on_uvloop
async def test_a_chunked_body_that_is_too_long_is_refused_on_the_way() -> None:
    async with serving(echo) as (_, port), connected(port) as wire:
        wire.send(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(5):
            wire.send(b"%x\r\n%b\r\n" % (1 << 18, b"x" * (1 << 18)))
        assert (await wire.answer()).status == 413


@on_uvloop
async def test_a_body_cut_short_is_told_to_who_reads_it() -> None:
    async with serving(echo) as (_, port), connected(port) as wire:
        wire.send(post(b"abc", length=10))
        wire.end()
        answer = await wire.answer()
        assert (answer.status, answer.body) == (400, b"The request's body ended before its declared length.\n")


@on_uvloop
async def test_a_broken_chunk_is_told_to_who_reads_it() -> None:
    async with serving(echo) as (_, port), connected(port) as wire:
        wire.send(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
        assert (await wire.answer()).status == 400
        assert await wire.closed()


@on_uvloop
async def test_a_client_that_waits_is_told_to_continue_when_its_body_is_wanted() -> None:
    async with serving(echo) as (_, port), connected(port) as wire:
        wire.send(post(b"", "expect: 100-continue", length=5))
        assert (await wire.answer()).status == 100
        wire.send(b"hello")
        assert (await wire.answer()).body == b"POST / hello"


@on_uvloop
async def test_a_client_that_waits_is_not_told_to_continue_when_it_is_refused() -> None:
    async def handler(request: Request) -> Response:
        return Response(status=403)

    async with serving(handler) as (_, port), connected(port) as wire:
        wire.send(post(b"", "expect: 100-continue", length=5))
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (403, "close")


@on_uvloop
async def test_a_body_that_nobody_read_does_not_become_the_next_request() -> None:
    async def handler(request: Request) -> Response:
        return Response(body=request.path.encode())

    async with serving(handler) as (_, port), connected(port) as wire:
        wire.send(post(b"", length=1 << 20))
        answer = await wire.answer()
        assert (answer.body, answer.headers["connection"]) == (b"/", "close")
        wire.send(get("/smuggled") * 100)
        assert await wire.closed()


@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_no_bytes_make_the_server_fail(pieces: list[bytes]) -> None:
    """Whatever comes: an answer of ours, or the end of the connection; and the next client is served."""

    @on_uvloop
    async def case() -> None:
        async with serving(echo) as (server, port):
            async with connected(port) as wire:
                await _throw(wire, pieces)
            async with connected(port) as wire:
                wire.send(get("/after"))
                assert (await wire.answer()).body == b"GET /after "
            assert server.failures == 0

    case()


async def _throw(wire: Wire, pieces: list[bytes]) -> None:
    for piece in pieces:
        wire.send(piece)
        await asyncio.sleep(0)
    wire.end()
    await wire.reader.read()
