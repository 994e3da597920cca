"""Control groups of both versions: where a container belongs, what is read of it and written to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hatoba.core.errors import PortError
from hatoba.runtime import cgroups, groups, stats
from hatoba.runtime.base import Resources
from hatoba.runtime.cgroups import Cgroups

V1 = """\
25 1 0:22 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
26 25 0:23 / /sys/fs/cgroup/cpu,cpuacct rw shared:1 - cgroup cgroup rw,cpu,cpuacct
27 25 0:24 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
28 25 0:25 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
"""
HYBRID = V1 + "29 25 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"


def test_layouts() -> None:
    assert cgroups.detect(V1).layout == "v1"
    hybrid = cgroups.detect(HYBRID)
    assert (hybrid.layout, hybrid.unified) == ("hybrid", "/sys/fs/cgroup/unified")
    assert hybrid.path("cpuacct", "/a/b") == "/sys/fs/cgroup/cpu,cpuacct/a/b"
    assert hybrid.roots == [
        "/sys/fs/cgroup/cpu,cpuacct",
        "/sys/fs/cgroup/memory",
        "/sys/fs/cgroup/systemd",
        "/sys/fs/cgroup/unified",
    ]
    v2 = cgroups.detect(V2)
    assert (v2.layout, v2.path("memory", "/a"), v2.unified) == ("v2", "/sys/fs/cgroup/a", "")
    with pytest.raises(PortError):
        cgroups.detect("")


@pytest.mark.parametrize("text", [V1, HYBRID, V2])
def test_a_chroot_with_the_same_trees_does_not_count(text: str) -> None:
    chroot = text.replace(" /sys/fs/cgroup", " /srv/chroot/sys/fs/cgroup")
    assert cgroups.detect(text + chroot) == cgroups.detect(chroot + text) == cgroups.detect(text)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_counters_of_v1(tmp_path: Path) -> None:
    trees = {name: str(tmp_path / name) for name in ("cpu", "cpuacct", "memory", "pids", "blkio")}
    write(
        tmp_path,
        {
            "cpuacct/c/cpuacct.usage": "5000000000\n",
            "cpuacct/c/cpuacct.stat": "user 300\nsystem 200\n",
            "cpuacct/c/cpuacct.usage_percpu": "3000000000 2000000000 \n",
            "cpu/c/cpu.stat": "nr_periods 10\nnr_throttled 4\nthrottled_time 77\n",
            "memory/c/memory.usage_in_bytes": "1000\n",
            "memory/c/memory.max_usage_in_bytes": "2000\n",
            "memory/c/memory.limit_in_bytes": "9223372036854771712\n",
            "memory/c/memory.stat": "cache 1\ntotal_cache 300\ntotal_rss 600\ntotal_inactive_file 200\n",
            "memory/c/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
            "pids/c/pids.current": "3\n",
            "pids/c/pids.max": "max\n",
            "blkio/c/blkio.throttle.io_service_bytes": "8:0 Read 10\n8:0 Write 20\n8:16 Read 5\nTotal 35\n",
            "blkio/c/blkio.throttle.io_serviced": "8:0 Read 1\n8:0 Write 2\nTotal 3\n",
        },
    )
    found = stats.stats(Cgroups(layout="v1", trees=trees), "/c", 7.0)
    assert found is not None
    assert (found.at, found.cpu_ns, found.per_cpu_ns) == (7.0, 5_000_000_000, (3_000_000_000, 2_000_000_000))
    assert (found.cpu_user_ns, found.cpu_system_ns) == (3_000_000_000, 2_000_000_000)
    assert (found.throttled_periods, found.throttled_ns) == (4, 77)
    assert (found.memory, found.memory_cache, found.memory_rss, found.memory_inactive_file) == (1000, 300, 600, 200)
    assert (found.memory_max, found.memory_limit, found.oom_kills) == (2000, None, 2)
    assert (found.pids, found.pids_limit) == (3, None)
    assert (found.read_bytes, found.write_bytes, found.read_ops, found.write_ops) == (15, 20, 1, 2)
    assert stats.stats(Cgroups(layout="v1", trees=trees), "/gone", 7.0) is None


def test_counters_of_v2(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "c/cpu.stat": "usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\nnr_throttled 1\nthrottled_usec 9\n",
            "c/memory.current": "1000\n",
            "c/memory.max": "4096\n",
            "c/memory.stat": "anon 600\nfile 300\ninactive_file 200\n",
            "c/memory.events": "low 0\noom 1\noom_kill 1\n",
            "c/pids.current": "3\n",
            "c/pids.max": "10\n",
            "c/io.stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0\n8:16 rbytes=5 wbytes=0 rios=1 wios=0\n",
        },
    )
    found = stats.stats(Cgroups(layout="v2", trees={"": str(tmp_path)}), "/c", 7.0)
    assert found is not None
    assert (found.cpu_ns, found.throttled_ns, found.oom_kills) == (5_000_000, 9000, 1)
    assert (found.memory, found.memory_rss, found.memory_limit, found.memory_max) == (1000, 600, 4096, 1000)
    assert (found.read_bytes, found.write_bytes, found.read_ops, found.pids_limit) == (15, 20, 2, 10)


FULL = Resources(cpu_shares=512, cpu_quota=20_000, memory=1000, memory_reservation=500, pids=9)


def test_what_a_group_writes() -> None:
    assert groups.group_files("hybrid", FULL) == [
        ("cpu", "cpu.shares", "512"),
        ("cpu", "cpu.cfs_period_us", "100000"),
        ("cpu", "cpu.cfs_quota_us", "20000"),
        ("memory", "memory.limit_in_bytes", "1000"),
        ("memory", "memory.memsw.limit_in_bytes", "1000"),
        ("memory", "memory.soft_limit_in_bytes", "500"),
        ("pids", "pids.max", "9"),
    ]
    assert groups.group_files("v2", FULL) == [
        ("cpu", "cpu.weight", "20"),
        ("cpu", "cpu.max", "20000 100000"),
        ("memory", "memory.max", "1000"),
        ("memory", "memory.swap.max", "0"),
        ("memory", "memory.low", "500"),
        ("pids", "pids.max", "9"),
    ]
    assert groups.group_files("v1", Resources(memory=10), swap=False) == [("memory", "memory.limit_in_bytes", "10")]


def test_weights_span_the_whole_range() -> None:
    assert [groups.weight(shares) for shares in (0, 2, 1024, 262144, 10**9)] == [1, 1, 39, 10000, 10000]
