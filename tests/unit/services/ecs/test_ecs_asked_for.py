"""What is told only when it is asked for, and in pages: every describe and list of the model that is implemented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import botocore.session
import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.gateway.room import snake
from hatoba.services.ecs.api import ecs as room
from tests.unit.services.ecs.test_ecs_services import create
from tests.unit.services.ecs.test_ecs_task_sets import external, task_set
from tests.unit.services.ecs.world import World, definition, world

MODEL = botocore.session.get_session().get_service_model("ecs")
TAGS = [{"key": "team", "value": "web"}]


def implemented(member: str) -> set[str]:
    """Describes and lists that have the member in their request."""
    names = [name for name in MODEL.operation_names if name.startswith(("Describe", "List"))]
    having = {name for name in names if member in MODEL.operation_model(name).input_shape.members}
    return {name for name in having if snake(name) in room.handlers}


async def several(w: World) -> None:
    """Three of everything that can be listed."""
    for name in "abc":
        await w.ecs.create_cluster(clusterName=name, tags=TAGS, serviceConnectDefaults={"namespace": "internal"})
        await w.ecs.register_task_definition(**definition(name))
        for _ in range(2):
            await w.ecs.register_task_definition(**definition("many"))
    for name in ("web", "web2", "web3"):
        await create(w, serviceName=name, desiredCount=1, tags=TAGS, propagateTags="SERVICE")
    for _ in range(2):
        await w.ecs.update_service(service="web", forceNewDeployment=True)
        await w.settle()
    for number in (2, 3):
        w.add_node(f"node-{number}")
    for name in ("x", "y", "z"):
        attribute = {"name": name, "value": "1", "targetType": "container-instance", "targetId": "node-1"}
        await w.ecs.put_attributes(attributes=[attribute])


PAGES: dict[str, dict[str, Any]] = {
    "ListAccountSettings": {"effectiveSettings": True},
    "ListAttributes": {"targetType": "container-instance"},
    "ListClusters": {},
    "ListContainerInstances": {},
    "ListServiceDeployments": {"service": "web"},
    "ListServices": {},
    "ListServicesByNamespace": {"namespace": "internal"},
    "ListTaskDefinitionFamilies": {},
    "ListTaskDefinitions": {},
    "ListTasks": {},
    "DescribeCapacityProviders": {},
}


def test_every_operation_with_pages_is_tried() -> None:
    assert set(PAGES) == implemented("maxResults") == implemented("nextToken")


def rows(operation: str, answer: Any) -> list[Any]:
    output = MODEL.operation_model(operation).output_shape
    (member,) = [n for n, shape in output.members.items() if shape.type_name == "list" and n != "failures"]
    return list(answer[member])


@pytest.mark.parametrize("operation", sorted(PAGES))
async def test_pages_together_are_the_whole(tmp_path: Path, operation: str) -> None:
    async with world(tmp_path) as w:
        await several(w)
        ask = getattr(w.ecs, snake(operation))
        whole = rows(operation, await ask(**PAGES[operation], maxResults=10))
        token, found, sizes = None, [], []
        for _ in range(len(whole) + 2):
            more = {"nextToken": token} if token else {}
            answer = await ask(**PAGES[operation], maxResults=2, **more)
            found += (page := rows(operation, answer))
            sizes.append(len(page))
            if (token := answer.get("nextToken")) is None:
                break
        assert found[: len(whole)] == whole
        assert all(size == 2 for size in sizes[:-1])
        if operation != "ListServicesByNamespace":
            assert len(found) >= 2, "there is something to page"
        for wrong in ({"maxResults": 0}, {"maxResults": 101}, {"nextToken": "no token"}):
            with pytest.raises(t.InvalidParameterException):
                await ask(**PAGES[operation], **wrong)


async def test_a_token_is_good_for_its_own_question_only(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await several(w)
        token = (await w.ecs.list_services(maxResults=1))["nextToken"]
        with pytest.raises(t.InvalidParameterException):
            await w.ecs.list_services(maxResults=1, launchType="EC2", nextToken=token)
        with pytest.raises(t.InvalidParameterException):
            await w.ecs.list_clusters(maxResults=1, nextToken=token)


ASKED: dict[str, tuple[dict[str, Any], str]] = {
    "DescribeCapacityProviders": ({"capacityProviders": ["FARGATE"]}, "capacityProviders"),
    "DescribeClusters": ({"clusters": ["a"]}, "clusters"),
    "DescribeContainerInstances": ({"containerInstances": ["node-1"]}, "containerInstances"),
    "DescribeServices": ({"services": ["web"]}, "services"),
    "DescribeTaskDefinition": ({"taskDefinition": "a"}, ""),
    "DescribeTasks": ({}, "tasks"),
    "DescribeTaskSets": ({"cluster": "default", "service": "web"}, "taskSets"),
}
SHOWS = {
    "TAGS": "tags",
    "SETTINGS": "settings",
    "STATISTICS": "statistics",
    "ATTACHMENTS": "attachments",
    "CONFIGURATIONS": "configuration",
    "CONTAINER_INSTANCE_HEALTH": "healthStatus",
}


def test_every_operation_with_include_is_tried() -> None:
    assert set(ASKED) == implemented("include")
    for operation in ASKED:
        wanted = MODEL.operation_model(operation).input_shape.members["include"].member.enum
        assert set(wanted) <= set(SHOWS)


@pytest.mark.parametrize("operation", sorted(ASKED))
async def test_what_is_included_is_what_was_asked_for(tmp_path: Path, operation: str) -> None:
    async with world(tmp_path) as w:
        if operation == "DescribeTaskSets":
            await external(w, 0)
            await task_set(w, tags=TAGS)
        else:
            await several(w)
            await tagged(w)
        fields, member = ASKED[operation]
        if operation == "DescribeTasks":
            fields = {"tasks": (await w.ecs.list_tasks())["taskArns"][:1]}
        ask = getattr(w.ecs, snake(operation))
        plain = of(await ask(**fields), member)
        for value in MODEL.operation_model(operation).input_shape.members["include"].member.enum:
            shown = SHOWS[value]
            answer = of(await ask(**fields, include=[value]), member)
            assert not plain.get(shown), f"{shown} is told without being asked for"
            if (operation, value) not in NOTHING_TO_SHOW:
                assert answer.get(shown), f"{value} brings {shown}"
            else:
                assert shown in answer or shown == "configuration"
            others = {k: v for k, v in answer.items() if k != shown}
            assert others == {k: v for k, v in plain.items() if k != shown}


NOTHING_TO_SHOW = {
    ("DescribeClusters", "ATTACHMENTS"),  # of Auto Scaling plans
    ("DescribeClusters", "CONFIGURATIONS"),
    ("DescribeCapacityProviders", "TAGS"),  # AWS's own cannot have any
}


async def tagged(w: World) -> None:
    prefix = (await w.ecs.list_clusters())["clusterArns"][0].rpartition(":")[0]
    for resource in ("container-instance/default/node-1", "task-definition/a:1"):
        await w.ecs.tag_resource(resourceArn=f"{prefix}:{resource}", tags=TAGS)


def of(answer: Any, member: str) -> dict[str, Any]:
    """What was described; a task definition's tags stand beside it."""
    return dict(answer[member][0] if member else answer)
