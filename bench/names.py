"""What a name costs: CPU of the resolver for each question, alone and with its sockets, and what it keeps in memory.

python -m bench.names [--questions N]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import socket
import time

import dns.message
import uvloop
from dns.message import Message

from hatoba.core.clock import SystemClock
from hatoba.dns.base import Entry, Question
from hatoba.dns.desk import Desk
from hatoba.dns.server import Limits, Server
from hatoba.dns.zone import Zone

NAMES = 10_000
WINDOW = 32  # questions under way


class Nobody:
    def known(self, question: Question) -> Message | None:
        return None

    async def ask(self, question: Question) -> Message | None:
        return None


def entries(addresses: int) -> dict[str, Entry]:
    tails = [f".{n % 250}.{{}}" for n in range(NAMES)]
    return {
        f"s{n}.local": Entry(addresses=tuple("10.0" + tail.format(k + 1) for k in range(addresses)))
        for n, tail in enumerate(tails)
    }


def cpu(desk: Desk, wires: list[bytes]) -> float:
    """Microseconds for each question."""
    began = time.thread_time()
    for wire in wires:
        desk.answer(wire, stream=False)
    return (time.thread_time() - began) / len(wires) * 1e6


def alone(count: int) -> None:
    for addresses in (1, 8):
        desk = Desk(Zone.of(entries(addresses), ["local"]).find, Nobody())
        new = [dns.message.make_query(f"s{n % NAMES}.local", "A", use_edns=0).to_wire() for n in range(2000)]
        print(f"{addresses} addresses, first question for a name   {cpu(desk, new):8.1f} µs")
        same = [
            dns.message.make_query("s1.local", "A", use_edns=0, id=n % 65536).to_wire() for n in range(min(count, 5000))
        ]
        cpu(desk, same[:50])
        print(f"{addresses} addresses, asked before                 {cpu(desk, same):8.2f} µs")
    missing = [dns.message.make_query(f"n{n}.local", "A", use_edns=0).to_wire() for n in range(2000)]
    print(f"names that do not exist, each a new one    {cpu(desk, missing):8.1f} µs")


def client(port: int, count: int, took: list[float]) -> None:
    wire = dns.message.make_query("s1.local", "A", use_edns=0).to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.connect(("127.0.0.1", port))
        opened.settimeout(5)
        for _ in range(200):  # one after the other: the time to an answer
            began = time.perf_counter()
            opened.send(wire)
            opened.recv(2000)
            took.append(time.perf_counter() - began)
        for _ in range(WINDOW):
            opened.send(wire)
        for _ in range(count - WINDOW):
            opened.recv(2000)
            opened.send(wire)
        for _ in range(WINDOW):
            opened.recv(2000)


async def with_sockets(count: int) -> None:
    server = Server(Desk(Zone.of(entries(8)).find, Nobody()), SystemClock(), Limits(messages=1 << 40))
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    bound.setblocking(False)
    port = bound.getsockname()[1]
    await server.serve(bound)
    reading, writing = os.pipe()
    took: list[float] = []
    child = os.fork()
    if child == 0:  # the client: a process of its own, so that only the server's CPU is counted
        client(port, count, took)
        took.sort()
        os.write(writing, f"{took[len(took) // 2] * 1e6:.0f}".encode())
        os._exit(0)
    began, used = time.perf_counter(), time.process_time()
    await asyncio.to_thread(os.waitpid, child, 0)
    wall, used = time.perf_counter() - began, time.process_time() - used
    print(f"over UDP, 8 addresses: {used / count * 1e6:.1f} µs of CPU, {count / wall:,.0f} a second", end="")
    print(f", {os.read(reading, 100).decode()} µs to an answer (p50)")
    await server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=50_000)
    count = parser.parse_args().questions
    alone(count)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(with_sockets(count))
    print(f"memory at the most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, with {NAMES} names")


if __name__ == "__main__":
    main()
