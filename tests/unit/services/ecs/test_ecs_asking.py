"""RunTask, ListTasks and DescribeTasks: filters, paging, tags, tokens and refusals."""

from pathlib import Path
from typing import Any

import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.core.errors import AwsError
from hatoba.services.ecs.model.task import tasks
from tests.unit.services.ecs.test_ecs_tasks import described, run
from tests.unit.services.ecs.world import NETWORK, container, definition, world


async def test_a_client_token_starts_once(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.register_task_definition(**definition())
        first, second = [await run(w, clientToken="once") for _ in range(2)]
        assert first == second
        with pytest.raises(t.ConflictException):
            await run(w, clientToken="once", count=2)


async def test_no_room_is_said_with_its_reason(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        small = [container(cpu=1024, memory=512)]
        await w.ecs.register_task_definition(family="big", networkMode="awsvpc", containerDefinitions=small)
        answer = await w.ecs.run_task(taskDefinition="big", launchType="EC2", count=3, networkConfiguration=NETWORK)
        assert len(answer["tasks"]) == 2
        (failure,) = answer["failures"]
        assert failure == {
            "arn": "arn:aws:ecs:us-east-1:123456789012:container-instance/default/node-1",
            "reason": "RESOURCE:CPU",
            "detail": "no capacity: 1 node lacks CPU (need 1024 units): node-1",
        }


async def test_lists_with_every_filter_and_paging(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        for family in ("web", "api"):
            await w.ecs.register_task_definition(**definition(family))
        web = [await run(w, startedBy="me") for _ in range(5)]
        api = [await run(w, taskDefinition="api") for _ in range(3)]
        await w.settle()

        async def listed(**filters: Any) -> set[str]:
            return set((await w.ecs.list_tasks(**filters))["taskArns"])

        assert await listed() == {*web, *api}
        assert await listed(family="api") == set(api)
        assert await listed(startedBy="me") == set(web)
        assert await listed(launchType="EC2") == set()
        assert await listed(launchType="FARGATE", family="web") == set(web)
        assert await listed(containerInstance="node-1") == set()
        await w.ecs.stop_task(task=api[0])
        await w.settle()
        assert await listed(desiredStatus="STOPPED") == {api[0]}
        assert await listed(family="api") == set(api[1:])

        pages, token = [], None
        while True:
            answer = await w.ecs.list_tasks(maxResults=3, **({"nextToken": token} if token else {}))
            pages.append(answer["taskArns"])
            token = answer.get("nextToken")
            if token is None:
                break
        assert [len(page) for page in pages] == [3, 3, 1]
        assert {arn for page in pages for arn in page} == {*web, *api[1:]}
        with pytest.raises(t.InvalidParameterException):
            await w.ecs.list_tasks(nextToken="made-up")
        with pytest.raises(t.ClusterNotFoundException):
            await w.ecs.list_tasks(cluster="nowhere")
        with pytest.raises(t.ServiceNotFoundException):
            await w.ecs.list_tasks(serviceName="none")


async def test_describing_what_is_not_there(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        answer = await w.ecs.describe_tasks(tasks=["0" * 32])
        arn = f"arn:aws:ecs:us-east-1:123456789012:task/default/{'0' * 32}"
        assert answer == {"tasks": [], "failures": [{"arn": arn, "reason": "MISSING"}]}
        with pytest.raises(t.InvalidParameterException, match="Tasks cannot be empty"):
            await w.ecs.describe_tasks(tasks=[])
        with pytest.raises(t.InvalidParameterException, match="The referenced task was not found"):
            await w.ecs.stop_task(task="0" * 32)
        for empty in ("None", ""):  # what a script has that took the first of no tasks
            with pytest.raises(t.InvalidParameterException, match=r"taskId length should be one of \[32,36\]$"):
                await w.ecs.describe_tasks(tasks=[empty])
            with pytest.raises(t.InvalidParameterException, match="taskId length should be one of"):
                await w.ecs.stop_task(task=empty)


GPU = {"name": "web", "resourceRequirements": [{"type": "GPU", "value": "x"}]}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"count": 11}, "Count must be between 1 and 10"),
        ({"networkConfiguration": {}}, "Network Configuration must be provided when networkMode 'awsvpc' is specified"),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["nowhere"]}}},
            r"Error retrieving subnet information for \[nowhere\]",
        ),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"], "securityGroups": ["sg-far"]}}},
            "does not appear to belong to the same VPC",
        ),
        ({"taskDefinition": "none"}, "TaskDefinition not found"),
        ({"overrides": {"containerOverrides": [{"name": "x"}]}}, "Override for container named x is not a container"),
        ({"overrides": {"cpu": "512", "memory": "512"}}, "No Fargate configuration exists for given values"),
        ({"overrides": {"ephemeralStorage": {"sizeInGiB": 20}}}, "EphemeralStorage size should be at least 21"),
        ({"overrides": {"containerOverrides": [GPU]}}, "The GPU resource requirement 'x' must be a whole number"),
        ({"overrides": {"inferenceAcceleratorOverrides": [{}]}}, "Amazon Elastic Inference is no longer available"),
        (
            {"overrides": {"containerOverrides": [{"name": "web", "command": ["x" * 8140]}]}},
            "Container Overrides length must be at most 8192",
        ),
        ({"clientToken": "x" * 65}, "Invalid clientToken. Up to 64 ASCII characters"),
        ({"clientToken": "two words"}, "Invalid clientToken. Up to 64 ASCII characters"),
        ({"group": "service:web"}, "Invalid namespace for group"),
        ({"cluster": "none"}, "Cluster not found"),
        ({"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}, "Specifying both a launch type and"),
    ],
)
async def test_what_run_task_refuses(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    async with world(tmp_path) as w:
        await w.ecs.register_task_definition(**definition())
        with pytest.raises(AwsError, match=message):
            await run(w, **fields)
        assert w.store.all(tasks) == []


async def test_tags_of_tasks(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.register_task_definition(**definition(), tags=[{"key": "team", "value": "blue"}])
        arn = await run(
            w, tags=[{"key": "a", "value": "b"}], propagateTags="TASK_DEFINITION", enableECSManagedTags=True
        )
        expected = {"team": "blue", "a": "b", "aws:ecs:clusterName": "default"}
        (task,) = (await w.ecs.describe_tasks(tasks=[arn], include=["TAGS"]))["tasks"]
        assert {tag["key"]: tag["value"] for tag in task["tags"]} == expected
        assert (await described(w, arn))["tags"] == []
        await w.ecs.untag_resource(resourceArn=arn, tagKeys=["a"])
        await w.ecs.tag_resource(resourceArn=arn, tags=[{"key": "c", "value": "d"}])
        found = (await w.ecs.list_tags_for_resource(resourceArn=arn))["tags"]
        assert {tag["key"] for tag in found} == {"team", "c", "aws:ecs:clusterName"}
        with pytest.raises(t.ResourceNotFoundException):
            await w.ecs.tag_resource(resourceArn=arn[:-1] + "x", tags=[])
