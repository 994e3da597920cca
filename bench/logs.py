"""Container output from a pipe to the disk of the control plane, and the log streams alone.

    python -m bench.logs [--megabytes N]

Prints how fast a container can print before it is slowed, what that costs spooler and agent, how long a line takes to
be stored, and how many events a second the streams take and give.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.process import cpu_seconds, memory
from hatoba.core.clock import SystemClock
from hatoba.node.logs.batch import LogBatch
from hatoba.node.logs.node_logs import NodeLogs, Pipes
from hatoba.node.logs.options import SPOOL_BYTES, Options
from hatoba.streams.engine import DiskStreams
from hatoba.streams.port import Batch, Query

_PRINTER = """
import os, sys
width, total, written = int(sys.argv[1]), int(sys.argv[2]), 0
block = (b"x" * (width - 1) + b"\\n") * (65536 // width)
while written < total:
    written += os.write(1, block)
"""
_LINE = "2026-11-20T06:16:09Z INFO request path=/api/v1/things status=200 took=12ms user=a-name-of-some-length"


async def printing(folder: Path, width: int, megabytes: int) -> None:
    """One container that prints as fast as it can."""
    streams = await DiskStreams.open(folder / "streams", SystemClock())
    events = 0

    async def send(batch: LogBatch) -> None:
        nonlocal events
        counts = await asyncio.gather(*(streams.append("stream", part) for part in batch.parts))
        events += sum(counts)

    logs = NodeLogs(folder / "logs", send)
    await logs.start()
    pipes = await logs.open("c", Options(group="g", stream="s", limit=SPOOL_BYTES))
    shim = [os.open(path, os.O_RDWR) for path in pipes]
    began, agent = time.perf_counter(), time.process_time()
    command = [sys.executable, "-S", "-c", _PRINTER, str(width), str(megabytes << 20)]
    printer = await asyncio.to_thread(subprocess.Popen, command, stdout=shim[0])
    await asyncio.to_thread(printer.wait)
    assert logs.spooler.pid is not None
    spooler, held = cpu_seconds(logs.spooler.pid) * 1e3, memory(logs.spooler.pid) / 1e6
    for descriptor in shim:
        os.close(descriptor)
    await logs.drain("c")
    took, cpu = time.perf_counter() - began, (time.process_time() - agent) * 1e3
    print(
        f"lines of {width:5} bytes: {megabytes / took:6.0f} MiB/s {events / took:9.0f} events/s   CPU per MiB: "
        f"spooler {spooler / megabytes:.2f} ms, agent and streams {cpu / megabytes:.1f} ms   "
        f"spooler's memory {held:.1f} MB"
    )
    await logs.stop()
    await streams.close()


async def one_line(folder: Path, rounds: int = 20) -> None:
    """From a container's write to the line being stored."""
    stored = asyncio.Event()

    async def send(batch: LogBatch) -> None:
        stored.set()

    logs = NodeLogs(folder / "logs", send)
    await logs.start()
    pipes: Pipes = await logs.open("c", Options(group="g", stream="s"))
    shim = [os.open(path, os.O_RDWR) for path in pipes]
    took = []
    for _ in range(rounds):
        stored.clear()
        began = time.perf_counter()
        os.write(shim[0], b"a line\n")
        await stored.wait()
        took.append(time.perf_counter() - began)
    print(
        f"one line, written → sent: {statistics.median(took) * 1e3:.0f} ms p50 (of which 200 ms are waited on purpose)"
    )
    for descriptor in shim:
        os.close(descriptor)
    await logs.drain("c")
    await logs.stop()


async def appending(folder: Path) -> None:
    """The streams alone."""
    streams = await DiskStreams.open(folder / "streams", SystemClock())

    async def produce(stream: str, batches: int, size: int) -> None:
        for number in range(batches):
            ends = list(range(number * size + 1, (number + 1) * size + 1))
            batch = Batch(times=[int(time.time() * 1000)] * size, messages=[_LINE] * size, producer="p", ends=ends)
            await streams.append(stream, batch)

    async def measured(what: str, producers: int, batches: int, size: int) -> None:
        cpu, began = time.process_time(), time.perf_counter()
        await asyncio.gather(*(produce(f"{what} {n}", batches, size) for n in range(producers)))
        events = producers * batches * size
        took = time.perf_counter() - began
        each = (time.process_time() - cpu) / events * 1e6
        print(f"append, {what}: {events / took:9.0f} events/s, {each:5.1f} µs CPU each")

    await measured("10 streams, 500 at a time", 10, 100, 500)
    await measured("500 streams, one at a time", 500, 20, 1)
    names = [f"10 streams, 500 at a time {n}" for n in range(10)]
    began, count, after = time.perf_counter(), 0, None
    while True:
        page = await streams.read(Query(streams=names, after=after))
        count, after = count + len(page.events), page.last
        if page.complete:
            break
    print(f"read, 10 streams merged:  {count / (time.perf_counter() - began):9.0f} events/s")
    await streams.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=200)
    megabytes = parser.parse_args().megabytes
    for width in (100, 1000, 10_000):
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(printing(Path(folder), width, megabytes))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(one_line(Path(folder)))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(appending(Path(folder)))


if __name__ == "__main__":
    main()
