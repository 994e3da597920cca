"""KMS, Parameter Store and Secrets Manager behind the real server, in a thread of this process, for real clients.

They are tested together because they work together: secrets are kept under KMS's keys, asked through the front door.
Every account has a root key and every region is empty at first, so that tests share one platform and do not meet.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import uvloop
from botocore.config import Config

from hatoba.app.credentials import AnyOf
from hatoba.aws.sigv4 import Credential
from hatoba.core.clock import SystemClock
from hatoba.core.errors import AwsError
from hatoba.core.ids import RandomIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.gateway import access
from hatoba.gateway.call import Principal, idempotent
from hatoba.gateway.front import front
from hatoba.gateway.http import Request, Response, Server
from hatoba.gateway.own import Own
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

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ACCOUNT, REGION = "123456789012", "us-east-1"
TABLES = (*kms_model.TABLES, *ssm_model.TABLES, *secretsmanager_model.TABLES, *iam_model.TABLES, idempotent, tags)
ROOMS: tuple[Service, ...] = (kms, ssm, secretsmanager)


class RootOfAnyAccount:
    """`AKIA` and an account's number."""

    def find(self, access_key_id: str) -> Credential | None:
        account = access_key_id.removeprefix("AKIA")
        if len(account) != 12 or not account.isdigit():
            return None
        root = access.root("aws", account, access_key_id)
        return Credential(access_key_id=access_key_id, secret=SECRET, principal=root)


class Platform:
    """Made in the loop that serves it."""

    def __init__(self, folder: Path, more: tuple[Service, ...] = ()) -> None:
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
        self.loop = asyncio.get_running_loop()
        self.port = 0

    def client(self, service: str, *, region: str = REGION, account: str = ACCOUNT) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"http://localhost:{self.port}",
            region_name=region,
            aws_access_key_id=f"AKIA{account}",
            aws_secret_access_key=SECRET,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def run(self, act: Callable[[], object]) -> None:
        """Something synchronous in the platform's own loop."""

        async def acted() -> None:
            act()
            await self.store.durable()

        asyncio.run_coroutine_threadsafe(acted(), self.loop).result(20)

    def door(self, scope: Scope, service: str, principal: Principal | None = None) -> Callable[..., Any]:
        """What another room does: `ask("ssm", "get_parameters", …)` under its service role, or one that it assumed."""

        def ask(name: str, operation: str, **params: Any) -> Any:
            asked = getattr(getattr(self.plane.door(scope, service, principal), name), operation)(**params)
            return asyncio.run_coroutine_threadsafe(asked, self.loop).result(20)

        return ask


@contextmanager
def served(folder: Path, more: tuple[Service, ...] = ()) -> Iterator[Platform]:
    started: list[Platform] = []
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        platform = Platform(folder, more)
        own = Own(version="test", components=dict)
        server = Server(front(aws=platform.plane.path, registry=_registry, own_paths=own))
        platform.port = await server.listen("localhost", 0)
        started.append(platform)
        ready.set()
        await stop.wait()
        await server.close(grace=1)
        await platform.runner.close()
        await platform.store.durable()
        platform.store.close()

    thread = threading.Thread(target=lambda: uvloop.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield started[0]
    finally:
        started[0].loop.call_soon_threadsafe(stop.set)
        thread.join(20)


async def _registry(request: Request) -> Response:
    raise AwsError("There is no registry here.", code="NotFound", status=404)
