"""Questions over HTTP/2: against a real gRPC server, and against bytes that nobody should send."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.proxy import http2
from hatoba.proxy.ask import ask, open_socket
from hatoba.proxy.base import HealthCheck
from hatoba.proxy.health import Answered, Failed, Result

HEADERS, DATA, RESET, SETTINGS, PING, AWAY, CONTINUATION = 1, 0, 3, 4, 6, 7, 9
END_STREAM, END_HEADERS = 1, 4


def talk(*frames: bytes, grpc: bool = False) -> Result | None:
    conversation = http2.Conversation(grpc=grpc)
    for byte in b"".join(frames):
        conversation.receive(bytes((byte,)))
    return conversation.result


def headers(block: bytes, flags: int = END_HEADERS | END_STREAM) -> bytes:
    return http2.frame(HEADERS, flags, 1, block)


async def test_a_grpc_server_is_asked_for_what_it_says() -> None:
    fine = grpc.unary_unary_rpc_method_handler(_fine)
    bad = grpc.unary_unary_rpc_method_handler(_busy)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("h", {"Fine": fine, "Bad": bad}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        for path, code in (("/AWS.ALB/healthcheck", 12), ("/h/Fine", 0), ("/h/Bad", 14)):
            settings = HealthCheck(path=path, version="GRPC", timeout=5.0)
            result = await ask("127.0.0.1", port, settings, source=None, opener=open_socket)
            assert result == Answered(code=code), path
    finally:
        await server.stop(None)


async def _busy(request: bytes, context: Any) -> bytes:
    assert request == b""
    assert dict(context.invocation_metadata())["user-agent"] == "ELB-HealthChecker/2.0"
    await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
    raise AssertionError


async def _fine(request: bytes, context: Any) -> bytes:
    return b"an answer with a body"


@pytest.mark.parametrize(
    ("block", "code"),
    [
        (b"\x88", 200),
        (b"\x20\x8d", 404),
        (b"\x48\x03301", 301),
        (b"\x08\x82\x64\x02", 302),  # Huffman's digits, as the RFC's appendix C.6.1 has them
        (b"\x00\x07:status\x03503", 503),
        (b"\x0f\x28\x03abc\x88", 200),  # another header's name, by a number of two bytes
    ],
)
def test_statuses_in_all_spellings(block: bytes, code: int) -> None:
    assert talk(headers(block)) == Answered(code=code)


def test_what_comes_before_and_around_an_answer() -> None:
    conversation = http2.Conversation(grpc=False)
    assert conversation.receive(http2.frame(SETTINGS, 0, 0)) == http2.frame(SETTINGS, 1, 0)
    assert conversation.receive(http2.frame(SETTINGS, 1, 0)) == b""
    assert conversation.receive(http2.frame(PING, 0, 0, b"12345678")) == http2.frame(PING, 1, 0, b"12345678")
    assert conversation.receive(headers(b"\x48\x03100", END_HEADERS)) == b""
    assert conversation.result is None
    padded = http2.frame(HEADERS, 8 | 32, 1, b"\x02" + bytes(5) + b"\x48" + b"\0\0")
    conversation.receive(padded)
    conversation.receive(http2.frame(CONTINUATION, END_HEADERS, 1, b"\x03204"))
    assert conversation.result == Answered(code=204)


def test_a_grpc_status_is_in_the_headers_or_comes_last() -> None:
    status = b"\x00\x0bgrpc-status\x017"
    assert talk(headers(b"\x88" + status), grpc=True) == Answered(code=7)
    body = http2.frame(DATA, 0, 1, bytes(5))
    assert talk(headers(b"\x88", END_HEADERS), body, headers(status), grpc=True) == Answered(code=7)
    assert talk(headers(b"\x88", END_HEADERS), http2.frame(DATA, END_STREAM, 1), grpc=True) == Failed(
        why="ended without a gRPC status"
    )
    assert talk(headers(b"\x8d"), grpc=True) == Failed(why="HTTP status 404")


@pytest.mark.parametrize(
    "said",
    [
        http2.frame(RESET, 0, 1, bytes(4)),
        http2.frame(AWAY, 0, 0, bytes(8)),
        headers(b"\xff\xff\xff\xff\xff\xff"),
        headers(b"\xbf"),
        headers(b"\x80"),
        headers(b"\x48"),
        headers(b"\x48\x05ab"),
        headers(b"\x48\x03abc"),
        headers(b"\x48\x83\xff\xff\xff"),
        http2.frame(DATA, 0, 1, bytes(70_000)),
    ],
)
def test_nonsense_is_a_failure(said: bytes) -> None:
    conversation = http2.Conversation(grpc=False)
    conversation.receive(said)
    assert isinstance(conversation.result, Failed)


@given(st.binary(max_size=60))
def test_no_block_of_headers_is_more_than_a_failure(block: bytes) -> None:
    assert isinstance(talk(headers(block)), Answered | Failed | None)


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_a_failure(data: bytes) -> None:
    conversation = http2.Conversation(grpc=True)
    conversation.receive(data)
    assert isinstance(conversation.closed(), Answered | Failed)


def test_long_values_are_said_in_full() -> None:
    path = "/" + "a" * 1000
    assert path.encode() in http2.question([(":path", path)])
