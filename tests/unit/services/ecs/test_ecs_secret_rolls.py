"""A service that wants it is deployed anew when a secret that its tasks were started with changes: once a change."""

from __future__ import annotations

from typing import Any

import pytest

from hatoba.core.errors import AwsError
from hatoba.services.ecs.controller.secret_rolls import OPTION, QUIET
from hatoba.services.ecs.model.watch import watches
from tests.unit.services.ecs.test_ecs_secret_files import Keeping, w
from tests.unit.services.ecs.world import NETWORK, ROLE, container, definition

__all__ = ["w"]

WANTED = [{"key": OPTION, "value": "true"}]


async def serve(w: Keeping, *references: str, tags: Any = WANTED, of_definition: Any = (), **fields: Any) -> None:
    secrets = [{"name": f"S{number}", "valueFrom": value} for number, value in enumerate(references)]
    wanted = [container(secrets=secrets, **fields)]
    tagged = {"tags": list(of_definition)} if of_definition else {}
    await w.ecs.register_task_definition(**definition(containerDefinitions=wanted, executionRoleArn=ROLE, **tagged))
    await w.ecs.create_service(
        serviceName="web",
        taskDefinition="web",
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration=NETWORK,
        tags=list(tags),
    )
    await w.settle()


async def service(w: Keeping) -> Any:
    (found,) = (await w.ecs.describe_services(services=["web"]))["services"]
    return found


async def deployment(w: Keeping) -> str:
    return str((await service(w))["deployments"][0]["id"])


async def said(w: Keeping) -> list[str]:
    messages = [event["message"].removeprefix("(service web) ") for event in (await service(w))["events"]]
    return [message for message in messages if "chang" in message]


async def test_a_changed_secret_deploys_anew_once_and_says_why(w: Keeping) -> None:
    arn = await w.secret("db", "one")
    await w.put("/url", "one")
    await serve(w, arn, "/url")
    before = await deployment(w)
    await w.put("db", "two")
    assert await deployment(w) == before, "more may follow"
    await w.pass_time(QUIET / 2)
    await w.put("/url", "two")
    await w.pass_time(QUIET * 0.75)
    assert await deployment(w) == before, "the last change is not long enough ago"
    await w.pass_time(QUIET)
    after = await deployment(w)
    assert after != before
    url = "arn:aws:ssm:us-east-1:123456789012:parameter/url"
    assert await said(w) == [f"deploys anew because what its tasks were started with has changed: {arn}, {url}."]
    await w.pass_time(60)
    assert await deployment(w) == after, "once for a change"
    await w.put("db", "three")
    await w.pass_time(QUIET)
    assert await deployment(w) != after
    assert len(await said(w)) == 2


async def test_what_changes_back_or_is_pending_is_no_change(w: Keeping) -> None:
    arn = await w.secret("db", "one")
    await serve(w, arn)
    before, manager = await deployment(w), w.aws.secretsmanager
    pending = await manager.put_secret_value(SecretId=arn, SecretString="two", VersionStages=["AWSPENDING"])
    await w.pass_time(QUIET * 2)
    assert await deployment(w) == before
    versions = (await manager.describe_secret(SecretId=arn))["VersionIdsToStages"]
    current = next(name for name, stages in versions.items() if "AWSCURRENT" in stages)
    for to, frm in ((pending["VersionId"], current), (current, pending["VersionId"])):
        await manager.update_secret_version_stage(
            SecretId=arn, VersionStage="AWSCURRENT", MoveToVersionId=to, RemoveFromVersionId=frm
        )
        await w.settle()
    await w.pass_time(QUIET * 2)
    assert await deployment(w) == before
    assert await said(w) == []


