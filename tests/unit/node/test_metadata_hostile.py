"""Whatever a task sends to its metadata endpoint, it is answered in JSON, and never learns of another task."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatoba.node.translate import endpoint_id
from tests.unit.node.test_metadata_endpoint import Asking, running, task

MINE, THEIRS = endpoint_id("t1", "web"), endpoint_id("t2", "web")
WORDS = st.sampled_from(
    [
        "v1", "v2", "v3", "v4", "api", "credentials", "credentials?id=c1", "credentials?id=c2", "c1", "c2", "old",
        "metadata", "metadataWithTags", "stats", "task", "taskWithTags", "associations", "elastic-inference",
        MINE, THEIRS, "t1-web", "t2-web", "task-protection", "state", "fault", "network-latency",
        "network-blackhole-port", "network-packet-loss", "start", "stop", "status", "..", "", "%00", "%2e%2e",
    ]
)  # fmt: skip
PATHS = st.lists(WORDS | st.text(alphabet="abc/%?&=é~", max_size=8), max_size=7).map(
    lambda words: "/" + "/".join(words)
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)
BODIES = st.binary(max_size=40) | VALUES.map(lambda value: repr(value).replace("'", '"').encode())


@pytest.mark.slow
@given(PATHS, st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", ""]), BODIES, st.booleans())
@settings(max_examples=300, deadline=None)
def test_nothing_breaks_it_and_nothing_leaks(path: str, method: str, body: bytes, failing: bool) -> None:
    async def ask() -> tuple[int, str]:
        with tempfile.TemporaryDirectory() as folder:
            asking = Asking(Path(folder))
            if failing:
                asking.known.held["v1", "10.0.0.7"] = running(task("t1", FaultInjectionEnabled="true"))
            await asking.launch()
            status, told = await asking(path, method=method, body=body)
            return status, repr(told)

    status, told = asyncio.run(ask())
    assert status in (200, 400, 403, 404, 405, 409, 429, 500, 503)
    assert status != 500 or "the control plane" in told, told
    assert "t2" not in told.replace(THEIRS, "").replace("t2-web", ""), "another task's"
