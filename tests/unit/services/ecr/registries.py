"""A registry as a room has it, with a judge who allows what a test says, and an audit."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from hatoba.aws.models import Operation
from hatoba.core.clock import ManualClock
from hatoba.core.ids import SeededIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.gateway.access import Identities, KnownKeys, denied
from hatoba.gateway.call import Call, Principal, SessionContext
from hatoba.gateway.needs import Need
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.tags import tags
from hatoba.services.cloudtrail.model import TABLES as AUDIT
from hatoba.services.cloudtrail.recorder import Recorder
from hatoba.services.ecr import model
from hatoba.services.ecr.api import ecr
from hatoba.services.ecr.naming import Naming
from hatoba.services.ecr.registry import Registry, open_registry
from hatoba.store import Store, Table
from hatoba.store.memory import MemoryDisk, MemoryJournal
from hatoba.trail.port import Question
from hatoba.trail.simulated import MemoryTrail
from tests.conformance.oci.client import Client

SCOPE = Scope("aws", "123456789012", "us-east-1")
CI = Principal(
    kind="role",
    account=SCOPE.account,
    arn="arn:aws:sts::123456789012:assumed-role/ci/build",
    id="AROA:build",
    role="arn:aws:iam::123456789012:role/ci",
    session=SessionContext(issued=1.0, policy='{"Statement": []}', tags=(("team", "blue"),)),
)
PEER = "100.64.0.9"

Knows = Callable[[Store], Identities]


class Judge:
    def __init__(self) -> None:
        self.allowed: set[str] = set()
        self.asked: list[tuple[Principal, Need]] = []
        self.calls: list[Call] = []

    def decide(self, call: Call, operation: Operation, needs: Iterable[Need]) -> None:
        for need in needs:
            self.calls.append(call)
            self.asked.append((call.principal, need))
            if need.action.removeprefix("ecr:") not in self.allowed:
                raise denied(call.principal, operation, need, "because")


class World(NamedTuple):
    store: Store
    plane: ControlPlane
    judge: Judge
    recorder: Recorder
    registry: Registry
    clock: ManualClock

    def client(self, who: Principal) -> Client:
        user, _, password = base64.b64decode(self.registry.tokens.token(who)[0]).decode().partition(":")
        return Client(self.registry.engine, login=(user, password), peer=PEER)

    async def told(self) -> list[dict[str, Any]]:
        """The audit's events of the registry, the oldest first."""
        await self.recorder.flush()
        found = await self.recorder.find(Question(account=SCOPE.account, region=SCOPE.region, limit=1000))
        return [json.loads(entry.document) for _, entry in reversed(found)]


async def make(folder: Path, beside: Iterable[Table[Any]] = (), identities: Knows = lambda store: KnownKeys()) -> World:
    """The repositories app and other, empty. `identities`: whose keys work, by what the tables `beside` say."""
    sealer, clock, judge = Sealer(bytes(32)), ManualClock(), Judge()
    store = Store(MemoryJournal(MemoryDisk()), [*model.TABLES, *AUDIT, tags, *beside], sealer)
    store.open()
    keys = identities(store)
    recorder = Recorder(store, clock, MemoryTrail(), kept=1e9, most_bytes=10**9, tell=lambda line: None)
    plane = ControlPlane(
        store=store,
        clock=clock,
        ids=SeededIds(1),
        pager=Pager(sealer),
        rooms=[ecr],
        identities=keys,
        authorizer=judge,
        auditor=recorder,
    )
    registry = open_registry(folder, plane, sealer, Naming(endpoint="localhost:4566", default=SCOPE), keys)
    plane.provide(Registry, registry)
    await registry.engine.prepare()
    with store.tx() as tx:
        for name in ("app", "other"):
            tx.put(model.repositories, model.Repository(key=model.repositories.key(SCOPE, name), created=0))
    return World(store, plane, judge, recorder, registry, clock)


async def unmake(world: World) -> None:
    world.registry.engine.close()
    await world.recorder.close()
    await world.store.durable()
    world.store.close()
