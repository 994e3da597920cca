"""The load balancers' data plane: how fast a change is effective, what Envoy and the health checks cost.

    python -m bench.proxy [--changes N]

A real Envoy on loopback, fed by the real configuration server; behind it a second Envoy that answers by
itself. The CPU per request is that of the balancer alone, under `wrk`. Prints medians.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.process import cpu_seconds, memory
from bench.rows import report
from hatoba.core.clock import SystemClock
from hatoba.proxy.ask import ask, open_socket
from hatoba.proxy.base import (
    Action,
    Balancer,
    FixedResponse,
    Forward,
    HealthCheck,
    HealthFact,
    Listener,
    Share,
    Target,
    TargetGroup,
    Wanted,
)
from hatoba.proxy.checker import Checker
from hatoba.proxy.engine import EnvoyProxy
from hatoba.proxy.server import ConfigServer

UNCHECKED = HealthCheck(enabled=False)
FRONT, BACK, HEALTH = 18180, 18181, 18182
ANSWERS = """
import asyncio
async def serve(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok")
    writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", %d, backlog=1000)
    await server.serve_forever()
asyncio.run(main())
"""


def forward(group: str) -> Forward:
    return Forward(shares=(Share(group=group),))


def balancer(id_: str, port: int, action: Action, more: tuple[Listener, ...] = ()) -> Balancer:
    return Balancer(id=id_, addresses=("127.0.0.1",), listeners=(Listener(id="l", port=port, default=action), *more))


def group(id_: str, targets: int = 1) -> TargetGroup:
    addressed = tuple(Target(id=str(n), address=f"127.0.0.{1 + n}", port=BACK) for n in range(targets))
    return TargetGroup(id=id_, targets=addressed, health_check=UNCHECKED)


def ignore(fact: HealthFact) -> None:
    """Nobody listens to health here."""


async def changes(proxy: EnvoyProxy, count: int, make: Callable[[int], Wanted]) -> float:
    """Median milliseconds from `apply` to Envoy's acknowledgement."""
    took = []
    for n in range(count):
        began = time.perf_counter()
        await proxy.apply(make(n))
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


async def latencies(proxy: EnvoyProxy, count: int) -> None:
    web, other = forward("g"), FixedResponse(status=200, body="x")
    more = (Listener(id="more", port=FRONT + 10, default=web),)
    both = (group("g"), group("h"))
    makers: dict[str, Callable[[int], Wanted]] = {
        "target": lambda n: Wanted(balancers=(balancer("b", FRONT, web),), groups=(group("g", 1 + n % 2),)),
        "route to another known group": lambda n: Wanted(
            balancers=(balancer("b", FRONT, forward("gh"[n % 2])), balancer("c", FRONT + 11, web)), groups=both
        ),
        "route, cluster and endpoints": lambda n: Wanted(
            balancers=(balancer("b", FRONT, web if n % 2 else other),), groups=both
        ),
        "listener": lambda n: Wanted(balancers=(balancer("b", FRONT, web, more if n % 2 else ()),), groups=both),
    }
    for name, make in makers.items():
        took = await changes(proxy, count, make)
        print(f"  change of {name:32} {took:8.2f} ms")
        if name == "target":
            report("a changed target is effective in the proxy", took, "ms", at_most=100.0)


def memories(pid: int) -> str:
    anonymous = next(
        int(line.split()[1])
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        if line.startswith("Anonymous:")
    )
    return f"{memory(pid) / 1e6:8.0f} MB resident, {anonymous * 1024 / 1e6:.0f} MB of its own"


async def request_cost(proxy: EnvoyProxy, backend: EnvoyProxy) -> None:
    await backend.apply(Wanted(balancers=(balancer("b", BACK, FixedResponse(status=200, body="ok")),)))
    await proxy.apply(Wanted(balancers=(balancer("b", FRONT, forward("g")),), groups=(group("g"),)))
    pid = proxy.process.pid or 0
    costs = []
    for _ in range(3):
        before, requests = cpu_seconds(pid), (await proxy.traffic())["b"].requests
        load = await asyncio.create_subprocess_exec(
            *("wrk", "-t1", "-c16", "-d3", f"http://127.0.0.1:{FRONT}/"), stdout=subprocess.DEVNULL
        )
        await load.wait()
        done = (await proxy.traffic())["b"].requests - requests
        costs.append((cpu_seconds(pid) - before) / done * 1e6)
    print(f"  CPU per proxied request                   {statistics.median(costs):8.1f} µs")


async def check_cost(interval: float) -> None:
    backend = await asyncio.create_subprocess_exec(sys.executable, "-c", ANSWERS % HEALTH)
    checker = Checker(ask=functools.partial(ask, opener=open_socket), clock=SystemClock(), on_health=ignore)
    targets = tuple(Target(id=str(n), address="127.0.0.1", port=HEALTH) for n in range(200))
    checked = TargetGroup(id="g", targets=targets, health_check=HealthCheck(interval=interval))
    try:
        checker.set_groups({"g": (checked, lambda _: "127.0.0.1")})
        await asyncio.sleep(interval)  # all are healthy and in their rhythm
        asked, used, began = checker.asked, time.process_time(), time.perf_counter()
        await asyncio.sleep(2 * interval)
        share = (time.process_time() - used) / (time.perf_counter() - began) * 100
        each = (time.process_time() - used) / max(1, checker.asked - asked) * 1e6
        print(
            f"  200 targets, every {interval:.0f} s                    {share:8.2f} % of a core, {each:.0f} µs a check"
        )
    finally:
        await checker.close()
        backend.terminate()
        await backend.wait()


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="hb", dir="/tmp") as folder:
        server = ConfigServer(Path(folder) / "x.sock")
        await server.start()
        make = functools.partial(EnvoyProxy, server=server, clock=SystemClock(), on_health=ignore)
        proxy, backend = (make(name=name, directory=Path(folder) / name) for name in "ab")
        try:
            began = time.perf_counter()
            await proxy.start()
            await proxy.apply(Wanted(balancers=(balancer("b", FRONT, forward("g")),), groups=(group("g"),)))
            print(f"  start to first balancer serving           {(time.perf_counter() - began) * 1000:8.0f} ms")
            await backend.start()
            await latencies(proxy, count)
            await request_cost(proxy, backend)
            pid = proxy.process.pid or 0
            print(f"  Envoy with 1 balancer                     {memories(pid)}")
            many = [f"g{n}" for n in range(200)]
            fleet = tuple(balancer(f"b{n}", FRONT + 20 + n, forward(each)) for n, each in enumerate(many[:50]))
            rest = balancer("r", FRONT, Forward(shares=tuple(Share(group=each) for each in many[50:])))
            began = time.perf_counter()
            await proxy.apply(Wanted(balancers=(*fleet, rest), groups=tuple(group(each, 4) for each in many)))
            print(f"  51 balancers, 200 groups, all new         {(time.perf_counter() - began) * 1000:8.0f} ms")
            print(f"  Envoy with 51 balancers, 200 groups       {memories(pid)}")
        finally:
            await proxy.stop()
            await backend.stop()
            await server.close()
    await check_cost(5.0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=200)
    asyncio.run(main(parser.parse_args().changes))
