"""An application load balancer beside bare Envoy with a hand-written static configuration; and many load balancers at
once: how long all of it takes, what one change costs, and whether it touches the others.

    python -m bench.balancing [--seconds S] [--rounds N]

Everything is on loopback in a network namespace of its own. Two web servers (Envoys that answer by themselves) stand
behind both; `wrk` asks one and the other in turns, with the same connections and the same file, so that a busy machine
is equally busy for both. Beside the requests a second stands the CPU that the proxy used for one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.process import cpu_seconds
from bench.rows import report
from hatoba.core.clock import SystemClock
from hatoba.proxy import admin, tracer
from hatoba.proxy.base import (
    Balancer,
    FixedResponse,
    Forward,
    HealthCheck,
    HealthFact,
    Listener,
    PathIs,
    Rule,
    Share,
    Target,
    TargetGroup,
    Wanted,
)
from hatoba.proxy.engine import EnvoyProxy
from hatoba.proxy.process import envoy_binary
from hatoba.proxy.server import ConfigServer

OURS, BARE, BACK = "127.0.0.5", "127.0.0.6", ("127.0.0.7", "127.0.0.8")
PORT = 80
FILE = "x" * 1024
CONNECTIONS = 32
UNCHECKED = HealthCheck(enabled=False)
BALANCERS, RULES, TARGETS = 200, 1000, 2000


class Measured(NamedTuple):
    rate: float  # requests a second
    p99: float  # milliseconds
    cpu: float  # microseconds of the proxy for a request
    failed: int


def ignore(fact: HealthFact) -> None:
    """Nobody listens to health here."""


def bare() -> str:
    """What somebody writes who wants a reverse proxy for two targets and keeps to Envoy's documentation."""
    ends = "".join(
        f"        - endpoint: {{address: {{socket_address: {{address: {each}, port_value: {PORT}}}}}}}\n"
        for each in BACK
    )
    http = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    router = "envoy.extensions.filters.http.router.v3.Router"
    return f"""
static_resources:
  listeners:
  - name: web
    address: {{socket_address: {{address: {BARE}, port_value: {PORT}}}}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/{http}
          stat_prefix: web
          use_remote_address: true
          route_config:
            virtual_hosts:
            - name: web
              domains: ["*"]
              routes:
              - match: {{prefix: /}}
                route: {{cluster: web}}
          http_filters:
          - name: router
            typed_config: {{"@type": type.googleapis.com/{router}}}
  clusters:
  - name: web
    type: STATIC
    connect_timeout: 5s
    load_assignment:
      cluster_name: web
      endpoints:
      - lb_endpoints:
{ends}"""


@contextmanager
def bare_envoy(folder: Path, netns: str) -> Iterator[int]:
    config = folder / "bare.yaml"
    config.write_text(bare())
    command = [str(envoy_binary()), "--config-path", str(config), "--concurrency", "1", "--disable-hot-restart"]
    with subprocess.Popen(["nsenter", f"--net={netns}", *command, "--log-level", "error"]) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


@contextmanager
def namespace() -> Iterator[str]:
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"], stdout=subprocess.PIPE
    ) as holder:
        try:
            assert holder.stdout is not None
            holder.stdout.readline()
            yield f"/proc/{holder.pid}/ns/net"
        finally:
            holder.kill()


@asynccontextmanager
async def proxy(name: str, folder: Path, server: ConfigServer, netns: str | None) -> AsyncIterator[EnvoyProxy]:
    made = EnvoyProxy(
        name=name,
        directory=folder / name,
        server=server,
        clock=SystemClock(),
        on_health=ignore,
        netns=netns,
        tracer=tracer.module(),
    )
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


# --- beside bare Envoy


def front() -> Wanted:
    ends = tuple(Target(id=each, address=each, port=PORT) for each in BACK)
    listener = Listener(id="main", port=PORT, default=Forward(shares=(Share(group="web"),)))
    return Wanted(
        balancers=(Balancer(id="web", addresses=(OURS,), listeners=(listener,)),),
        groups=(TargetGroup(id="web", targets=ends, health_check=UNCHECKED),),
    )


def page(address: str) -> Wanted:
    listener = Listener(id="main", port=PORT, default=FixedResponse(status=200, body=FILE))
    return Wanted(balancers=(Balancer(id=address, addresses=(address,), listeners=(listener,)),))


