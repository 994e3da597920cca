"""From a call to the trail: durable with what it wrote, whole with its outcome, and without secrets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.clock import ManualClock
from hatoba.core.errors import AwsError
from hatoba.core.ids import SeededIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.records import Record, replace
from hatoba.core.secret import Sealer
from hatoba.gateway.access import EverythingPasses, KnownKeys
from hatoba.gateway.call import Call, Principal
from hatoba.gateway.needs import Access, named, on
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.room import Service
from hatoba.services.cloudtrail.model import TABLES, pendings
from hatoba.services.cloudtrail.recorder import Recorder
from hatoba.store import Store, Table
from hatoba.store.sqlite import SqliteJournal
from hatoba.trail.port import Entry, Question
from hatoba.trail.simulated import MemoryTrail

SCOPE = Scope("aws", "123456789012", "eu-west-1")
ANN = Principal(kind="user", account="123456789012", arn="arn:aws:iam::123456789012:user/team/ann", id="AIDA1")


class Cluster(Record, frozen=True, kw_only=True):
    pass


clusters = Table("test.clusters", Cluster)


def room() -> Service:
    def arn(call: Call, name: str) -> str:
        return call.arn(f"cluster/{name}")

    rules = {"CreateCluster": on(named("clusterName", arn)), "ListClusters": on(), "DeleteCluster": on()}
    ecs = Service("ecs", access=Access("ecs", rules))

    @ecs.operation
    async def create_cluster(req: dict[str, Any], call: Call) -> dict[str, Any]:
        name = req["clusterName"]
        with call.tx() as tx:
            tx.put(clusters, Cluster(key=clusters.key(call.scope, name)))
        if name.startswith("late"):
            raise AwsError(f"Too late.{name[4:]}", code="ClientException")
        return {"cluster": {"clusterArn": call.arn(f"cluster/{name}")}}

    @ecs.operation
    async def list_clusters(req: dict[str, Any], call: Call) -> dict[str, Any]:
        with call.tx():
            pass
        return {"clusterArns": []}

    @ecs.operation
    async def delete_cluster(req: dict[str, Any], call: Call) -> dict[str, Any]:
        raise RuntimeError("a mistake of the room")

    @ecs.operation
    async def register_task_definition(req: dict[str, Any], call: Call) -> dict[str, Any]:
        return {}

    return ecs


class World:
    def __init__(self, folder: Path, trail: MemoryTrail) -> None:
        self.trail, self.clock, self.lines = trail, ManualClock(1_000_000.0), list[str]()
        sealer = Sealer(bytes(32))
        self.journal = folder / "journal.db"
        self.store = Store(SqliteJournal(self.journal, "NORMAL"), [clusters, *TABLES], sealer)
        self.store.open()
        self.recorder = Recorder(self.store, self.clock, trail, kept=1000.0, most_bytes=10**9, tell=self.lines.append)
        self.plane = ControlPlane(
            store=self.store,
            clock=self.clock,
            ids=SeededIds(len(trail.entries)),
            pager=Pager(sealer),
            rooms=[room()],
            identities=KnownKeys(),
            authorizer=EverythingPasses(),
            auditor=self.recorder,
        )

    def as_(self, principal: Principal | None) -> Any:
        return self.plane.door(SCOPE, "elbv2", principal).ecs

    async def entries(self) -> list[Entry]:
        await self.recorder.flush()
        found = await self.trail.find(Question(account=SCOPE.account, region=SCOPE.region))
        return [entry for _, entry in found]


@asynccontextmanager
async def world(folder: Path, trail: MemoryTrail | None = None) -> AsyncIterator[World]:
    made = World(folder, trail or MemoryTrail())
    await made.recorder.start()
    try:
        yield made
    finally:
        await made.recorder.close()
        made.store.close()


def said(entry: Entry) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(entry.document)
    return found


async def test_who_what_from_where_and_what_became_of_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.as_(ANN).create_cluster(clusterName="blue")
        (entry,) = await w.entries()
        event = said(entry)
        assert (entry.name, entry.user, entry.read_only) == ("CreateCluster", "ann", False)
        assert list(entry.things) == [("AWS::ECS::Cluster", "arn:aws:ecs:eu-west-1:123456789012:cluster/blue")]
        assert event["userIdentity"] == {
            "type": "IAMUser",
            "principalId": "AIDA1",
            "arn": ANN.arn,
            "accountId": "123456789012",
            "userName": "ann",
            "invokedBy": "elbv2.amazonaws.com",
        }
        assert event["eventTime"] == "1970-01-12T13:46:40Z"
        assert (event["eventSource"], event["awsRegion"]) == ("ecs.amazonaws.com", "eu-west-1")
        assert event["requestParameters"] == {"clusterName": "blue"}
        assert event["responseElements"]["cluster"]["clusterArn"].endswith(":cluster/blue")
        assert event["additionalEventData"]["milliseconds"] >= 0
        assert "errorCode" not in event
        assert len(w.lines) == 1
        assert "eu-west-1 ann ecs:CreateCluster ok" in w.lines[0]


async def test_refusals_and_mistakes_are_kept_with_their_error(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        with pytest.raises(AwsError):
            await w.as_(ANN).create_cluster(clusterName="late")
        with pytest.raises(RuntimeError):
            await w.as_(ANN).delete_cluster(cluster="x")
        with pytest.raises(AwsError, match="does not implement yet"):
            await w.as_(ANN).update_cluster(cluster="x")
        codes = {entry.name: said(entry).get("errorCode") for entry in await w.entries()}
        assert codes == {
            "CreateCluster": "ClientException",
            "DeleteCluster": "InternalFailure",
            "UpdateCluster": "NotImplementedException",
        }


async def test_what_was_written_is_told_even_if_the_process_dies_at_once(tmp_path: Path) -> None:
    """The event is in the transaction; nothing was brought to the trail yet."""
    trail = MemoryTrail()
    first = World(tmp_path, trail)
    await first.as_(ANN).create_cluster(clusterName="blue")
    await first.as_(ANN).list_clusters()
    assert trail.entries == []
    first.store.close()  # as a kill would leave it: the recorder never got to it
    async with world(tmp_path, trail) as second:
        (entry,) = await second.entries()
        assert entry.name == "CreateCluster"
        assert said(entry)["requestParameters"] == {"clusterName": "blue"}
        assert "additionalEventData" not in said(entry)  # nobody knows how it ended
        assert second.store.all(pendings) == []


async def test_what_is_on_the_trail_is_forgotten_by_the_store(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.as_(ANN).create_cluster(clusterName="blue")
        assert len(w.store.all(pendings)) == 1
        await w.entries()
        assert w.store.all(pendings) == []


async def test_calls_that_only_read_write_nothing_and_those_of_services_are_not_kept(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        before = w.store.seq
        await w.as_(ANN).list_clusters()
        await w.as_(None).list_clusters()
        assert w.store.seq == before
        (entry,) = await w.entries()
        assert (entry.name, entry.user, entry.read_only) == ("ListClusters", "ann", True)
        await w.as_(None).create_cluster(clusterName="own")
        assert [entry.user for entry in await w.entries()] == ["elbv2.amazonaws.com", "ann"]


async def test_secrets_stay_out_of_the_trail_and_the_journal(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        secret = "correct-horse-battery"
        await w.as_(ANN).register_task_definition(
            family="f",
            containerDefinitions=[
                {"name": "c", "environment": [{"name": "PASSWORD", "value": secret}]},
                {"name": "d", "logConfiguration": {"logDriver": "splunk", "options": {"splunk-token": secret}}},
            ],
        )
        (entry,) = await w.entries()
        assert secret.encode() not in entry.document
        (first, second) = said(entry)["requestParameters"]["containerDefinitions"]
        assert first["environment"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
        assert list(second["logConfiguration"]["options"]) == ["splunk-token"]
        await w.store.durable()
        assert secret.encode() not in w.journal.read_bytes()


async def test_nobody_fills_the_trail_with_what_they_say(tmp_path: Path) -> None:
    """Names, errors and user agents as long as a request: some hundred of them would push all that was before out."""
    name = "x" * 300_000
    async with world(tmp_path) as w:
        with pytest.raises(AwsError):
            await w.as_(ANN).create_cluster(clusterName=f"late{name}")
        await w.as_(ANN).create_cluster(clusterName=name)
        for entry in await w.entries():
            assert len(entry.document) < 10_000
            assert not [thing for thing in entry.things if len(thing.name) > 2048]


async def test_a_name_that_looks_like_a_line_of_ours_is_none(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        who = replace(ANN, arn="arn:aws:iam::123456789012:user/ann ecs:ListClusters ok\n1970-01-12 mallory")
        await w.as_(who).create_cluster(clusterName="blue")
        await w.entries()
        (line,) = w.lines
        assert "\n" not in line
        assert line.split()[3].startswith("'ann")
