"""CPU of the control plane's process per AWS request: signature verified, answer durable, one client on keep-alive.

    python -m bench.request_cpu [--requests N]

A process with the smallest composition (store with its journal, gateway, a room of three operations) is started; this
one sends requests that were signed before, one after the other, and reads the CPU time of all its threads from /proc.
Prints the median of several rounds, in milliseconds per request, and the share that an empty HTTP answer costs.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.process import cpu_seconds

ROUNDS = 7
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


# --- the server


def serve(folder: Path) -> None:
    import uvloop

    logging.basicConfig(level=logging.WARNING)
    uvloop.run(_serve(folder))


async def _serve(folder: Path) -> None:
    from hatoba.aws.sigv4 import Credential
    from hatoba.core.clock import SystemClock
    from hatoba.core.ids import RandomIds
    from hatoba.core.pages import Pager
    from hatoba.core.records import Record, replace
    from hatoba.core.secret import Sealer
    from hatoba.gateway import access
    from hatoba.gateway.call import Call
    from hatoba.gateway.front import front
    from hatoba.gateway.http import Request, Response, Server
    from hatoba.gateway.plane import ControlPlane
    from hatoba.gateway.room import Service
    from hatoba.store import Store, Table
    from hatoba.store.sqlite import SqliteJournal

    class Cluster(Record, frozen=True, kw_only=True):
        name: str
        count: int = 0

    clusters = Table("bench.clusters", Cluster)
    ecs, sts = Service("ecs"), Service("sts")

    @ecs.operation
    async def list_clusters(req: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"clusterArns": [call.arn("cluster/default")]}

    @ecs.operation
    async def describe_clusters(req: dict[str, Any], call: Call) -> dict[str, Any]:
        one = {
            "clusterArn": call.arn("cluster/default"),
            "clusterName": "default",
            "status": "ACTIVE",
            "registeredContainerInstancesCount": 0,
            "runningTasksCount": 0,
            "pendingTasksCount": 0,
            "activeServicesCount": 0,
            "statistics": [],
            "tags": [],
            "settings": [],
            "capacityProviders": [],
            "defaultCapacityProviderStrategy": [],
        }
        return {"clusters": [one] * len(req.get("clusters", [])), "failures": []}

    @ecs.operation
    async def create_cluster(req: dict[str, Any], call: Call) -> dict[str, Any]:
        key = clusters.key(call.scope, req["clusterName"])
        with call.tx() as tx:
            cluster = tx.get(clusters, key) or Cluster(key=key, name=req["clusterName"])
            tx.put(clusters, replace(cluster, count=cluster.count + 1))
        return {"cluster": {"clusterArn": call.arn("cluster/default"), "clusterName": req["clusterName"]}}

    @ecs.operation
    async def list_services(req: dict[str, Any], call: Call) -> dict[str, Any]:
        """Asks another operation ten times, as rooms ask each other."""
        for _ in range(10):
            await call.aws.ecs.list_clusters()
        return {}

    @sts.operation
    async def get_caller_identity(req: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"UserId": call.principal.id, "Account": call.principal.account, "Arn": call.principal.arn}

    async def nothing(request: Request) -> Response:
        return Response(body=b"{}")

    sealer = Sealer.from_file(folder / "key")
    store = Store(SqliteJournal(folder / "journal.db"), [clusters], sealer)
    store.open()
    credential = Credential(access_key_id=KEY, secret=SECRET, principal=access.root("aws", "123456789012", KEY))
    plane = ControlPlane(
        store=store,
        clock=SystemClock(),
        ids=RandomIds(),
        pager=Pager(sealer),
        rooms=[ecs, sts],
        identities=access.KnownKeys(credential),
        authorizer=access.RolesPass(),
    )
    server = Server(front(aws=plane.path, registry=None, own_paths=nothing))
    print(await server.listen("127.0.0.1", 0), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.close(1)
    store.close()


# --- the client


def form(port: int, body: bytes) -> bytes:
    return signed(port, "", body, service="sts", content_type="application/x-www-form-urlencoded")


def signed(
    port: int, operation: str, body: bytes, *, service: str = "ecs", content_type: str = "application/x-amz-json-1.1"
) -> bytes:
    from hatoba.aws import sigv4
    from hatoba.aws.wire import WireRequest

    headers = {"host": f"127.0.0.1:{port}", "content-type": content_type}
    if operation:
        headers["x-amz-target"] = f"AmazonEC2ContainerServiceV20141113.{operation}"
    request = WireRequest(method="POST", path="/", headers=headers, body=body)
    credential = sigv4.Credential(access_key_id=KEY, secret=SECRET)
    headers = sigv4.sign(request, credential, "us-east-1", service, time.time())
    headers |= {"user-agent": "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1", "content-length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST / HTTP/1.1\r\n{lines}\r\n".encode() + body


def ask(wire: socket.socket, request: bytes) -> bytes:
    """One answer with a content-length, head and all."""
    wire.sendall(request)
    data = wire.recv(65536)
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += wire.recv(65536)
    start = data.index(b"content-length: ") + 16
    whole = end + 4 + int(data[start : data.index(b"\r", start)])
    while len(data) < whole:
        data += wire.recv(65536)
    return data


def measure(requests: int = 2000) -> dict[str, tuple[float, float]]:
    """Per request: (CPU of the server, time until the answer), in seconds, medians over rounds."""
    found: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.request_cpu", "--serve", folder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            cases = {
                "empty HTTP answer": b"GET /_hatoba/nothing HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
                "read, trivial (ListClusters)": signed(port, "ListClusters", b"{}"),
                "read (DescribeClusters, 1)": signed(port, "DescribeClusters", b'{"clusters":["default"]}'),
                "read, form and XML (GetCallerIdentity)": form(port, b"Action=GetCallerIdentity&Version=2011-06-15"),
                "10 calls between rooms (ListServices)": signed(port, "ListServices", b"{}"),
                "write, durable (CreateCluster)": signed(port, "CreateCluster", b'{"clusterName":"default"}'),
            }
            with socket.create_connection(("127.0.0.1", port)) as wire:
                for name, request in cases.items():
                    count = requests if "write" not in name else requests // 4
                    assert ask(wire, request).startswith(b"HTTP/1.1 200"), ask(wire, request)
                    rounds = [_round(server.pid, wire, request, count) for _ in range(ROUNDS)]
                    found[name] = (
                        statistics.median(cpu for cpu, _ in rounds),
                        statistics.median(wall for _, wall in rounds),
                    )
            server.communicate()
    return found


def _round(pid: int, wire: socket.socket, request: bytes, count: int) -> tuple[float, float]:
    cpu, wall = cpu_seconds(pid), time.perf_counter()
    for _ in range(count):
        ask(wire, request)
    return (cpu_seconds(pid) - cpu) / count, (time.perf_counter() - wall) / count


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--requests", type=int, default=2000)
    arguments.add_argument("--serve", type=Path)
    given = arguments.parse_args()
    if given.serve:
        serve(given.serve)
        return
    print(f"{'request':40} {'CPU ms':>8} {'wall ms':>8}")
    for name, (cpu, wall) in measure(given.requests).items():
        print(f"{name:40} {cpu * 1e3:8.3f} {wall * 1e3:8.3f}")


if __name__ == "__main__":
    main()