async def test_only_who_wants_it_and_for_what_is_not_refreshed(w: Keeping) -> None:
    arn, files = await w.secret("db", "one"), await w.secret("files", "one")
    await serve(w, arn, tags=[], dockerLabels={"hatoba.secrets.files": f"/run/s/x={files}"})
    before = await deployment(w)
    await w.put("db", "two")
    await w.pass_time(QUIET * 2)
    assert await deployment(w) == before
    found = await service(w)
    await w.ecs.tag_resource(resourceArn=found["serviceArn"], tags=WANTED)
    await w.settle()
    await w.put("files", "two")
    await w.pass_time(QUIET * 2)
    assert await deployment(w) == before, "its files are refreshed in place"
    await w.put("db", "three")
    await w.pass_time(QUIET)
    after = await deployment(w)
    assert after != before
    await w.ecs.untag_resource(resourceArn=found["serviceArn"], tagKeys=[OPTION])
    await w.settle()
    assert w.store.all(watches) == []
    await w.put("db", "four")
    await w.pass_time(QUIET * 2)
    assert await deployment(w) == after


@pytest.mark.parametrize(("own", "rolls"), [([], True), ([{"key": OPTION, "value": "false"}], False)])
async def test_the_definitions_tag_counts_where_the_service_says_nothing(w: Keeping, own: Any, rolls: bool) -> None:
    arn = await w.secret("db", "one")
    await serve(w, arn, tags=own, of_definition=WANTED)
    before = await deployment(w)
    await w.put("db", "two")
    await w.pass_time(QUIET)
    assert (await deployment(w) != before) is rolls


async def test_a_deployment_that_is_made_meanwhile_is_enough(w: Keeping) -> None:
    arn = await w.secret("db", "one")
    await serve(w, arn)
    await w.put("db", "two")
    await w.ecs.update_service(service="web", forceNewDeployment=True)
    await w.settle()
    after = await deployment(w)
    await w.pass_time(QUIET * 2)
    assert await deployment(w) == after
    assert await said(w) == []


async def test_a_crash_before_the_deployment_loses_nothing_and_says_it_once(w: Keeping) -> None:
    arn = await w.secret("db", "one")
    await serve(w, arn)
    before = await deployment(w)
    await w.put("db", "two")
    await w.crash()
    await w.settle()
    assert await deployment(w) == before
    await w.pass_time(QUIET)
    assert await deployment(w) != before
    await w.crash()
    await w.pass_time(QUIET * 2)
    assert len(await said(w)) == 1


async def test_where_versions_cannot_be_read_it_is_said_and_the_next_change_counts(w: Keeping) -> None:
    arn = await w.secret("db", "one")
    await serve(w, arn, tags=[])
    before, found = await deployment(w), await service(w)
    await w.aws.secretsmanager.delete_secret(SecretId=arn)
    await w.ecs.tag_resource(resourceArn=found["serviceArn"], tags=WANTED)
    await w.settle()
    (told,) = await said(w)
    assert told.startswith("cannot tell whether what its tasks were started with has changed: ResourceInit")
    await w.aws.secretsmanager.restore_secret(SecretId=arn)
    await w.settle()
    assert await deployment(w) == before
    await w.put("db", "two")
    await w.pass_time(QUIET)
    assert await deployment(w) != before


async def test_a_refused_deployment_is_said_and_not_tried_for_ever(w: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = await w.secret("db", "one")
    await serve(w, arn)
    asked = 0

    async def refuse(req: Any, call: Any) -> Any:
        nonlocal asked
        asked += 1
        raise AwsError("not now", code="ClientException")

    bound = w.plane.operations.find_snake("ecs", "update_service")
    monkeypatch.setattr(type(w.plane.operations), "perform", _instead(w, bound, refuse))
    await w.put("db", "two")
    await w.pass_time(QUIET)
    await w.pass_time(60)
    assert asked == 1
    assert (await said(w))[0] == f"was unable to deploy anew after a change of {arn}: not now"


def _instead(w: Keeping, bound: Any, act: Any) -> Any:
    """`act` in the place of one operation."""
    perform = type(w.plane.operations).perform

    async def performed(self: Any, asked: Any, params: Any, call: Any) -> Any:
        return await act(params, call) if asked is bound else await perform(self, asked, params, call)

    return performed
