"""The page with a task's story: for those who may describe the task, signed as that call, and nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatoba.app.stories import stories
from hatoba.aws.sigv4 import Credential, sign
from hatoba.aws.wire import WireRequest
from hatoba.gateway import access
from hatoba.gateway.access import KnownKeys
from hatoba.gateway.call import Principal
from hatoba.gateway.http import Body, Request
from hatoba.gateway.path import Settings
from hatoba.gateway.visitors import Visitors
from hatoba.services.ecs.model.task import Task, tasks
from tests.unit.services.ecs.world import NETWORK, World, definition, world


def key(id_: str, principal: Principal) -> Credential:
    return Credential(access_key_id=id_, secret="secret", principal=principal)


ROOT = key("AKIAROOT", access.root("aws", "123456789012"))
OTHER = key("AKIAOTHER", access.root("aws", "210987654321"))
USER = key(
    "AKIAUSER",
    Principal(kind="user", account="123456789012", arn="arn:aws:iam::123456789012:user/u", id="AIDA1"),
)


class NoFlow:
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def send_continue(self) -> None: ...


class Reading:
    """The page, over a world with one task."""

    def __init__(self, w: World, task: Task, auth: bool) -> None:
        self.w, self.task = w, task
        visitors = Visitors(w.plane, w.plane.operations, KnownKeys(ROOT, OTHER, USER), Settings(auth=auth))
        self._page = stories(w.store, visitors)

    async def __call__(
        self, who: Credential | None = ROOT, arn: str | None = None, service: str = "ecs", method: str = "GET"
    ) -> tuple[int, Any]:
        path = f"/_hatoba/tasks/{arn or self.task.arn}/story"
        headers = {"host": "localhost:4566"}
        if who is not None:
            wire = WireRequest(method=method, path=path, headers=headers)
            headers = sign(wire, who, "us-east-1", service, self.w.clock.now())
        body = Body(NoFlow(), 0, expects=False)
        body.finish()
        answer = await self._page(Request(method=method, target=path, headers=headers, body=body, peer="127.0.0.1"))
        assert isinstance(answer.body, bytes)
        return answer.status, msgspec.json.decode(answer.body)


@pytest.fixture(params=[True])
async def read(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Reading]:
    async with world(tmp_path) as w:
        await w.ecs.create_cluster()
        await w.ecs.register_task_definition(**definition())
        await w.ecs.run_task(taskDefinition="web", launchType="FARGATE", networkConfiguration=NETWORK)
        await w.settle()
        (task,) = w.store.all(tasks)
        yield Reading(w, task, request.param)


async def test_whoever_may_describe_the_task_reads_its_story(read: Reading) -> None:
    status, told = await read()
    assert (status, told["taskArn"], told["lastStatus"]) == (200, read.task.arn, "RUNNING")
    assert [m["text"] for m in told["moments"] if m["what"] == "status"] == ["PROVISIONING", "PENDING", "RUNNING"]


async def test_nobody_else_does(read: Reading) -> None:
    forged = Credential(access_key_id=ROOT.access_key_id, secret="guessed", principal=ROOT.principal)
    for who, service, code in (
        (None, "ecs", "MissingAuthenticationTokenException"),
        (forged, "ecs", "InvalidSignatureException"),
        (OTHER, "ecs", "AccessDenied"),
        (USER, "ecs", "AccessDeniedException"),
        (ROOT, "s3", "InvalidSignatureException"),
        (key("AKIANOBODY", ROOT.principal), "ecs", "UnrecognizedClientException"),  # type: ignore[arg-type]
    ):
        status, told = await read(who, service=service)
        assert (status >= 400, told["code"]) == (True, code)
        assert "moments" not in told


async def test_what_is_not_there_is_not_found(read: Reading) -> None:
    arn = read.task.arn
    assert (await read(arn=arn.replace(read.task.id, "0" * 32)))[0] == 404
    assert (await read(arn=arn.replace("/default/", "/other/")))[0] in (400, 404)
    assert (await read(arn=arn.replace(":task/", ":service/")))[0] == 404
    assert (await read(arn="nonsense"))[0] == 404
    assert (await read(method="POST"))[0] == 405


@pytest.mark.parametrize(
    "arn",
    [
        "arn",
        "arn:::::",
        "arn:aws:ecs:us-east-1:123456789012:task/",
        "arn:aws:ecs:us-east-1:123456789012:task//x",
        "arn:aws:ecs::123456789012:task/default/x",
        "arn:aws-cn:ecs:cn-north-1:123456789012:task/default/x",
        "arn:aws:ecs:us-east-1:123456789012:task/default/x/y",
        "arn:aws:ecs:us-east-1:123456789012:task/" + "c" * 5000 + "/x",
        "%F0%28%8C",
        "../../health",
    ],
)
async def test_odd_names_are_refused(read: Reading, arn: str) -> None:
    status, told = await read(arn=arn)
    assert 400 <= status < 500
    assert told["code"]


@pytest.mark.parametrize("read", [False], indirect=True)
async def test_with_auth_off_the_key_names_the_account(read: Reading) -> None:
    assert (await read(None))[0] == 200
    assert (await read(OTHER))[0] == 403, "a key that is known is its owner's, whoever asks"
