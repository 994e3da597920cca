"""Tags: which a task is born with, whoever starts it; who may change them, and how many there may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatoba.gateway.tags import tags_of
from hatoba.services.ecs.model.task import tasks
from tests.unit.services.ecs.test_ecs_services import create, described
from tests.unit.services.ecs.test_ecs_task_sets import external, refused, task_set
from tests.unit.services.ecs.world import NETWORK, SCOPE, World, definition, world

MANAGED = {"aws:ecs:clusterName": "default", "aws:ecs:serviceName": "web"}
OF_SERVICE = [{"key": "team", "value": "shop"}]


def born_with(w: World) -> list[dict[str, str]]:
    """The tags of every task, in the order in which they were started."""
    return [tags_of(w.store, SCOPE, t.arn) for t in sorted(w.store.all(tasks), key=lambda t: t.created_at)]


async def tagged(w: World, **fields: Any) -> None:
    """A service with tags, of a definition with others."""
    await w.ecs.register_task_definition(**definition(tags=[{"key": "tier", "value": "front"}]))
    wanted = {"serviceName": "web", "taskDefinition": "web", "desiredCount": 1, "launchType": "FARGATE"}
    await w.ecs.create_service(**wanted, networkConfiguration=NETWORK, tags=OF_SERVICE, **fields)
    await w.settle()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"propagateTags": "NONE"}, {}),
        ({"propagateTags": "SERVICE"}, {"team": "shop"}),
        ({"propagateTags": "TASK_DEFINITION"}, {"tier": "front"}),
        ({"enableECSManagedTags": True}, MANAGED),
        ({"propagateTags": "SERVICE", "enableECSManagedTags": True}, {"team": "shop", **MANAGED}),
    ],
)
async def test_a_services_tasks_are_born_with_what_it_says(
    tmp_path: Path, fields: dict[str, Any], expected: dict[str, str]
) -> None:
    async with world(tmp_path) as w:
        await tagged(w, **fields)
        assert born_with(w) == [expected]
        (shown,) = (await w.ecs.describe_tasks(tasks=(await w.ecs.list_tasks())["taskArns"], include=["TAGS"]))["tasks"]
        assert {tag["key"]: tag["value"] for tag in shown["tags"]} == expected


async def test_a_change_is_for_tasks_that_start_afterwards(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await tagged(w)
        await w.ecs.update_service(service="web", propagateTags="SERVICE", enableECSManagedTags=True)
        arn = (await described(w))["serviceArn"]
        await w.ecs.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "cart"}])
        assert born_with(w) == [{}]
        w.clock.advance(1)
        await w.ecs.update_service(service="web", desiredCount=2)
        await w.settle()
        assert born_with(w) == [{}, {"team": "cart", **MANAGED}]


async def test_tasks_of_a_task_set_are_the_services_tasks(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 1, propagateTags="SERVICE", enableECSManagedTags=True, tags=OF_SERVICE)
        await task_set(w, tags=[{"key": "set", "value": "blue"}])
        assert born_with(w) == [{"team": "shop", **MANAGED}]


async def test_a_one_off_has_its_own_its_definitions_and_the_clusters(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.register_task_definition(**definition(tags=[{"key": "tier", "value": "front"}]))
        run = {"taskDefinition": "web", "launchType": "FARGATE", "networkConfiguration": NETWORK}
        own = [{"key": "job", "value": "1"}, {"key": "tier", "value": "own"}]
        await w.ecs.run_task(**run, tags=own, propagateTags="TASK_DEFINITION", enableECSManagedTags=True)
        assert born_with(w) == [{"tier": "own", "job": "1", "aws:ecs:clusterName": "default"}]
        asked = w.ecs.run_task(**run, propagateTags="SERVICE")
        await refused("InvalidParameterException", "propagated from a service", asked)


async def test_managed_tags_are_nobody_elses_and_do_not_count(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, desiredCount=1, enableECSManagedTags=True)
        (arn,) = (await w.ecs.list_tasks())["taskArns"]
        for operation, fields in (
            ("untag_resource", {"tagKeys": ["aws:ecs:serviceName"]}),
            ("tag_resource", {"tags": [{"key": "aws:ecs:serviceName", "value": "other"}]}),
        ):
            asked = getattr(w.ecs, operation)(resourceArn=arn, **fields)
            await refused("InvalidParameterException", "reserved for system use", asked)
        fifty = [{"key": f"key-{number}", "value": ""} for number in range(50)]
        await w.ecs.tag_resource(resourceArn=arn, tags=fifty)
        asked = w.ecs.tag_resource(resourceArn=arn, tags=[{"key": "one more", "value": ""}])
        await refused("LimitExceededException", "50", asked)
        found = {tag["key"] for tag in (await w.ecs.list_tags_for_resource(resourceArn=arn))["tags"]}
        assert found == {*MANAGED, *(tag["key"] for tag in fifty)}


async def test_tags_go_with_what_they_were_put_on(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 0)
        made = await task_set(w, tags=OF_SERVICE)
        await w.ecs.delete_task_set(cluster="default", service="web", taskSet=made["id"])
        await w.settle()
        assert tags_of(w.store, SCOPE, made["taskSetArn"]) == {}
        asked = w.ecs.list_tags_for_resource(resourceArn=made["taskSetArn"])
        await refused("InvalidParameterException", "not found", asked)
