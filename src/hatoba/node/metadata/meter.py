"""Reads what a task's containers use, when somebody asks, and remembers what it told.

Nothing is read while nobody asks. What a rate is taken over is the time since the answer before, and at least a second:
of two containers that ask at the same moment neither spoils the other's figures.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec

from hatoba.fleet.model import Workload
from hatoba.network.base import BRIDGE, Fabric, Traffic
from hatoba.node.bridge import seat_id
from hatoba.node.held import Held
from hatoba.node.metadata import stats
from hatoba.node.metadata.stats import Reading
from hatoba.runtime.base import Runtime

LEAST = 1.0  # seconds between two readings that are compared
MOST = 1024  # containers whose readings are remembered

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_STAT = Path("/proc/stat")
_MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
_COUNTED = 8  # user, nice, system, idle, iowait, irq, softirq, steal


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    latest: Reading
    before: Reading | None


class Meter:
    def __init__(self, runtime: Runtime, fabric: Fabric) -> None:
        self._runtime = runtime
        self._fabric = fabric
        self._told: dict[str, _Told] = {}  # by runtime id, the oldest first

    async def of(self, held: Held) -> dict[str, dict[str, Any] | None]:
        """By runtime id; None for a container that does not run. Raises `PortError`."""
        names = {c.runtime_id: c.name for c in held.status.containers if c.runtime_id}
        samples = await self._runtime.stats(list(names))
        system_ns, cpus = await asyncio.to_thread(_machine)
        found: dict[str, dict[str, Any] | None] = dict.fromkeys(names)
        for id_, sample in samples.items():
            traffic = await self._traffic(held.workload, names[id_])
            now = Reading(sample=sample, system_ns=system_ns, cpus=cpus, memory=_MEMORY, traffic=traffic)
            found[id_] = stats.shape(now, self._since(id_, now), names[id_], id_)
        return found

    async def _traffic(self, workload: Workload, container: str) -> Traffic | None:
        """The task's, or the container's own; on the host's network nobody can tell."""
        if workload.network and workload.interface:
            return await self._fabric.traffic(workload.network, workload.interface)
        if workload.network_mode == "bridge":
            return await self._fabric.traffic(BRIDGE, seat_id(workload.id, container))
        return None

    def _since(self, id_: str, now: Reading) -> Reading | None:
        """The reading to compare with; notes this one."""
        told = self._told.pop(id_, None)
        if told is None:
            self._told[id_] = _Told(latest=now, before=None)
        elif now.sample.at - told.latest.sample.at < LEAST:
            self._told[id_] = told
        else:
            self._told[id_] = _Told(latest=now, before=told.latest)
        while len(self._told) > MOST:
            del self._told[next(iter(self._told))]
        return self._told[id_].before


def _machine() -> tuple[int, int]:
    """CPU time of the whole machine, in nanoseconds, and how many CPUs it has."""
    lines = _STAT.read_text().splitlines()
    ticks = sum(int(word) for word in lines[0].split()[1 : 1 + _COUNTED])
    return ticks * _TICK_NS, sum(line.startswith("cpu") for line in lines) - 1
