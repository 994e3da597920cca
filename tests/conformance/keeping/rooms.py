"""KMS, Parameter Store and Secrets Manager behind the real server.

They are tested together because they work together: secrets are kept under KMS's keys, asked through the front door.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from hatoba.app.credentials import AnyOf
from hatoba.core.clock import SystemClock
from hatoba.core.ids import RandomIds
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.gateway.call import idempotent
from hatoba.gateway.path import Settings
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.room import Service
from hatoba.gateway.tags import tags
from hatoba.reconcile import Runner
from hatoba.services.iam import model as iam_model
from hatoba.services.iam.authorizer import PolicyAuthorizer
from hatoba.services.kms import model as kms_model
from hatoba.services.kms.api import kms
from hatoba.services.kms.controller import Keeper
from hatoba.services.secretsmanager import model as secretsmanager_model
from hatoba.services.secretsmanager.api import secretsmanager
from hatoba.services.secretsmanager.controller import controllers
from hatoba.services.ssm import model as ssm_model
from hatoba.services.ssm.api import ssm
from hatoba.services.ssm.controller import Policies
from hatoba.store import Store
from hatoba.store.sqlite import SqliteJournal
from tests.conformance.serving import ACCOUNT, REGION, SECRET, RootOfAnyAccount, Served, in_a_thread, listening

TABLES = (*kms_model.TABLES, *ssm_model.TABLES, *secretsmanager_model.TABLES, *iam_model.TABLES, idempotent, tags)
ROOMS: tuple[Service, ...] = (kms, ssm, secretsmanager)


class Platform(Served):
    def __init__(self, folder: Path, more: tuple[Service, ...] = ()) -> None:
        super().__init__()
        self.folder = folder
        self.clock = SystemClock()
        sealer = Sealer(b"k" * 32)
        self.store = Store(SqliteJournal(folder / "journal.db", "NORMAL"), TABLES, sealer)
        self.store.open()
        self.plane = ControlPlane(
            store=self.store,
            clock=self.clock,
            ids=RandomIds(),
            pager=Pager(sealer),
            rooms=[*ROOMS, *more],
            identities=AnyOf(RootOfAnyAccount()),
            authorizer=PolicyAuthorizer(self.store),
            settings=Settings(auth=True, account=ACCOUNT, region=REGION),
            strict=True,
        )
        keepers = (Keeper(self.store, self.clock, self.plane.ids), Policies(self.plane), *controllers(self.plane))
        self.runner = Runner(self.store, self.clock, keepers)
        self.runner.start()

    def client(self, service: str, *, region: str = REGION, account: str = ACCOUNT) -> Any:
        return self.connect(service, f"AKIA{account}", SECRET, region=region)


@contextmanager
def served(folder: Path, more: tuple[Service, ...] = ()) -> Iterator[Platform]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Platform]:
        platform = Platform(folder, more)
        async with listening(platform.plane) as platform.port:
            yield platform
        await platform.runner.close()
        await platform.store.durable()
        platform.store.close()

    with in_a_thread(opened) as platform:
        yield platform