async def ask(address: str, pid: int, netns: str, seconds: int) -> Measured:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", f"http://{address}:{PORT}/"]
    used = cpu_seconds(pid)
    load = await asyncio.create_subprocess_exec(
        "nsenter", f"--net={netns}", *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said, _ = await load.communicate()
    return read(said.decode(), cpu_seconds(pid) - used)


def read(said: str, used: float) -> Measured:
    """wrk's words."""
    rate = float(_found(r"Requests/sec:\s+([0-9.]+)", said)[0])
    p99, unit = _found(r"99%\s+([0-9.]+)(us|ms|s)", said)
    count = int(_found(r"([0-9]+) requests in", said)[0])
    wrong = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    failed = sum(map(int, wrong.groups() if wrong else ())) + (int(refused[1]) if refused else 0)
    return Measured(rate, float(p99) * {"us": 0.001, "ms": 1, "s": 1000}[unit], used / count * 1e6, failed)


def _found(pattern: str, said: str) -> tuple[str, ...]:
    match = re.search(pattern, said)
    if match is None:
        raise RuntimeError(f"wrk said: {said}")
    return match.groups()


async def compare(folder: Path, server: ConfigServer, netns: str, seconds: int, rounds: int) -> None:
    backs = [proxy(f"back{number}", folder, server, netns) for number in range(len(BACK))]
    async with proxy("front", folder, server, netns) as ours, backs[0] as one, backs[1] as other:
        for each, address in zip((one, other), BACK, strict=True):
            await each.apply(page(address))
        await ours.apply(front())
        with bare_envoy(folder, netns) as pid:
            own, its = [], []
            for number in range(rounds + 1):
                mine = await ask(OURS, ours.process.pid or 0, netns, seconds)
                theirs = await ask(BARE, pid, netns, seconds)
                if number:  # the first round warms up
                    own.append(mine)
                    its.append(theirs)
    for name, measured in (("load balancer", own), ("bare Envoy", its)):
        rate, p99, cpu = (statistics.median(x) for x in zip(*((m.rate, m.p99, m.cpu) for m in measured), strict=True))
        print(f"  {name:16} {rate:8.0f} requests/s   p99 {p99:6.2f} ms   {cpu:6.1f} µs of CPU a request")

    def ratio(of: str) -> float:
        """The median of the rounds': the two halves of a round have met the same load."""
        return 100 * statistics.median(getattr(m, of) / getattr(b, of) for m, b in zip(own, its, strict=True))

    report("requests/s through a load balancer, of bare Envoy's", ratio("rate"), "%", at_least=90.0)
    report("its p99, of bare Envoy's", ratio("p99"), "%", at_most=110.0)
    report("its CPU a request, of bare Envoy's", ratio("cpu"), "%", at_most=110.0)
    report("requests that failed", sum(m.failed for m in own), "", at_most=0)


# --- many


def many(changed: int | None = None) -> Wanted:
    """`changed`: of that balancer a target has gone."""
    balancers, groups = [], []
    for number in range(BALANCERS):
        group = f"g{number}"
        rules = tuple(
            Rule(
                id=f"r{number}-{each}",
                priority=each + 1,
                conditions=(PathIs(values=(f"/{each}/*",)),),
                action=Forward(shares=(Share(group=group),)),
            )
            for each in range(RULES // BALANCERS)
        )
        main = Listener(id="main", port=1024 + number, default=Forward(shares=(Share(group=group),)), rules=rules)
        balancers.append(Balancer(id=f"b{number}", addresses=("127.0.0.5",), listeners=(main,)))
        count = TARGETS // BALANCERS - (1 if number == changed else 0)
        ends = tuple(Target(id=f"t{number}-{n}", address=f"127.1.{number}.{n + 1}", port=80) for n in range(count))
        groups.append(TargetGroup(id=group, targets=ends, health_check=UNCHECKED))
    return Wanted(balancers=tuple(balancers), groups=tuple(groups))


async def _changed(envoy: EnvoyProxy) -> dict[str, int]:
    told = json.loads(await admin.ask(envoy.process.admin_socket, "GET", "/stats?format=json&filter=listener_manager"))
    return {each["name"]: each["value"] for each in told["stats"] if "value" in each}


async def crowd(folder: Path, server: ConfigServer, netns: str) -> None:
    async with proxy("many", folder, server, netns) as envoy:
        await envoy.apply(Wanted())
        wanted = many()
        began, used = time.perf_counter(), time.process_time()
        await envoy.apply(wanted)
        took = time.perf_counter() - began
        print(
            f"  {BALANCERS} balancers, {RULES} rules, {TARGETS} targets: {time.process_time() - used:.2f} s of our CPU"
        )
        report("200 balancers, 1,000 rules, 2,000 targets in the proxy", took, "s", at_most=10.0)
        before = await _changed(envoy)
        costs, works = [], []
        for number in range(50):
            each = many(number)
            began, used = time.perf_counter(), time.process_time()
            await envoy.apply(each)
            costs.append((time.perf_counter() - began) * 1000)
            works.append((time.process_time() - used) * 1000)
        print(f"  one change beside them: {statistics.median(works):.1f} ms of our CPU")
        report("one change among them, in the proxy", statistics.median(costs), "ms", at_most=50.0)
        after = await _changed(envoy)
        touched = sum(
            after[f"listener_manager.listener_{what}"] - before[f"listener_manager.listener_{what}"]
            for what in ("added", "modified", "removed")
        )
        report("listeners touched by it", touched, "", at_most=0)


async def main(seconds: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="hb", dir="/tmp") as name, namespace() as netns:
        folder = Path(name)
        server = ConfigServer(folder / "x.sock")
        await server.start()
        try:
            await compare(folder, server, netns, seconds, rounds)
            await crowd(folder, server, netns)
        finally:
            await server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.seconds, arguments.rounds))
