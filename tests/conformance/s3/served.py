"""S3 behind the real endpoint, as a process of its own: to be used by real clients, measured and killed.

python -m tests.conformance.s3.served DIR PORT     prints its port and serves until it is killed
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path

import uvloop

from hatoba.app.rooms import tables
from hatoba.aws.sigv4 import Credential
from hatoba.core.clock import SystemClock
from hatoba.core.ids import RandomIds
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.core.verdicts import Verdicts
from hatoba.gateway.front import front
from hatoba.gateway.http import Server
from hatoba.gateway.own import Own
from hatoba.gateway.path import Settings
from hatoba.gateway.plane import ControlPlane
from hatoba.objects.files import Files
from hatoba.services.iam.api import iam
from hatoba.services.iam.authorizer import PolicyAuthorizer
from hatoba.services.iam.identities import UserKeys
from hatoba.services.kms.api import kms
from hatoba.services.s3.api import s3
from hatoba.services.s3.bodies import open_bodies
from hatoba.store import Store
from hatoba.store.sqlite import SqliteJournal
from tests.conformance.apart import ACCOUNT, REGION, roots


class Known:
    """Two roots, and the users that tests make."""

    def __init__(self, store: Store) -> None:
        self._users = UserKeys(store)
        self._roots = {root.access_key_id: root for root in roots()}

    def find(self, access_key_id: str) -> Credential | None:
        return self._roots.get(access_key_id) or self._users.find(access_key_id)


async def serve(folder: Path, port: int) -> None:
    clock, ids = SystemClock(), RandomIds()
    sealer = Sealer.from_file(folder / "key")
    store = Store(SqliteJournal(folder / "store.sqlite"), tables(), sealer)
    store.open()
    plane = ControlPlane(
        store=store,
        clock=clock,
        ids=ids,
        pager=Pager(sealer),
        rooms=[s3, iam, kms],
        identities=Known(store),
        authorizer=partial(PolicyAuthorizer, encode=Verdicts(sealer).encode)(store),
        settings=Settings(auth=True, account=ACCOUNT, region=REGION),
        strict=True,
    )
    files = open_bodies(folder / "objects", store, sealer, ids)
    await files.prepare()
    await files.sweep()
    plane.provide(Files, files)
    handler = front(aws=plane.path, registry=None, own_paths=Own(version="test", components=dict))
    server = Server(handler, clock=clock)
    port = await server.listen("127.0.0.1", port)
    print(port, flush=True)  # noqa: T201
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
