"""Spoiled requests over all operations in no order: no 5xx, no hang, nothing changed by a refusal, and no memory kept.

`HOSTILE_TOTAL` is how many there are (`make soak`: a million).
"""

from __future__ import annotations

import gc
import http.client
import os
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.conformance.hostile.composed import Composed, composed
from tests.conformance.hostile.spoiled import requests, true_inputs
from tests.conformance.hostile.test_every_operation import SEED, STREAMS, ask, found, operations
from tools.waiting import PATIENCE

TOTAL = int(os.environ.get("HOSTILE_TOTAL", "20000"))
AT_ONCE = 100 if TOTAL > 100_000 else 10  # of one operation
AFRESH = 200  # requests until everything that they name is made anew, which costs as much as they do
GROWTH = 50 * 2**20  # bytes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    with composed(Path(tmp_path_factory.mktemp("million"))) as platform:
        yield platform


def resident() -> int:
    """Bytes of this process, where the platform is."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_spoiled_requests_in_no_order(platform: Composed) -> None:
    chance = random.Random(SEED)
    names = [pair for pair in operations() if pair[1] not in STREAMS]
    wire = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=PATIENCE)

    def spoil(service: str, name: str, most: int) -> int:
        operation, sent = found(service, name), 0
        params = chance.choice(list(true_inputs(operation, platform.known)))
        for what, request in islice(requests(operation, params, chance, most), most):
            ask(platform, wire, operation, what, request)
            sent += 1
        return sent

    platform.ready()
    for pair in names:  # what is compiled once for each operation is compiled
        spoil(*pair, 3)
    before, sent, afresh = resident(), 0, 0
    while sent < TOTAL:
        if sent >= afresh:
            platform.ready()
            afresh = sent + AFRESH
        sent += spoil(*chance.choice(names), AT_ONCE)
    wire.close()
    grown = resident() - before
    print(f"{sent} requests cost {grown / 2**20:.1f} MB")  # noqa: T201
    assert grown < GROWTH
