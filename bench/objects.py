"""CPU of the control plane's process per S3 request, and rates of large objects.

    python -m bench.objects [--requests N]

A process with S3, its engine and the policies' authorizer is started; this one sends requests that were signed before,
one after the other on one connection, and reads the CPU time of all the process's threads from /proc. Beside that:
100 MB up and down, in CPU seconds a GB, and by how much the process has grown.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hatoba.aws import sigv4
from hatoba.aws.sigv4 import Credential
from hatoba.aws.wire import WireRequest

KEY = Credential(access_key_id="AKIAIOSFODNN7EXAMPLE", secret="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
REGION, MB = "us-east-1", 2**20
Headers = dict[str, str]


def serve(folder: Path) -> None:
    import uvloop

    uvloop.run(_serve(folder))


async def _serve(folder: Path) -> None:
    import msgspec

    from hatoba.app.rooms import tables
    from hatoba.core.clock import SystemClock
    from hatoba.core.ids import RandomIds
    from hatoba.core.pages import Pager
    from hatoba.core.secret import Sealer
    from hatoba.gateway import access
    from hatoba.gateway.http import Server
    from hatoba.gateway.plane import ControlPlane
    from hatoba.objects.files import Files
    from hatoba.services.iam.authorizer import PolicyAuthorizer
    from hatoba.services.s3.api import s3
    from hatoba.services.s3.bodies import open_bodies
    from hatoba.store import Store
    from hatoba.store.sqlite import SqliteJournal

    clock, ids, sealer = SystemClock(), RandomIds(), Sealer(bytes(32))
    store = Store(SqliteJournal(folder / "journal.db"), tables(), sealer)
    store.open()
    root = msgspec.structs.replace(KEY, principal=access.root("aws", "123456789012", KEY.access_key_id))
    plane = ControlPlane(
        store=store,
        clock=clock,
        ids=ids,
        pager=Pager(sealer),
        rooms=[s3],
        identities=access.KnownKeys(root),
        authorizer=PolicyAuthorizer(store),
    )
    files = open_bodies(folder / "objects", store, sealer, ids)
    await files.prepare()
    plane.provide(Files, files)
    server = Server(plane.path, clock=clock)
    print(await server.listen("127.0.0.1", 0), flush=True)
    await asyncio.Event().wait()


class Client:
    def __init__(self, port: int, pid: int) -> None:
        self._wire = http.client.HTTPConnection("localhost", port)
        self._host, self._pid = f"localhost:{port}", pid

    def signed(self, method: str, path: str, body: bytes = b"", query: str = "", **more: str) -> Headers:
        headers = {"host": self._host, **{name.replace("_", "-"): value for name, value in more.items()}}
        request = WireRequest(method=method, path=path, query=query, headers=headers, body=body)
        return sigv4.sign(request, KEY, REGION, "s3", time.time())

    def send(self, method: str, path: str, headers: Headers, body: bytes = b"") -> bytes:
        self._wire.request(method, path, body, headers)
        answer = self._wire.getresponse()
        said = answer.read()
        assert answer.status < 300, said[:500]
        return said

    def cpu(self) -> float:
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self) -> float:
        lines = Path(f"/proc/{self._pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    def cost(self, method: str, path: str, count: int, body: bytes = b"", query: str = "") -> float:
        """Milliseconds of CPU per request: the median of five rounds."""
        rounds = []
        headers = self.signed(method, path, body, query)
        target = f"{path}?{query}" if query else path
        for _ in range(5):
            before = self.cpu()
            for _ in range(count):
                self.send(method, target, headers, body)
            rounds.append(1000 * (self.cpu() - before) / count)
        return statistics.median(rounds)


def measure(client: Client, count: int) -> None:
    client.send("PUT", "/bucket", client.signed("PUT", "/bucket"))
    small, large = os.urandom(1024), os.urandom(MB) * 100
    client.send("PUT", "/bucket/k", client.signed("PUT", "/bucket/k", small), small)
    for number in range(200):
        path = f"/bucket/folder/{number:04}"
        client.send("PUT", path, client.signed("PUT", path), b"")
    for what, method, path, body, query in (
        ("GetObject, 1 KB", "GET", "/bucket/k", b"", ""),
        ("HeadObject", "HEAD", "/bucket/k", b"", ""),
        ("PutObject, 1 KB", "PUT", "/bucket/k", small, ""),
        ("ListObjectsV2, 100 of 200", "GET", "/bucket", b"", "list-type=2&max-keys=100"),
        ("ListObjectsV2, rolled up", "GET", "/bucket", b"", "delimiter=%2F&list-type=2"),
    ):
        print(f"{what:28} {client.cost(method, path, count, body, query):6.3f} ms of CPU")
    grown, before = client.resident(), client.cpu()
    headers = client.signed("PUT", "/bucket/l", x_amz_content_sha256="UNSIGNED-PAYLOAD")
    client.send("PUT", "/bucket/l", headers, large)
    up, before = 10 * (client.cpu() - before), client.cpu()
    assert client.send("GET", "/bucket/l", client.signed("GET", "/bucket/l")) == large
    print(
        f"a GB up {up:.1f} s of CPU, down {10 * (client.cpu() - before):.1f} s; "
        f"grown by {client.resident() - grown:.1f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.objects", "--serve", folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            measure(Client(int(process.stdout.readline()), process.pid), given.requests)
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
