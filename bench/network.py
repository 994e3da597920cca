"""The VPC fabric: what an interface, a rule and a restart cost. Root needed; works in a host namespace of its own.

    .venv/bin/python bench/network.py [interfaces]

Medians of wall time, and the process's CPU per operation (the kernel's work in its own threads comes on top).
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hatoba.network import syscalls
from hatoba.network.base import InterfaceSpec, PolicySet, Publish, Rule, SeatSpec, Settings, VpcSpec
from hatoba.network.fabric import KernelFabric

EVERYONE = Rule(cidrs=("0.0.0.0/0",))


def interface(vpc: str, number: int, public: bool = False) -> InterfaceSpec:
    high, low = divmod(number, 200)
    return InterfaceSpec(
        id=f"{vpc}.{number}",
        vpc=vpc,
        address=f"10.0.{high + 1}.{low + 5}",
        mac=f"02:00:00:00:{high:02x}:{low:02x}",
        gateway="10.0.0.1",
        groups=("sg-web",),
        public=f"100.64.{high + 8}.{low + 5}" if public else None,
        egress=True,
    )


def seat(number: int) -> SeatSpec:
    return SeatSpec(id=f"seat-{number}", ports=(Publish(port=80),))


def policies(port: int) -> tuple[PolicySet, ...]:
    web = PolicySet(
        id="sg-web", egress=(EVERYONE,), ingress=(Rule(protocol="tcp", from_port=port, cidrs=("0.0.0.0/0",)),)
    )
    return (web, *(PolicySet(id=f"sg-{number}", ingress=(Rule(groups=("sg-web",)),)) for number in range(20)))


async def timed(what: str, count: int, operation: Callable[[int], Awaitable[object]]) -> None:
    times = []
    before = time.process_time()
    for number in range(count):
        start = time.perf_counter()
        await operation(number)
        times.append((time.perf_counter() - start) * 1e3)
    cpu = (time.process_time() - before) / count * 1e3
    high = sorted(times)[int(count * 0.95)]
    print(f"{what:44} p50 {statistics.median(times):7.2f} ms   p95 {high:7.2f} ms   CPU {cpu:6.2f} ms")


async def bench(folder: Path, home: Path, count: int) -> None:
    settings = Settings(instance="bench", run_dir=folder / "run", shared_dir=folder / "shared")
    fabric = KernelFabric(settings, home)
    await fabric.start()
    try:
        await timed(
            "a VPC's router", 5, lambda n: fabric.ensure_vpc(VpcSpec(id=f"vpc-{n}", cidrs=("10.0.0.0/16",), vni=n + 1))
        )
        for number in range(5):
            await fabric.set_policies(f"vpc-{number}", policies(80))
        await timed("an interface", count, lambda n: fabric.ensure_interface(interface("vpc-0", n)))
        await timed(
            "an interface with a public address", 50, lambda n: fabric.ensure_interface(interface("vpc-1", n, True))
        )
        await timed("asked for again", count, lambda n: fabric.ensure_interface(interface("vpc-0", n)))
        await timed(
            f"a changed rule beside {count} interfaces", 50, lambda n: fabric.set_policies("vpc-0", policies(81 + n))
        )
        await timed("the bridge", 1, lambda _: fabric.ensure_bridge(()))
        await timed("a seat with a published port", count, lambda n: fabric.ensure_seat(seat(n)))
        await fabric.close()
        fabric = KernelFabric(settings, home)
        await timed(f"taking over {count + 50} interfaces and {count} seats", 1, lambda _: fabric.start())
        await timed("removal of a seat", count, lambda n: fabric.remove_seat(f"seat-{n}"))
        await sustained(fabric, 500)
        await timed("removal of an interface", count, lambda n: fabric.remove_interface("vpc-0", f"vpc-0.{n}"))
    finally:
        await fabric.teardown()


async def sustained(fabric: KernelFabric, total: int) -> None:
    """Interfaces made, and removed a moment later, in four VPCs at once: as fast as it goes."""
    start, before = time.perf_counter(), time.process_time()

    async def churn(vpc: str) -> None:
        for number in range(total // 4):
            await fabric.ensure_interface(interface(vpc, number))
            if number >= 10:
                await fabric.remove_interface(vpc, f"{vpc}.{number - 10}")

    await asyncio.gather(*(churn(f"vpc-{number}") for number in range(1, 5)))
    wall, cpu = time.perf_counter() - start, time.process_time() - before
    print(
        f"{'made and removed, four VPCs at once':44} {total / wall:7.0f} a second{'':15}CPU {cpu / total * 1e3:6.2f} ms"
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    folder = Path(tempfile.mkdtemp())
    home = folder / "host"

    def make() -> None:
        syscalls.unshare()
        syscalls.pin(home)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(make).result()
    try:
        asyncio.run(bench(folder, home, count))
    finally:
        syscalls.unpin(home)
        (folder / "shared").rmdir()
        folder.rmdir()


if __name__ == "__main__":
    main()
