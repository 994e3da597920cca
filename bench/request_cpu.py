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
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.wire import Cost, Keys, cost, signed

KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


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
    from hatoba.gateway.tags import tags
    from hatoba.services.iam import model as iam_model
    from hatoba.services.iam.authorizer import PolicyAuthorizer
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
            await call.aws_as_caller.ecs.list_clusters()
        return {}

    @sts.operation
    async def get_caller_identity(req: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"UserId": call.principal.id, "Account": call.principal.account, "Arn": call.principal.arn}

    async def nothing(request: Request) -> Response:
        return Response(body=b"{}")

    sealer = Sealer.from_file(folder / "key")
    store = Store(SqliteJournal(folder / "journal.db"), [clusters, *iam_model.TABLES, tags], sealer)
    store.open()
    credential = Credential(
        access_key_id=KEYS.id, secret=KEYS.secret, principal=access.root("aws", "123456789012", KEYS.id)
    )
    plane = ControlPlane(
        store=store,
        clock=SystemClock(),
        ids=RandomIds(),
        pager=Pager(sealer),
        rooms=[ecs, sts],
        identities=access.KnownKeys(credential),
        authorizer=PolicyAuthorizer(store),
    )
    server = Server(front(aws=plane.path, registry=None, own_paths=nothing))
    print(await server.listen("127.0.0.1", 0), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.close(1)
    store.close()


# --- the client


def form(port: int, body: bytes) -> bytes:
    return signed(port, KEYS, "sts", "", body, content_type="application/x-www-form-urlencoded")


def json(port: int, operation: str, body: bytes) -> bytes:
    return signed(port, KEYS, "ecs", f"AmazonEC2ContainerServiceV20141113.{operation}", body)


def measure(requests: int = 2000) -> dict[str, Cost]:
    found: dict[str, Cost] = {}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.request_cpu", "--serve", folder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            cases = {
                "empty HTTP answer": b"GET /_hatoba/nothing HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
                "read, trivial (ListClusters)": json(port, "ListClusters", b"{}"),
                "read (DescribeClusters, 1)": json(port, "DescribeClusters", b'{"clusters":["default"]}'),
                "read, form and XML (GetCallerIdentity)": form(port, b"Action=GetCallerIdentity&Version=2011-06-15"),
                "10 calls between rooms (ListServices)": json(port, "ListServices", b"{}"),
                "write, durable (CreateCluster)": json(port, "CreateCluster", b'{"clusterName":"default"}'),
            }
            with socket.create_connection(("127.0.0.1", port)) as wire:
                for name, request in cases.items():
                    count = requests if "write" not in name else requests // 4
                    found[name] = cost(server.pid, wire, request, count)
            server.communicate()
    return found


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
