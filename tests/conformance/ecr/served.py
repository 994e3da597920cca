"""The registry and ECR behind the real endpoint, as a process of its own: to be used by real clients, and killed.

python -m tests.conformance.ecr.served DIR PORT on|off     prints its port and serves until it is killed
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop

from hatoba.core.clock import SystemClock
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
from hatoba.registry.mount import mount
from hatoba.services.ecr import model
from hatoba.services.ecr.api import ecr
from hatoba.services.ecr.naming import Naming
from hatoba.services.ecr.registry import Registry, open_registry
from hatoba.store import Store
from hatoba.store.sqlite import SqliteJournal
from tests.conformance.apart import ACCOUNT, REGION, roots


async def serve(folder: Path, port: int, *, auth: bool) -> None:
    clock, ids = SystemClock(), RandomIds()
    sealer = Sealer.from_file(folder / "key")
    store = Store(SqliteJournal(folder / "store.sqlite"), [*model.TABLES, tags, idempotent], sealer)
    store.open()
    root, _ = known = roots()
    identities = access.KnownKeys(*known)
    plane = ControlPlane(
        store=store,
        clock=clock,
        ids=ids,
        pager=Pager(sealer),
        rooms=[ecr],
        identities=identities,
        authorizer=access.EverythingPasses(),
        settings=Settings(auth=auth, account=ACCOUNT, region=REGION),
        strict=True,
    )
    server = Server(lambda request: handler(request))
    port = await server.listen("127.0.0.1", port)
    naming = Naming(endpoint=f"localhost:{port}", default=Scope("aws", ACCOUNT, REGION))
    open_to = None if auth else root.principal
    registry = open_registry(folder / "registry", plane, sealer, naming, identities, open_to=open_to)
    await registry.engine.prepare()
    plane.provide(Registry, registry)
    handler = front(aws=plane.path, registry=mount(registry.engine), own_paths=Own(version="test", components=dict))
    print(port, flush=True)  # noqa: T201
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2]), auth=sys.argv[3] == "on"))
