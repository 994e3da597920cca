"""EC2, IAM and STS behind the real server, in a thread of this process, for real clients.

Every account has a root key and every region is empty at first, so that tests share one platform and do not meet.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest
import uvloop
from botocore.config import Config
from botocore.exceptions import ClientError

from hatoba.app.credentials import AnyOf
from hatoba.aws.sigv4 import Credential
from hatoba.core.clock import SystemClock
from hatoba.core.ids import RandomIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.core.verdicts import Verdicts
from hatoba.fleet import model as fleet
from hatoba.gateway import access
from hatoba.gateway.call import idempotent
from hatoba.gateway.front import front
from hatoba.gateway.http import Request, Response, Server
from hatoba.gateway.own import Own
from hatoba.gateway.path import Settings
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.tags import tags
from hatoba.services.cloudtrail import model as cloudtrail_model
from hatoba.services.cloudtrail.api import cloudtrail
from hatoba.services.cloudtrail.recorder import Recorder
from hatoba.services.ec2.api import ec2
from hatoba.services.ec2.model import TABLES as EC2
from hatoba.services.ec2.model.interface import PublicPool
from hatoba.services.iam import model as iam_model
from hatoba.services.iam.api import iam
from hatoba.services.iam.authorizer import PolicyAuthorizer
from hatoba.services.iam.factors import Devices
from hatoba.services.iam.identities import UserKeys
from hatoba.services.iam.unwrapping import Unwrapping
from hatoba.services.iam.usage import Usage
from hatoba.services.sts import model as sts_model
from hatoba.services.sts.api import sts
from hatoba.services.sts.identities import Sessions
from hatoba.services.sts.oidc import Keys
from hatoba.store import Store
from hatoba.store.sqlite import SqliteJournal
from hatoba.trail.simulated import MemoryTrail

T = TypeVar("T")
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ACCOUNT = "123456789012"
_numbers = itertools.count(101)


def fresh_region() -> str:
    word = "".join(chr(ord("a") + int(digit)) for digit in str(next(_numbers)))
    return f"eu-{word}-1"


def fresh_account() -> str:
    return f"{next(_numbers):012d}"


class RootOfAnyAccount:
    """`AKIA` and an account's number."""

    def find(self, access_key_id: str) -> Credential | None:
        account = access_key_id.removeprefix("AKIA")
        if len(account) != 12 or not account.isdigit():
            return None
        root = access.root("aws", account, access_key_id)
        return Credential(access_key_id=access_key_id, secret=SECRET, principal=root)


class MovableClock(SystemClock):
    """The real time, and some seconds: within the quarter of an hour that signatures may be off."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


class Platform:
    """Made in the loop that serves it."""

    def __init__(self, folder: Path, pool: PublicPool) -> None:
        self.folder = folder
        self.clock = MovableClock()
        sealer = Sealer(b"k" * 32)
        tables = (*EC2, *cloudtrail_model.TABLES, *iam_model.TABLES, *sts_model.TABLES, *fleet.TABLES, idempotent, tags)
        self.store = Store(SqliteJournal(folder / "journal.db", "NORMAL"), tables, sealer)
        self.store.open()
        self.trail = MemoryTrail()
        recorder = Recorder(self.store, self.clock, self.trail, kept=3600.0, most_bytes=10**9, tell=lambda line: None)
        identities = AnyOf(RootOfAnyAccount(), Sessions(self.store), UserKeys(self.store))
        verdicts = Verdicts(sealer)
        self.plane = ControlPlane(
            store=self.store,
            clock=self.clock,
            ids=RandomIds(),
            pager=Pager(sealer),
            rooms=[ec2, iam, sts, cloudtrail],
            identities=identities,
            authorizer=PolicyAuthorizer(self.store, verdicts.encode),
            auditor=Usage(self.store, self.clock, recorder),
            settings=Settings(auth=True, account=ACCOUNT, region="us-east-1"),
            strict=True,
        )
        self.plane.provide(PublicPool, pool)
        self.plane.provide(access.Identities, identities)  # type: ignore[type-abstract]
        self.plane.provide(access.SecondFactors, Devices(self.store, self.clock))  # type: ignore[type-abstract]
        self.plane.provide(access.SamlKeys, Unwrapping(self.store))  # type: ignore[type-abstract]
        self.plane.provide(Verdicts, verdicts)
        self.plane.provide(Keys, Keys(self.clock, loopback=True))
        self.plane.provide(Recorder, recorder)
        self.loop = asyncio.get_running_loop()
        self.port = 0

    def client(
        self,
        service: str,
        *,
        region: str = "us-east-1",
        account: str = ACCOUNT,
        key: tuple[str, str] | None = None,
        token: str | None = None,
    ) -> Any:
        access_key, secret = key or (f"AKIA{account}", SECRET)
        return boto3.client(
            service,
            endpoint_url=f"http://localhost:{self.port}",
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def run(self, make: Callable[[], T]) -> T:
        """Something synchronous in the platform's own loop."""

        async def made() -> T:
            result = make()
            await self.store.durable()
            return result

        return asyncio.run_coroutine_threadsafe(made(), self.loop).result(20)

    def door(self, scope: Scope, service: str, source: str = "") -> Callable[..., Any]:
        """What another room does: `ask("ec2", "describe_vpcs", …)` under its service role, or for a resource."""

        def ask(name: str, operation: str, **params: Any) -> Any:
            asked = getattr(getattr(self.plane.door(scope, service, source=source), name), operation)(**params)
            return asyncio.run_coroutine_threadsafe(asked, self.loop).result(20)

        return ask


@contextmanager
def served(folder: Path, pool: PublicPool | None = None) -> Iterator[Platform]:
    started: list[Platform] = []
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        platform = Platform(folder, pool or PublicPool())
        own = Own(version="test", components=dict)
        server = Server(front(aws=platform.plane.path, registry=_registry, own_paths=own))
        platform.port = await server.listen("localhost", 0)
        started.append(platform)
        ready.set()
        await stop.wait()
        await server.close(grace=1)
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
    return Response(status=404)


def refused(code: str, call: Callable[..., Any], **params: Any) -> str:
    """The words of a refusal with this code."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    text: str = error["Message"]
    return text


def by(name: str, *values: str) -> list[dict[str, Any]]:
    """`Filters` with one filter."""
    return [{"Name": name, "Values": list(values)}]
