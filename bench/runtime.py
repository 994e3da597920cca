"""Containers: what a start, a deletion, a look at the counters and a pull cost. Root needed; a containerd of its own.

    .venv/bin/python bench/runtime.py [containers]

Medians of wall time. "CPU" is ours alone: containerd, the shims and crun come on top.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from hatoba.core.clock import SystemClock
from hatoba.core.ids import RandomIds
from hatoba.runtime import merge
from hatoba.runtime.base import ContainerSpec, Image, ImageSource, Resources
from hatoba.runtime.containerd import ContainerdRuntime, Settings
from hatoba.runtime.machine import this_platform
from tests.contract.runtime.tiny_registry import TinyRegistry, busybox_layer, tar

AT_ONCE = 4


async def timed(what: str, ids: list[str], operation: Callable[[str], Awaitable[object]], at_once: int = 1) -> None:
    times: list[float] = []
    slots = asyncio.Semaphore(at_once)

    async def one(id: str) -> None:
        async with slots:
            start = time.perf_counter()
            await operation(id)
            times.append((time.perf_counter() - start) * 1e3)

    before, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(one(id) for id in ids))
    rate, cpu = len(ids) / (time.perf_counter() - began), (time.process_time() - before) / len(ids) * 1e3
    print(f"{what:40} p50 {statistics.median(times):7.1f} ms   {rate:6.1f}/s   CPU {cpu:5.2f} ms")


async def pull(runtime: ContainerdRuntime, registry: TinyRegistry, repository: str) -> Image:
    source = ImageSource(name=repository, host=registry.host, scheme="http", repository=repository, reference="1")
    return await runtime.pull(source, this_platform())


async def bench(folder: Path, count: int) -> None:
    name = f"bench{os.getpid()}"
    settings = Settings(data=folder, run=Path("/run/hatoba") / name, cgroup_parent=f"/hatoba-{name}")
    registry = TinyRegistry()
    registry.image("busybox", "1", [busybox_layer()])
    registry.image("large", "1", [tar({f"noise{number}": os.urandom(64 << 20)}) for number in range(2)])
    began = time.perf_counter()
    runtime = await ContainerdRuntime.open(settings, SystemClock(), RandomIds())
    print(f"{'containerd, from nothing to ready':40}     {(time.perf_counter() - began) * 1e3:7.1f} ms")
    try:
        image = await pull(runtime, registry, "busybox")
        began = time.perf_counter()
        await pull(runtime, registry, "large")
        print(f"{'pull and unpack, 2 layers':40}     {128 / (time.perf_counter() - began):7.1f} MiB/s")
        await containers(runtime, image, count)
    finally:
        await runtime.shut_down()
        registry.close()


async def containers(runtime: ContainerdRuntime, image: Image, count: int) -> None:
    async def up(id: str) -> None:
        limits = Resources(cpu_shares=128, memory=64 << 20, pids=100)
        spec = ContainerSpec(
            id=id,
            image=image.digest,
            args=("sleep", "1000"),
            env=merge.env(image.config, {}),
            netns=f"/proc/{os.getpid()}/ns/net",  # as a task's: it is there already
            group="bench",
            resources=limits,
        )
        await runtime.create(spec)
        await runtime.start(id)

    few, many = [f"a{number}" for number in range(30)], [f"b{number}" for number in range(count)]
    await up("first")  # compiles the system call filter
    await timed("create and start, one at a time", few, up)
    await timed("delete, one at a time", few, runtime.delete)
    await timed(f"create and start, {AT_ONCE} at once", many, up, AT_ONCE)
    await timed(f"stats of {count}", ["x"] * 5, lambda _: runtime.stats(many))
    await timed(f"create and start, beside {count}", few, up)
    await timed(f"delete, {AT_ONCE} at once", [*few, *many, "first"], runtime.delete, AT_ONCE)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        uvloop.run(bench(Path(scratch), int(sys.argv[1]) if len(sys.argv) > 1 else 200))
