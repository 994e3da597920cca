"""Docker's stats: the members that tools read, from two readings of which one may be missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatoba.core.records import replace
from hatoba.network.base import Traffic
from hatoba.node.metadata import meter
from hatoba.node.metadata.drift import drift
from hatoba.node.metadata.stats import NEVER, Reading, shape
from hatoba.runtime.base import Stats
from tests.unit.node.test_metadata_endpoint import Asking

NOW = 1_700_000_000.0
SAMPLE = Stats(
    at=NOW,
    cpu_ns=5_000_000_000,
    cpu_user_ns=3_000_000_000,
    cpu_system_ns=2_000_000_000,
    per_cpu_ns=(4_000_000_000, 1_000_000_000),
    periods=100,
    throttled_periods=7,
    throttled_ns=9,
    memory=64 << 20,
    memory_cache=8 << 20,
    memory_rss=50 << 20,
    memory_inactive_file=6 << 20,
    memory_max=70 << 20,
    memory_limit=128 << 20,
    oom_kills=0,
    pids=3,
    pids_limit=None,
    read_bytes=4096,
    write_bytes=8192,
    read_ops=1,
    write_ops=2,
)
FIRST = Reading(
    sample=SAMPLE, system_ns=100_000_000_000, cpus=2, memory=8 << 30, traffic=Traffic(rx_bytes=1000, tx_bytes=500)
)
SECOND = Reading(
    sample=replace(SAMPLE, at=NOW + 4, cpu_ns=6_000_000_000),
    system_ns=108_000_000_000,
    cpus=2,
    memory=8 << 30,
    traffic=Traffic(rx_bytes=5000, tx_bytes=700, rx_packets=9),
)


def used_percent(stats: dict[str, Any]) -> float:
    """As `docker stats` reckons it."""
    now, before = stats["cpu_stats"], stats["precpu_stats"]
    used = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    passed = now["system_cpu_usage"] - before.get("system_cpu_usage", 0)
    return float(used / passed * now["online_cpus"] * 100)


def test_the_members_that_tools_read() -> None:
    told = shape(SECOND, FIRST, "web", "t1-web")
    assert used_percent(told) == pytest.approx(25.0)
    assert (told["read"], told["preread"]) == ("2023-11-14T22:13:24.000000000Z", "2023-11-14T22:13:20.000000000Z")
    assert told["memory_stats"]["usage"] - told["memory_stats"]["stats"]["inactive_file"] == 58 << 20
    assert told["memory_stats"]["limit"] == 128 << 20
    assert told["cpu_stats"]["throttling_data"] == {"periods": 100, "throttled_periods": 7, "throttled_time": 9}
    assert told["cpu_stats"]["cpu_usage"]["percpu_usage"] == [4_000_000_000, 1_000_000_000]
    assert told["pids_stats"] == {"current": 3}, "no limit is no number"
    assert [entry["value"] for entry in told["blkio_stats"]["io_service_bytes_recursive"]] == [4096, 8192, 12288]
    assert told["networks"]["eth0"]["rx_packets"] == 9
    assert told["network_rate_stats"] == {"rx_bytes_per_sec": 1000.0, "tx_bytes_per_sec": 50.0}


def test_what_memory_is_limited_to() -> None:
    """Whoever reckons a percentage divides by it: a container without a limit of its own has the machine's."""
    for own, told in ((None, 8 << 30), (128 << 20, 128 << 20), (1 << 50, 8 << 30)):
        reading = replace(FIRST, sample=replace(SAMPLE, memory_limit=own))
        assert shape(reading, None, "web", "t1-web")["memory_stats"]["limit"] == told


def test_the_first_reading_has_nothing_before_it() -> None:
    told = shape(FIRST, None, "web", "t1-web")
    assert told["preread"] == NEVER
    assert told["precpu_stats"]["cpu_usage"]["total_usage"] == 0
    assert "system_cpu_usage" not in told["precpu_stats"]
    assert "network_rate_stats" not in told
    assert used_percent(told) == pytest.approx(10.0), "since the machine began: what docker tells once"


def test_without_a_network_of_its_own_there_are_no_figures_of_one() -> None:
    plain = replace(SECOND, traffic=None)
    told = shape(plain, FIRST, "web", "t1-web")
    assert not {"networks", "network_rate_stats"} & told.keys()
    assert "network_rate_stats" not in shape(SECOND, plain, "web", "t1-web")


def test_an_interface_that_was_made_anew_has_no_negative_rate() -> None:
    told = shape(SECOND, replace(FIRST, traffic=Traffic(rx_bytes=10**9)), "web", "t1-web")
    assert told["network_rate_stats"]["rx_bytes_per_sec"] == 0


async def test_only_so_many_readings_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "MOST", 1)
    asking = Asking(tmp_path)
    await asking.launch()
    await asking("/v2/stats")
    assert len(asking.endpoint._answers._meter._told) == 1


def test_the_kernel_knows_how_wrong_its_clock_may_be() -> None:
    found = drift(NOW)
    assert found.at == NOW
    assert found.bound >= 0
