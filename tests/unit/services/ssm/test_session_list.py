"""DescribeSessions, GetConnectionStatus, and the documents that sessions are started with."""

from __future__ import annotations

import datetime
import hashlib
import json
from typing import Any

import pytest

from hatoba.aws.shapes import ssm as t
from hatoba.services.ssm.plan.documents import DOCUMENTS
from hatoba.services.ssm.session import model
from tests.unit.services.ssm.test_session_operations import HERE, TARGET, World
from tests.unit.services.ssm.test_session_operations import world as _world

world = _world


async def start(world: World, n: int, **given: Any) -> list[str]:
    """The newest first."""
    found = []
    for _ in range(n):
        found.insert(0, (await world.client().start_session(Target=TARGET, **given))["SessionId"])
        world.plane.clock.advance(6)  # type: ignore[attr-defined]
    return found


async def listed(world: World, state: str = "Active", **asked: Any) -> list[Any]:
    return list((await world.client().describe_sessions(State=state, **asked))["Sessions"])


def where(key: str, value: str) -> dict[str, Any]:
    return {"Filters": [{"key": key, "value": value}]}


async def test_sessions_are_told_the_newest_first_until_they_are_over(world: World) -> None:
    ids = await start(world, 3, Reason="a look", Parameters={"cloudWatchLogGroupName": ["/audit"]})
    assert [one["SessionId"] for one in await listed(world)] == ids
    one = (await listed(world))[0]
    assert (one["Target"], one["Status"], one["Reason"]) == (TARGET, "Connecting", "a look")
    assert one["DocumentName"] == "AmazonECS-ExecuteInteractiveCommand"
    assert one["Owner"] == "arn:aws:iam::123456789012:root"
    assert one["OutputUrl"] == {"CloudWatchOutputUrl": "/audit"}
    assert not {"EndDate", "Details"} & set(one)
    with world.store.tx() as tx:
        token = tx.get(model.sessions, model.sessions.key(HERE, ids[1]))
        assert token is not None
        assert token.token is not None
        model.claim(tx, ids[1], token.token.reveal(), token.started)
    assert [s["Status"] for s in await listed(world)] == ["Connecting", "Connected", "Connecting"]
    await world.client().terminate_session(SessionId=ids[0])
    assert [s["SessionId"] for s in await listed(world)] == ids[1:]
    (over,) = await listed(world, "History")
    assert (over["SessionId"], over["Status"]) == (ids[0], "Terminated")
    assert over["EndDate"] >= over["StartDate"]


async def test_one_that_was_terminated_before_anybody_came_is_not_opened(world: World) -> None:
    (id_,) = await start(world, 1)
    record = model.find(world.store, id_)
    assert record is not None
    assert record.token is not None
    token = record.token.reveal()
    await world.plane.door(HERE._replace(region="eu-west-1"), "test").ssm.terminate_session(SessionId=id_)
    assert len(await listed(world)) == 1, "that is another region"
    await world.client().terminate_session(SessionId=id_)
    with world.store.tx() as tx, pytest.raises(model.BadToken):
        model.claim(tx, id_, token, record.started)


async def test_one_that_nobody_came_for_has_failed(world: World) -> None:
    (id_,) = await start(world, 1)
    world.plane.clock.advance(model.TOKEN_SECONDS)  # type: ignore[attr-defined]
    assert await listed(world) == []
    (one,) = await listed(world, "History", **where("Status", "Failed"))
    assert (one["SessionId"], one["EndDate"]) == (id_, one["StartDate"] + model.TOKEN_SECONDS)


async def test_sessions_are_filtered_and_paged(world: World) -> None:
    ids = await start(world, 5)
    begun = {one["SessionId"]: one["StartDate"] for one in await listed(world)}
    middle = datetime.datetime.fromtimestamp(begun[ids[2]], datetime.UTC).isoformat().replace("+00:00", "Z")
    assert [s["SessionId"] for s in await listed(world, **where("InvokedAfter", middle))] == ids[:2]
    assert [s["SessionId"] for s in await listed(world, **where("InvokedBefore", middle))] == ids[3:]
    assert [s["SessionId"] for s in await listed(world, **where("SessionId", ids[3]))] == [ids[3]]
    for key, yes, no in (
        ("Target", TARGET, "ecs:x"),
        ("Owner", "arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:user/x"),
        ("Status", "Connecting", "Connected"),
        ("AccessType", "Standard", "JustInTime"),
    ):
        assert len(await listed(world, **where(key, yes))) == 5, key
        assert await listed(world, **where(key, no)) == [], key
    seen, more = [], {}
    while True:
        page = await world.client().describe_sessions(State="Active", MaxResults=2, **more)
        seen += [one["SessionId"] for one in page["Sessions"]]
        if "NextToken" not in page:
            break
        more = {"NextToken": page["NextToken"]}
    assert seen == ids
    with pytest.raises(t.InvalidNextToken):
        await world.client().describe_sessions(State="History", **more)


