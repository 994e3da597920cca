"""StartSession, ResumeSession, TerminateSession, answered as the model has it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from hatoba.aws.shapes import ssm as t
from hatoba.core.clock import ManualClock
from hatoba.core.ids import SeededIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.records import replace
from hatoba.core.secret import Sealer
from hatoba.fleet import model as fleet
from hatoba.fleet.channels import Executor
from hatoba.gateway import access
from hatoba.gateway.access import EverythingPasses, KnownKeys
from hatoba.gateway.call import idempotent
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.tags import tags
from hatoba.services.ssm import model
from hatoba.services.ssm.api import ssm
from hatoba.services.ssm.session import model as sessions_model
from hatoba.services.ssm.session.endpoint import DataChannels
from hatoba.services.ssm.session.model import find
from hatoba.services.ssm.session.talk import Side
from hatoba.store import Store
from hatoba.store.memory import MemoryDisk, MemoryJournal

HERE = Scope("aws", "123456789012", "us-east-1")
TASK = "0123456789abcdef0123456789abcdef"
TARGET = f"ecs:my_cluster_{TASK}_{TASK}-app"
ARN = f"arn:aws:ecs:us-east-1:123456789012:task/my_cluster/{TASK}"


class World:
    """One task that may be entered, on a node that is there or not."""

    def __init__(self) -> None:
        sealer = Sealer(b"k" * 32)
        tables = (*model.TABLES, *sessions_model.TABLES, *fleet.TABLES, idempotent, tags)
        self.store = Store(MemoryJournal(MemoryDisk()), tables, sealer)
        self.store.open()
        self.plane = ControlPlane(
            store=self.store,
            clock=ManualClock(),
            ids=SeededIds(1),
            pager=Pager(sealer),
            rooms=[ssm],
            identities=KnownKeys(),
            authorizer=EverythingPasses(),
            strict=True,
        )
        self.there = True
        side = Side(clock=self.plane.clock, ids=self.plane.ids, executor=self)  # type: ignore[arg-type]
        self.plane.provide(Executor, self)  # type: ignore[type-abstract, arg-type]
        self.plane.provide(DataChannels, DataChannels(self.plane, side, KnownKeys(), endpoint="localhost:4566"))
        self.task()

    def reaches(self, workload: fleet.Workload) -> bool:
        return self.there

    def task(self, *, state: Any = "running", **fields: Any) -> None:
        with self.store.tx() as tx:
            key = fleet.workloads.key(HERE, TASK)
            known = tx.get(fleet.workloads, key) or fleet.Workload(
                key=key, node="n", execute=True, metadata={"TaskARN": ARN}
            )
            tx.put(fleet.workloads, replace(known, **fields))
            at = fleet.workload_statuses.key(HERE, TASK)
            status = tx.get(fleet.workload_statuses, at) or fleet.WorkloadStatus(key=at, node="n")
            app = fleet.ContainerStatus(name="app", state=state, runtime_id=f"{TASK}-app")
            tx.put(fleet.workload_statuses, replace(status, containers=(app,)))

    def client(self, account: str = "123456789012") -> Any:
        return self.plane.door(HERE, "test", access.root("aws", account)).ssm


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    made.store.close()


async def test_a_session_is_written_down_and_offered(world: World) -> None:
    given = {"command": ["sh"], "cloudWatchLogGroupName": ["/audit"]}
    answer = await world.client().start_session(Target=TARGET, Parameters=given)
    id_, token = answer["SessionId"], answer["TokenValue"]
    assert answer["StreamUrl"] == f"ws://localhost:4566/v1/data-channel/{id_}?role=publish_subscribe"
    session = find(world.store, id_)
    assert session is not None
    assert (session.container, session.command, session.log_group) == ("app", "sh", "/audit")
    assert (session.owner, session.state) == ("arn:aws:iam::123456789012:root", "offered")
    assert session.token is not None
    assert session.token.reveal() == token
    assert token not in repr(session)
    assert len(token) == 64


@pytest.mark.parametrize(
    "spoil",
    [
        {"execute": False},
        {"state": "stopped"},
        {"state": "pending"},
    ],
)
async def test_what_cannot_be_entered_is_not_connected(world: World, spoil: dict[str, Any]) -> None:
    world.task(**spoil)
    with pytest.raises(t.TargetNotConnected):
        await world.client().start_session(Target=TARGET)


@pytest.mark.parametrize(
    "target",
    [
        "i-0123456789abcdef0",
        f"ecs:c_{TASK}_other",
        "ecs:c_x_y",
        f"ecs:c_{'0' * 32}_x",
        f"ecs:mine_{TASK}_{TASK}-app",  # it is there, but in a cluster for which the caller was not asked
    ],
)
async def test_what_is_no_target_of_ours_is_not_connected(world: World, target: str) -> None:
    with pytest.raises(t.TargetNotConnected):
        await world.client().start_session(Target=target)


async def test_a_node_that_is_away_is_not_connected(world: World) -> None:
    world.there = False
    with pytest.raises(t.TargetNotConnected):
        await world.client().start_session(Target=TARGET)


async def test_documents_and_their_parameters(world: World) -> None:
    for wrong in ({"DocumentName": "AWS-StartPortForwardingSession"}, {"Parameters": {"portNumber": ["22"]}}):
        with pytest.raises(t.InvalidDocument):
            await world.client().start_session(Target=TARGET, **wrong)
    await world.client().start_session(Target=TARGET, DocumentName="AmazonECS-ExecuteInteractiveCommand")


async def test_resuming_and_terminating_are_for_ones_own(world: World) -> None:
    ours, theirs = world.client(), world.client("999999999999")
    id_ = (await ours.start_session(Target=TARGET))["SessionId"]
    assert await ours.resume_session(SessionId=id_) == {"SessionId": id_}, "no token: it does not go on"
    for client, name in ((theirs, id_), (ours, "ecs-execute-command-none")):
        with pytest.raises(t.DoesNotExistException):
            await client.resume_session(SessionId=name)
    for client in (ours, theirs):
        assert await client.terminate_session(SessionId=id_) == {"SessionId": id_}


async def test_a_hundred_sessions_that_nobody_came_to_are_not_kept(world: World) -> None:
    client = world.client()
    for _ in range(100):
        await client.start_session(Target=TARGET)
    world.plane.clock.advance(2 * sessions_model.KEPT_SECONDS)  # type: ignore[attr-defined]
    for _ in range(60):
        await client.start_session(Target=TARGET)
    assert len(world.store.all(sessions_model.sessions)) < 100
