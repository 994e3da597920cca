"""CloudWatch Logs behind the real endpoint, as a process of its own: to be used by real clients, and killed.

python -m tests.conformance.logs.served DIR PORT     prints its port and serves until it is killed

A second, plain socket beside the port takes `ingest` calls as a node's session would make them: one line of JSON each.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import uvloop

from hatoba.core.clock import SystemClock
from hatoba.core.errors import AwsError
from hatoba.core.ids import RandomIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.gateway import access
from hatoba.gateway.call import idempotent
from hatoba.gateway.front import front
from hatoba.gateway.http import Server
from hatoba.gateway.own import Own
from hatoba.gateway.path import Settings
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.tags import tags
from hatoba.reconcile import Runner
from hatoba.services.logs import model
from hatoba.services.logs.api import logs
from hatoba.services.logs.controller import Reaper, Retention
from hatoba.services.logs.ingest import ingest
from hatoba.store import Store
from hatoba.store.sqlite import SqliteJournal
from hatoba.streams.engine import DiskStreams
from hatoba.streams.port import Batch, Streams
from tests.conformance.apart import ACCOUNT, REGION, roots

SCOPE = Scope("aws", ACCOUNT, REGION)


async def serve(folder: Path, port: int) -> None:
    clock = SystemClock()
    sealer = Sealer.from_file(folder / "key")
    store = Store(SqliteJournal(folder / "store.sqlite"), [*model.TABLES, tags, idempotent], sealer)
    store.open()
    # Little memory, so that events are moved into segments while the tests run.
    streams = await DiskStreams.open(folder / "streams", clock, held_bytes=1 << 20)
    plane = ControlPlane(
        store=store,
        clock=clock,
        ids=RandomIds(),
        pager=Pager(sealer),
        rooms=[logs],
        identities=access.KnownKeys(*roots()),
        authorizer=access.EverythingPasses(),
        settings=Settings(auth=True, account=ACCOUNT, region=REGION),
        strict=True,
    )
    plane.provide(Streams, streams)  # type: ignore[type-abstract]
    Runner(store, clock, [Reaper(store, streams), Retention(store, streams, clock)]).start()
    server = Server(front(aws=plane.path, registry=plane.path, own_paths=Own(version="test", components=dict)))
    port = await server.listen("127.0.0.1", port)

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            asked = json.loads(line)
            parts = [Batch(**part) for part in asked.pop("parts")]
            try:
                answer = {"new": await ingest(plane, SCOPE, parts=parts, **asked)}
            except AwsError as error:
                answer = {"error": error.code}
            writer.write(json.dumps(answer).encode() + b"\n")

    node = await asyncio.start_server(session, "127.0.0.1", 0, limit=1 << 24)
    print(port, node.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
