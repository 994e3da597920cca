"""A container's usage in the shape of Docker's stats, from two readings. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from hatoba.network.base import Traffic
from hatoba.node.metadata.views import when
from hatoba.runtime.base import Stats

NEVER = "0001-01-01T00:00:00Z"
DEVICE = "eth0"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted at one moment. `traffic`: of the task's interface; None when it has none of its own."""

    sample: Stats
    system_ns: int  # CPU time of the whole machine, idle time included
    cpus: int
    memory: int  # bytes of the whole machine
    traffic: Traffic | None = None


def shape(now: Reading, before: Reading | None, name: str, runtime_id: str) -> dict[str, Any]:
    sample = now.sample
    body: dict[str, Any] = {
        "read": when(sample.at),
        "preread": when(before.sample.at) if before is not None else NEVER,
        "pids_stats": _pids(sample),
        "blkio_stats": _disk(sample),
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": _cpu(now),
        "precpu_stats": _cpu(before) if before is not None else _no_cpu(),
        "memory_stats": _memory(sample, now.memory),
        "name": name,
        "id": runtime_id,
    }
    if now.traffic is not None:
        body["networks"] = {DEVICE: msgspec.to_builtins(now.traffic)}
        if (rates := _rates(now, before)) is not None:
            body["network_rate_stats"] = rates
    return body


def _pids(sample: Stats) -> dict[str, int]:
    return {"current": sample.pids} | ({"limit": sample.pids_limit} if sample.pids_limit is not None else {})


def _disk(sample: Stats) -> dict[str, Any]:
    return {
        "io_service_bytes_recursive": _entries(sample.read_bytes, sample.write_bytes),
        "io_serviced_recursive": _entries(sample.read_ops, sample.write_ops),
        **dict.fromkeys(
            (
                "io_queue_recursive",
                "io_service_time_recursive",
                "io_wait_time_recursive",
                "io_merged_recursive",
                "io_time_recursive",
                "sectors_recursive",
            )
        ),
    }


def _entries(read: int, write: int) -> list[dict[str, Any]]:
    """Of all devices together."""
    return [
        {"major": 0, "minor": 0, "op": op, "value": value}
        for op, value in (("Read", read), ("Write", write), ("Total", read + write))
    ]


def _cpu(reading: Reading) -> dict[str, Any]:
    sample = reading.sample
    usage = {
        "total_usage": sample.cpu_ns,
        "usage_in_kernelmode": sample.cpu_system_ns,
        "usage_in_usermode": sample.cpu_user_ns,
    }
    if sample.per_cpu_ns:
        usage["percpu_usage"] = list(sample.per_cpu_ns)  # type: ignore[assignment]
    return {
        "cpu_usage": usage,
        "system_cpu_usage": reading.system_ns,
        "online_cpus": reading.cpus,
        "throttling_data": {
            "periods": sample.periods,
            "throttled_periods": sample.throttled_periods,
            "throttled_time": sample.throttled_ns,
        },
    }


def _no_cpu() -> dict[str, Any]:
    """What Docker tells of a time before it looked."""
    return {
        "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    }


def _memory(sample: Stats, machine: int) -> dict[str, Any]:
    return {
        "usage": sample.memory,
        "max_usage": sample.memory_max,
        "stats": {
            "cache": sample.memory_cache,
            "rss": sample.memory_rss,
            "inactive_file": sample.memory_inactive_file,
            "total_cache": sample.memory_cache,
            "total_rss": sample.memory_rss,
            "total_inactive_file": sample.memory_inactive_file,
        },
        # A container that is not limited has the machine's, as Docker tells it: percentages are taken of this.
        "limit": machine if sample.memory_limit is None else min(sample.memory_limit, machine),
    }


def _rates(now: Reading, before: Reading | None) -> dict[str, float] | None:
    if before is None or before.traffic is None or now.traffic is None or now.sample.at <= before.sample.at:
        return None
    seconds = now.sample.at - before.sample.at
    return {
        "rx_bytes_per_sec": max(0, now.traffic.rx_bytes - before.traffic.rx_bytes) / seconds,
        "tx_bytes_per_sec": max(0, now.traffic.tx_bytes - before.traffic.tx_bytes) / seconds,
    }
