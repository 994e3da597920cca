"""Which HTTP server? Ours (asyncio protocol on llhttp, uvloop) beside uvicorn and granian, where these are installed.

    python -m bench.http_servers [--gigabytes N]

Every server gives the same three answers in a process of its own: to a small POST with an AWS request's headers, to an
upload that is read piece by piece, and with a file. Measured: CPU of the server's processes per request or gigabyte,
time, and how far its memory grew, also with a client or a handler that does not read.
docs/decisions/0003-http-server.md has the figures that decided.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.process import children, cpu_seconds, memory, peak_memory

GIGABYTE = 1 << 30
PIECE = 1 << 20
SERVERS = ("ours", "uvicorn", "granian")
HEADERS = (
    "host: 127.0.0.1\r\ncontent-type: application/x-amz-json-1.1\r\nuser-agent: Boto3/1.44.5 md/Botocore#1.44.5\r\n"
    "x-amz-target: AmazonEC2ContainerServiceV20141113.ListClusters\r\nx-amz-date: 20260101T000000Z\r\n"
    f"amz-sdk-invocation-id: {'a' * 36}\r\namz-sdk-request: attempt=1\r\n"
    f"authorization: AWS4-HMAC-SHA256 Credential={'A' * 60}, SignedHeaders={'h' * 40}, Signature={'f' * 64}\r\n"
)
SMALL = f"POST / HTTP/1.1\r\n{HEADERS}content-length: 40\r\n\r\n{'x' * 40}".encode()


# --- the servers, each in its own process


async def _stalled() -> None:
    import asyncio

    await asyncio.sleep(2)


def serve_ours(port: int) -> None:
    import asyncio

    import uvloop

    from hatoba.gateway.http import FileSlice, Request, Response, Server

    async def handler(request: Request) -> Response:
        if request.path == "/":
            await request.body.read(65536)
            return Response(headers={"content-type": "application/json"}, body=b"{}")
        if request.path == "/download":
            file = await asyncio.to_thread(open, os.environ["BENCH_FILE"], "rb")
            return Response(body=FileSlice(file=file, offset=0, length=os.fstat(file.fileno()).st_size))
        if request.path == "/stalled":
            await _stalled()
        size = 0
        async for piece in request.body:
            size += len(piece)
        return Response(body=b"%d" % size)

    async def main() -> None:
        await Server(handler).listen("127.0.0.1", port)
        await asyncio.Event().wait()

    uvloop.run(main())


async def asgi(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
    """The same answers, for the others."""
    import asyncio

    if scope["type"] != "http":
        return
    if scope["path"] == "/download":
        with await asyncio.to_thread(open, os.environ["BENCH_FILE"], "rb") as file:
            length = str(os.fstat(file.fileno()).st_size).encode()
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
            while piece := await asyncio.to_thread(file.read, PIECE):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    if scope["path"] == "/stalled":
        await _stalled()
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"{}" if scope["path"] == "/" else b"%d" % size
    length = str(len(body)).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


def serve_uvicorn(port: int) -> None:
    import uvicorn

    uvicorn.run(asgi, port=port, loop="uvloop", http="httptools", access_log=False, log_level="error", lifespan="off")


def serve_granian(port: int) -> None:
    import granian

    granian.Granian(
        "bench.http_servers:asgi",
        port=port,
        interface=granian.constants.Interfaces.ASGINL,
        loop=granian.constants.Loops.uvloop,
        log_access=False,
        log_enabled=False,
    ).serve()


# --- the client


class Used(NamedTuple):
    cpu: float
    wall: float
    grew: int  # bytes of peak memory above what was resident before


@contextmanager
def started(name: str, file: Path) -> Iterator[tuple[int, int]]:
    """(pid, port) of a server that answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "BENCH_FILE": str(file)}
    command = [sys.executable, "-m", "bench.http_servers", "--serve", name, "--port", str(port)]
    with subprocess.Popen(command, env=environment) as process:
        try:
            wait_for(port)
            yield process.pid, port
        finally:
            process.terminate()


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise TimeoutError(f"nothing listens on {port}")


def used(pid: int, work: Callable[[], None]) -> Used:
    """What the server and its children used during `work`."""
    pids = [pid, *children(pid)]
    cpu, resident, wall = sum(map(cpu_seconds, pids)), sum(map(memory, pids)), time.perf_counter()
    for one in pids:
        Path(f"/proc/{one}/clear_refs").write_text("5")  # the peak starts again from here
    work()
    grew = sum(map(peak_memory, pids)) - resident
    return Used(sum(map(cpu_seconds, pids)) - cpu, time.perf_counter() - wall, grew)


