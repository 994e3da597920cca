"""Requests inside of requests: what one reader takes for a body, another takes for the next request.

Whoever stands before us (a proxy, a balancer, a firewall) must see the same requests as we do. So a head that can be
read in two ways is no request: it is refused, and nothing that follows it is looked at. Most of this is refused by
the parser (llhttp, strict); where it is a check of ours, the check is taken out, and the attack succeeds.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.gateway.test_gateway_hostile import CREATE, raw
from tests.conformance.gateway.world import World, world
from tests.conformance.threats.disarm import without

CONNECTION = "hatoba.gateway.http.connection:Connection"
LINES = "".join(f"{name}: {value}\r\n" for name, value in CREATE.items())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("smuggling"), auth=False) as running:
        yield running


def creates(name: str, framing: str | None = None) -> bytes:
    """A request that makes a cluster of that name, and that a test can see."""
    body = f'{{"clusterName":"{name}"}}'
    return f"POST / HTTP/1.1\r\nhost: a\r\n{LINES}{framing or f'content-length: {len(body)}'}\r\n\r\n{body}".encode()


INNER = creates("smuggled")
CHUNKED = f"0\r\n\r\n{INNER.decode()}"


def around(framing: str, body: str = "") -> bytes:
    return f"POST / HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n{body}".encode() + INNER


# Each may be read as a request without a body, or with one in which the smuggled request is.
TWO_WAYS = {
    "both lengths": around(f"content-length: {len(CHUNKED)}\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
    "both, the other way": around(f"transfer-encoding: chunked\r\ncontent-length: {len(CHUNKED)}", "0\r\n\r\n"),
    "two lengths": around(f"content-length: 0\r\ncontent-length: {len(INNER)}"),
    "a list of lengths": around(f"content-length: 0, {len(INNER)}"),
    "a length with a sign": around("content-length: +0"),
    "a hexadecimal length": around("content-length: 0x0"),
    "a length below zero": around("content-length: -1"),
    "a length with an underscore": around("content-length: 0_0"),
    "no length": around("content-length: "),
    "a space before the colon": around(f"content-length : {len(INNER)}"),
    "a name of two words": around(f"content length: {len(INNER)}"),
    "an encoding that is not the last": around("transfer-encoding: chunked, identity", "0\r\n\r\n"),
    "an encoding that nobody knows": around("transfer-encoding: xchunked", "0\r\n\r\n"),
    "a tab in the encoding": around("transfer-encoding:\tchunked\x0b", "0\r\n\r\n"),
    "a folded line": around(f"x-a: b\r\n content-length: {len(INNER)}"),
    "a carriage return alone": around(f"x-a: b\rcontent-length: {len(INNER)}"),
    "a NUL": around(f"x-a: b\0c\r\ncontent-length: {len(INNER)}"),
    "a chunk with a sign": around("transfer-encoding: chunked", "+0\r\n\r\n"),
    "a chunk in hexadecimal of a program": around("transfer-encoding: chunked", "0x0\r\n\r\n"),
    "a chunk that goes on": around("transfer-encoding: chunked", "1\r\nab\r\n0\r\n\r\n"),
    "a chunk of too many digits": around("transfer-encoding: chunked", "f" * 17 + "\r\n\r\n"),
    "an older protocol": around("x: y").replace(b"HTTP/1.1", b"HTTP/0.9", 1),
    "a chunked body with an offer to switch": around(
        "connection: upgrade\r\nupgrade: websocket\r\ntransfer-encoding: chunked", "0\r\n\r\n"
    ),
    "no protocol": around("x: y").replace(b" HTTP/1.1", b"", 1),
}


@pytest.mark.parametrize("data", TWO_WAYS.values(), ids=TWO_WAYS)
def test_what_can_be_read_in_two_ways_is_no_request(plain: World, data: bytes) -> None:
    status, answer = raw(plain, data, end=True)
    assert status in {400, 404, 505}, answer  # 404: before its body was looked at
    assert answer.count(b"HTTP/1.1 ") == 1, "what follows it is looked at"
    assert plain.stored("smuggled") == 0


def test_the_smuggled_request_is_a_good_one(plain: World) -> None:
    raw(plain, creates("straight"), end=True)
    assert plain.stored("straight") == 1


# What the parser lets pass, and a check of ours does not.
OURS = {
    "a body with an offer to switch": (
        around(f"connection: upgrade\r\nupgrade: websocket\r\ncontent-length: {len(INNER)}"),
        (f"{CONNECTION}.on_headers_complete", 'length not in (None, "0") or', "False and"),
    ),
}


@pytest.mark.parametrize(("data", "check"), OURS.values(), ids=OURS)
def test_refused_by_a_check_that_is_needed(plain: World, data: bytes, check: tuple[str, str, str]) -> None:
    before = plain.stored("smuggled")
    status, _ = raw(plain, data, end=True)
    assert (status, plain.stored("smuggled")) == (400, before)
    with without(*check):
        raw(plain, data, end=True)
        assert plain.stored("smuggled") > before, "it is not this check that refuses it"


def named_twice(plain: World) -> bool:
    """Two operations in one request: a filter may look at the first, and we at the last."""
    twice = creates("twice").replace(
        b"x-amz-target", b"x-amz-target: AmazonEC2ContainerServiceV20141113.X\r\nx-amz-target"
    )
    return raw(plain, twice, end=True)[0] != 400


def test_what_says_who_and_what_is_said_once(plain: World) -> None:
    assert not named_twice(plain)
    with without(f"{CONNECTION}.on_header", "elif key in _ONCE:", "elif False:"):
        assert named_twice(plain)
