"""A task writes its log where its execution role may: the stream is made under it, before the task starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatoba.fleet.model import workloads
from tests.unit.services.ecs.world import ROLE, SCOPE, World, container, definition, world

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


def logged(group: str = "/web", **options: str) -> dict[str, Any]:
    said = {"awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}
    return {"logDriver": "awslogs", "options": {**said, **{name.replace("_", "-"): v for name, v in options.items()}}}


async def run(w: World, *containers: dict[str, Any]) -> str:
    """A task's id, once all that is to happen has."""
    own = definition(executionRoleArn=ROLE, containerDefinitions=list(containers))
    await w.ecs.register_task_definition(**own)
    run = {"taskDefinition": own["family"], "launchType": "FARGATE", "networkConfiguration": NETWORK}
    (task,) = (await w.ecs.run_task(**run))["tasks"]
    await w.settle()
    id_: str = task["taskArn"].rpartition("/")[2]
    return id_


async def test_the_streams_are_made_under_the_execution_role(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        beside = container(name="beside", logConfiguration=logged("/far", awslogs_region="eu-west-1"), portMappings=[])
        task = await run(
            w, container(name="app", logConfiguration=logged()), beside, container(name="mute", portMappings=[])
        )
        assert sorted(w.logs.made) == [
            (ROLE, "eu-west-1", f"/far ecs/beside/{task}"),
            (ROLE, "us-east-1", f"/web ecs/app/{task}"),
        ]
        assert w.store.find(workloads, SCOPE, task) is not None


async def test_a_role_that_may_not_write_there_keeps_the_task_from_starting(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.logs.closed.add("/web")
        task = await run(w, container(name="app", logConfiguration=logged()))
        assert w.store.find(workloads, SCOPE, task) is None
        (told,) = (await w.ecs.describe_tasks(tasks=[task]))["tasks"]
        assert (told["lastStatus"], told["stopCode"]) == ("STOPPED", "TaskFailedToStart")
        assert told["stoppedReason"] == (
            "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
            "failed to create Cloudwatch log stream: operation error CloudWatch Logs: CreateLogStream, https response "
            "error StatusCode: 400, api error AccessDeniedException: no logs for you : exit status 1"
        )


async def test_a_missing_group_is_made_if_the_driver_is_told_so_and_the_role_may(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.logs.missing |= {"/new", "/unmade", "/closed"}
        w.logs.closed.add("/closed")
        task = await run(w, container(name="app", logConfiguration=logged("/new", awslogs_create_group="true")))
        assert w.logs.made == [(ROLE, "us-east-1", "/new"), (ROLE, "us-east-1", f"/new ecs/app/{task}")]
        refused = await run(w, container(name="app", logConfiguration=logged("/closed", awslogs_create_group="true")))
        assert w.store.find(workloads, SCOPE, refused) is None
        told = await run(w, container(name="app", logConfiguration=logged("/unmade")))
        assert w.store.find(workloads, SCOPE, told) is not None, "the node says what the driver has against it"


async def test_a_stream_that_is_there_already_is_the_tasks_own(tmp_path: Path) -> None:
    """Whoever has died between making it and handing the task over makes it again."""
    async with world(tmp_path) as w:
        w.logs.there = True
        task = await run(w, container(name="app", logConfiguration=logged()))
        assert w.store.find(workloads, SCOPE, task) is not None