def answers(wire: socket.socket, count: int) -> None:
    """Reads answers that have a content-length."""
    data = b""
    while count:
        end = data.find(b"\r\n\r\n")
        if end >= 0:
            start = data.lower().index(b"content-length:") + 15
            whole = end + 4 + int(data[start : data.index(b"\r", start)])
            if len(data) >= whole:
                data, count = data[whole:], count - 1
                continue
        more = wire.recv(262144)
        if not more:
            raise ConnectionError("the server closed the connection")
        data += more


def small(port: int, requests: int, pipelined: int) -> Callable[[], None]:
    def work() -> None:
        with socket.create_connection(("127.0.0.1", port)) as wire:
            for _ in range(requests // pipelined):
                wire.sendall(SMALL * pipelined)
                answers(wire, pipelined)

    return work


def upload(port: int, size: int, path: str = "/upload") -> Callable[[], None]:
    def work() -> None:
        piece = b"x" * PIECE
        with socket.create_connection(("127.0.0.1", port)) as wire:
            wire.sendall(f"PUT {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {size}\r\n\r\n".encode())
            for _ in range(size // PIECE):
                wire.sendall(piece)
            answers(wire, 1)

    return work


def download(port: int, size: int, *, stall: float = 0) -> Callable[[], None]:
    def work() -> None:
        buffer = bytearray(PIECE)
        with socket.create_connection(("127.0.0.1", port)) as wire:
            wire.sendall(b"GET /download HTTP/1.1\r\nhost: a\r\n\r\n")
            time.sleep(stall)
            left = size
            while left > 0:
                left -= wire.recv_into(buffer)

    return work


def endless_head(port: int) -> Callable[[], None]:
    """64 MiB of a header that does not end, unless the server has enough of it before."""

    def work() -> None:
        with socket.create_connection(("127.0.0.1", port)) as wire:
            wire.settimeout(10)
            wire.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nx: ")
            with contextlib.suppress(OSError):
                for _ in range(64):
                    wire.sendall(b"x" * PIECE)

    return work


def measure(name: str, gigabytes: int) -> dict[str, str]:
    size = gigabytes * GIGABYTE
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(size)
        while file.read(PIECE):  # into the page cache, so that no server pays for it
            pass
        with started(name, Path(file.name)) as (pid, port):
            used(pid, small(port, 500, 1))
            singly = [used(pid, small(port, 3000, 1)) for _ in range(5)]
            piped = [used(pid, small(port, 16000, 16)) for _ in range(5)]
            up, down = used(pid, upload(port, size)), used(pid, download(port, size))
            slow_handler = used(pid, upload(port, GIGABYTE // 2, "/stalled"))
            head = used(pid, endless_head(port))
            slow_client = used(pid, download(port, size, stall=2))
    return {
        "small, one at a time: CPU µs": f"{statistics.median(u.cpu for u in singly) / 3000 * 1e6:.0f}",
        "small, 16 pipelined: CPU µs": f"{statistics.median(u.cpu for u in piped) / 16000 * 1e6:.0f}",
        "upload: CPU s/GiB": f"{up.cpu / gigabytes:.2f}",
        "upload: GiB/s": f"{gigabytes / up.wall:.2f}",
        "upload: memory grew, MiB": f"{up.grew / PIECE:.0f}",
        "upload, handler stalls 2 s: MiB": f"{slow_handler.grew / PIECE:.0f}",
        "endless head: memory grew, MiB": f"{head.grew / PIECE:.0f}",
        "download: CPU s/GiB": f"{down.cpu / gigabytes:.2f}",
        "download: GiB/s": f"{gigabytes / down.wall:.2f}",
        "download: memory grew, MiB": f"{down.grew / PIECE:.0f}",
        "download, client stalls 2 s: MiB": f"{slow_client.grew / PIECE:.0f}",
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--gigabytes", type=int, default=2)
    arguments.add_argument("--serve", choices=SERVERS)
    arguments.add_argument("--port", type=int, default=0)
    given = arguments.parse_args()
    if given.serve:
        {"ours": serve_ours, "uvicorn": serve_uvicorn, "granian": serve_granian}[given.serve](given.port)
        return
    present = [name for name in SERVERS if name == "ours" or importlib.util.find_spec(name) is not None]
    found = {name: measure(name, given.gigabytes) for name in present}
    print(f"{'':36}" + "".join(f"{name:>12}" for name in present))
    for row in found["ours"]:
        print(f"{row:36}" + "".join(f"{found[name][row]:>12}" for name in present))


if __name__ == "__main__":
    main()
