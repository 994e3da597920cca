"""EC2, IAM, STS, CloudTrail and S3 behind the real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from hatoba.app.credentials import AnyOf
from hatoba.core.clock import SystemClock
from hatoba.core.ids import RandomIds
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.core.verdicts import Verdicts
from hatoba.fleet import model as fleet
from hatoba.gateway import access
from hatoba.gateway.call import idempotent
from hatoba.gateway.path import Settings
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.tags import tags
from hatoba.objects.files import Files
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
from hatoba.services.s3 import model as s3_model
from hatoba.services.s3.api import s3
from hatoba.services.s3.bodies import open_bodies
from hatoba.services.sts import model as sts_model
from hatoba.services.sts.api import sts
from hatoba.services.sts.identities import Sessions
from hatoba.services.sts.oidc import Keys
from hatoba.store import Store
from hatoba.store.sqlite import SqliteJournal
from hatoba.trail.simulated import MemoryTrail
from tests.conformance.serving import ACCOUNT, REGION, SECRET, RootOfAnyAccount, Served, in_a_thread, listening

T = TypeVar("T")


class MovableClock(SystemClock):
    """The real time, and some seconds: within the quarter of an hour that signatures may be off."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


class Platform(Served):
    def __init__(self, folder: Path, pool: PublicPool) -> None:
        super().__init__()
        self.folder = folder
        self.clock = MovableClock()
        sealer = Sealer(b"k" * 32)
        rooms = (*EC2, *cloudtrail_model.TABLES, *iam_model.TABLES, *sts_model.TABLES, *s3_model.TABLES)
        tables = (*rooms, *fleet.TABLES, idempotent, tags)
        self.store = Store(SqliteJournal(folder / "journal.db", "NORMAL"), tables, sealer)
        self.store.open()
        self.bodies = open_bodies(folder / "objects", self.store, sealer, RandomIds())
        self.trail = MemoryTrail()
        recorder = Recorder(self.store, self.clock, self.trail, kept=3600.0, most_bytes=10**9, tell=lambda line: None)
        identities = AnyOf(RootOfAnyAccount(), Sessions(self.store), UserKeys(self.store))
        verdicts = Verdicts(sealer)
        self.plane = ControlPlane(
            store=self.store,
            clock=self.clock,
            ids=RandomIds(),
            pager=Pager(sealer),
            rooms=[ec2, iam, sts, cloudtrail, s3],
            identities=identities,
            authorizer=PolicyAuthorizer(self.store, verdicts.encode),
            auditor=Usage(self.store, self.clock, recorder),
            settings=Settings(auth=True, account=ACCOUNT, region=REGION),
            strict=True,
        )
        self.plane.provide(PublicPool, pool)
        self.plane.provide(access.Identities, identities)  # type: ignore[type-abstract]
        self.plane.provide(access.SecondFactors, Devices(self.store, self.clock))  # type: ignore[type-abstract]
        self.plane.provide(access.SamlKeys, Unwrapping(self.store))  # type: ignore[type-abstract]
        self.plane.provide(Verdicts, verdicts)
        self.plane.provide(Keys, Keys(self.clock, loopback=True))
        self.plane.provide(Recorder, recorder)
        self.plane.provide(Files, self.bodies)

    def client(
        self,
        service: str,
        *,
        region: str = REGION,
        account: str = ACCOUNT,
        key: tuple[str, str] | None = None,
        token: str | None = None,
    ) -> Any:
        access_key, secret = key or (f"AKIA{account}", SECRET)
        return self.connect(service, access_key, secret, token, region=region)


@contextmanager
def served(folder: Path, pool: PublicPool | None = None) -> Iterator[Platform]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Platform]:
        platform = Platform(folder, pool or PublicPool())
        await platform.bodies.prepare()
        async with listening(platform.plane) as platform.port:
            yield platform
        await platform.store.durable()
        platform.bodies.close()
        platform.store.close()

    with in_a_thread(opened) as platform:
        yield platform


def by(name: str, *values: str) -> list[dict[str, Any]]:
    """`Filters` with one filter."""
    return [{"Name": name, "Values": list(values)}]