async def test_what_is_no_time_is_refused_also_where_there_is_no_session(world: World) -> None:
    with pytest.raises(t.InvalidFilterKey, match="not a time"):
        await listed(world, **where("InvokedAfter", "yesterday"))


async def test_another_accounts_sessions_are_not_told(world: World) -> None:
    await start(world, 1)
    other = world.plane.door(HERE._replace(account="210987654321"), "test").ssm
    assert (await other.describe_sessions(State="Active"))["Sessions"] == []
    assert (await other.get_connection_status(Target=TARGET))["Status"] == "notconnected"


async def test_whether_a_session_could_be_had(world: World) -> None:
    async def status(target: str = TARGET) -> str:
        return str((await world.client().get_connection_status(Target=target))["Status"])

    assert await status() == "connected"
    assert await status("i-0123456789abcdef0") == "notconnected"
    world.there = False
    assert await status() == "notconnected"


# --- documents


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
async def test_a_document_tells_what_sessions_are_started_with(world: World, name: str) -> None:
    got = await world.client().get_document(Name=name)
    content = json.loads(got["Content"])
    assert (content["schemaVersion"], content["sessionType"]) == ("1.0", "InteractiveCommands")
    assert set(content["parameters"]) == {"command", "cloudWatchLogGroupName", "s3BucketName", "s3KeyPrefix"}
    told = (await world.client().describe_document(Name=f"arn:aws:ssm:us-east-1::document/{name}"))["Document"]
    assert told["Hash"] == hashlib.sha256(got["Content"].encode()).hexdigest()
    assert [p["Name"] for p in told["Parameters"]] == list(content["parameters"])
    assert (told["DocumentType"], told["Owner"], told["LatestVersion"]) == ("Session", "Amazon", "1")
    assert await world.client().start_session(Target=TARGET, DocumentName=name)


async def test_documents_and_versions_that_there_are_not(world: World) -> None:
    ssm, known = world.client(), "SSM-SessionManagerRunShell"
    for operation in (ssm.get_document, ssm.describe_document):
        with pytest.raises(t.InvalidDocument):
            await operation(Name="AWS-RunShellScript")
        for version in ({"DocumentVersion": "2"}, {"VersionName": "first"}):
            with pytest.raises(t.InvalidDocumentVersion):
                await operation(Name=known, **version)
        assert await operation(Name=known, DocumentVersion="$LATEST")
    with pytest.raises(t.InvalidDocument):
        await ssm.start_session(Target=TARGET, DocumentName="AWS-RunShellScript")


async def test_documents_are_listed_by_what_they_are(world: World) -> None:
    async def names(*filters: dict[str, Any], **more: Any) -> list[str]:
        found = await world.client().list_documents(Filters=list(filters), **more)
        return [one["Name"] for one in found["DocumentIdentifiers"]]

    everything = sorted(DOCUMENTS)
    assert await names() == everything
    assert await names({"Key": "Name", "Values": ["AmazonECS-"]}) == ["AmazonECS-ExecuteInteractiveCommand"]
    assert await names({"Key": "DocumentType", "Values": ["Command"]}) == []
    assert await names({"Key": "Owner", "Values": ["Self"]}) == []
    assert (
        await names({"Key": "Owner", "Values": ["Amazon"]}, {"Key": "PlatformTypes", "Values": ["Linux"]}) == everything
    )
    old = await world.client().list_documents(DocumentFilterList=[{"key": "Name", "value": "SSM-"}])
    assert [one["Name"] for one in old["DocumentIdentifiers"]] == ["SSM-SessionManagerRunShell"]
    first = await world.client().list_documents(MaxResults=2)
    rest = await world.client().list_documents(MaxResults=2, NextToken=first["NextToken"])
    assert len(first["DocumentIdentifiers"]) + len(rest["DocumentIdentifiers"]) == len(everything)
    with pytest.raises(t.InvalidFilterKey):
        await names({"Key": "Colour", "Values": ["red"]})
