"""Counters and levels of a container, straight from the kernel's cgroup files.

Asking containerd for the same costs a round trip through its shim for each container. Blocking, though short (about 0.2
ms a container): a sweep over many belongs in a thread.
"""

from __future__ import annotations

import os

from hatoba.runtime.base import Stats
from hatoba.runtime.cgroups import Cgroups, limit, number, pairs, read

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def oom_kills(cgroups: Cgroups, cgroup: str) -> int:
    """How many processes of this very cgroup the kernel has killed for want of memory."""
    if cgroups.layout == "v2":
        events = pairs(read(f"{cgroups.path('memory', cgroup)}/memory.events"))
    else:
        events = pairs(read(f"{cgroups.path('memory', cgroup)}/memory.oom_control"))
    return events.get("oom_kill", 0)


def stats(cgroups: Cgroups, cgroup: str, now: float) -> Stats | None:
    """The counters of one cgroup; None when it is gone."""
    return _stats_v2(cgroups, cgroup, now) if cgroups.layout == "v2" else _stats_v1(cgroups, cgroup, now)


def _stats_v1(cgroups: Cgroups, cgroup: str, now: float) -> Stats | None:
    def text(controller: str, file: str) -> str:
        return read(f"{cgroups.trees[controller]}{cgroup}/{file}") if controller in cgroups.trees else ""

    usage = text("cpuacct", "cpuacct.usage")
    if not usage:
        return None
    cpu, memory = pairs(text("cpuacct", "cpuacct.stat")), pairs(text("memory", "memory.stat"))
    throttled = pairs(text("cpu", "cpu.stat"))
    bytes_, ops = (_blkio(text("blkio", f"blkio.throttle.{file}")) for file in ("io_service_bytes", "io_serviced"))
    return Stats(
        at=now,
        cpu_ns=number(usage),
        cpu_user_ns=cpu.get("user", 0) * _TICK_NS,
        cpu_system_ns=cpu.get("system", 0) * _TICK_NS,
        per_cpu_ns=tuple(map(int, text("cpuacct", "cpuacct.usage_percpu").split())),
        periods=throttled.get("nr_periods", 0),
        throttled_periods=throttled.get("nr_throttled", 0),
        throttled_ns=throttled.get("throttled_time", 0),
        memory=number(text("memory", "memory.usage_in_bytes")),
        memory_cache=memory.get("total_cache", 0),
        memory_rss=memory.get("total_rss", 0),
        memory_inactive_file=memory.get("total_inactive_file", 0),
        memory_max=number(text("memory", "memory.max_usage_in_bytes")),
        memory_limit=limit(text("memory", "memory.limit_in_bytes")),
        oom_kills=oom_kills(cgroups, cgroup),
        pids=number(text("pids", "pids.current")),
        pids_limit=limit(text("pids", "pids.max")),
        read_bytes=bytes_["Read"],
        write_bytes=bytes_["Write"],
        read_ops=ops["Read"],
        write_ops=ops["Write"],
    )


def _blkio(text: str) -> dict[str, int]:
    """`8:0 Read 123` lines, summed over devices."""
    sums = {"Read": 0, "Write": 0}
    for line in text.splitlines():
        parts = line.split()
        if len(parts) == 3 and parts[1] in sums:
            sums[parts[1]] += int(parts[2])
    return sums


def _stats_v2(cgroups: Cgroups, cgroup: str, now: float) -> Stats | None:
    base = cgroups.trees[""] + cgroup
    cpu = pairs(read(f"{base}/cpu.stat"))
    if not cpu:
        return None
    memory = pairs(read(f"{base}/memory.stat"))
    used = number(read(f"{base}/memory.current"))
    disk = {"rbytes": 0, "wbytes": 0, "rios": 0, "wios": 0}
    for line in read(f"{base}/io.stat").splitlines():  # "8:0 rbytes=1 wbytes=2 rios=…"
        for word in line.split()[1:]:
            key, _, value = word.partition("=")
            if key in disk:
                disk[key] += int(value)
    return Stats(
        at=now,
        cpu_ns=cpu.get("usage_usec", 0) * 1000,
        cpu_user_ns=cpu.get("user_usec", 0) * 1000,
        cpu_system_ns=cpu.get("system_usec", 0) * 1000,
        per_cpu_ns=(),
        periods=cpu.get("nr_periods", 0),
        throttled_periods=cpu.get("nr_throttled", 0),
        throttled_ns=cpu.get("throttled_usec", 0) * 1000,
        memory=used,
        memory_cache=memory.get("file", 0),
        memory_rss=memory.get("anon", 0),
        memory_inactive_file=memory.get("inactive_file", 0),
        memory_max=number(read(f"{base}/memory.peak")) or used,  # memory.peak is there since Linux 5.19
        memory_limit=limit(read(f"{base}/memory.max")),
        oom_kills=oom_kills(cgroups, cgroup),
        pids=number(read(f"{base}/pids.current")),
        pids_limit=limit(read(f"{base}/pids.max")),
        read_bytes=disk["rbytes"],
        write_bytes=disk["wbytes"],
        read_ops=disk["rios"],
        write_ops=disk["wios"],
    )
