"""Bad input for every operation of every room: AWS's error for it, never a 500, and never a changed record.

`HOSTILE_MOST` is how many spoiled requests each operation gets (`make soak`: all there are).
"""

from __future__ import annotations

import http.client
import os
import random
import socket
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from hatoba.app.rooms import ROOMS
from hatoba.aws import models
from hatoba.aws.models import Operation
from hatoba.aws.wire import WireRequest
from tests.conformance.hostile.composed import Composed, composed
from tests.conformance.hostile.spoiled import requests, true_inputs
from tools.waiting import PATIENCE

MOST = int(os.environ.get("HOSTILE_MOST", "40"))
SEED = int(os.environ.get("HOSTILE_SEED", "1"))
ONE_OF_NOTHING = "DescribeInstances"  # they are all one function: what is spoiled for one is for all
STREAMS = ("StartLiveTail",)  # an answer that does not end


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    with composed(Path(tmp_path_factory.mktemp("composed"))) as platform:
        yield platform


def operations() -> list[tuple[str, str]]:
    return sorted(
        (room.service.name, name)
        for room in ROOMS
        for name in models.load(room.service.name).operations
        if (handler := room.service.handler(name)) is not None
        and (handler.__module__ != "hatoba.services.ec2.api.nothing" or name == ONE_OF_NOTHING)
    )


def found(service: str, name: str) -> Operation:
    operation = models.load(service).operation(name)
    assert operation is not None
    return operation


def target(request: WireRequest) -> str:
    return f"{request.path}?{request.query}" if request.query else request.path


answered: defaultdict[str, set[str]] = defaultdict(set)
refused: Counter[str] = Counter()


@pytest.mark.slow
@pytest.mark.parametrize(("service", "name"), operations())
def test_whatever_is_spoiled_is_refused_and_changes_nothing(platform: Composed, service: str, name: str) -> None:
    operation, chance = found(service, name), random.Random(SEED)
    wire = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=PATIENCE)
    most = 5 if name in STREAMS else MOST
    try:
        for params in true_inputs(operation, platform.ready()):
            made = 0
            for what, request in requests(operation, params, chance, most):
                before = platform.seq
                if ask(platform, wire, operation, what, request) and platform.seq != before and made < 8:
                    made += 1  # it may have deleted what the others speak of
                    platform.ready()
    finally:
        wire.close()


def ask(
    platform: Composed, wire: http.client.HTTPConnection, operation: Operation, what: str, request: WireRequest
) -> bool:
    """Whether it was answered; a refusal is checked."""
    before, failures = platform.seq, platform.failures
    said_so = {name: value.encode() for name, value in request.headers.items() if name != "content-length"}
    wire.request(request.method, target(request), request.whole_body(), said_so)
    answer = wire.getresponse()
    if answer.status < 300:
        answered[operation.service].add(operation.name)
        if operation.name in STREAMS:
            wire.close()
        else:
            answer.read()
        return True
    said = answer.read()
    if request.method in ("GET", "HEAD") and answer.status < 400:
        assert answer.status in (301, 304), what  # a bucket elsewhere; what the client has already
    else:
        assert 400 <= answer.status < 500 or answer.status == 501, (what, said[:500])
        assert b"Code>" in said or b"__type" in said or request.method == "HEAD", (what, said[:500])
    assert platform.seq == before, f"refused, and changed something: {what}: {said[:300]!r}"
    assert platform.failures == failures, what
    refused[operation.service] += 1
    return False


@pytest.mark.slow
@pytest.mark.parametrize(("service", "name"), operations())
def test_a_body_cut_short_is_refused_and_changes_nothing(platform: Composed, service: str, name: str) -> None:
    operation = found(service, name)
    params = next(true_inputs(operation, platform.ready()))
    *_, (_, request) = requests(operation, params, random.Random(SEED), 0)
    body = request.whole_body()
    lines = "".join(f"{k}: {v}\r\n" for k, v in request.headers.items() if k != "content-length")
    start = f"{request.method} {target(request)} HTTP/1.1\r\nhost: localhost\r\n"
    head = f"{start}{lines}content-length: {len(body) + 1}\r\n\r\n".encode()
    before = platform.seq
    with socket.create_connection(("127.0.0.1", platform.port), timeout=PATIENCE) as wire:
        wire.sendall(head + body)
        wire.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := wire.recv(65536):
            answer += piece
    assert answer.split(b" ", 2)[1] == b"400", answer
    assert platform.seq == before


@pytest.mark.slow
def test_both_happened() -> None:
    """Or the tests before would be about nothing: most operations have answered, and every room has refused much."""
    if len(refused) < len(ROOMS):  # it is run alone
        return
    assert min(refused.values()) > 100
    never = [(service, name) for service, name in operations() if name not in answered[service]]
    assert len(never) < len(operations()) / 4, never
