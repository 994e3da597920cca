"""What a node asks about its tasks, answered as the room's own operation would answer a user."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from hatoba.app.questions import answer
from hatoba.core.errors import AwsError
from hatoba.fleet import model as fleet
from hatoba.node.metadata.tags import Told
from tests.unit.services.ecs.world import NETWORK, SCOPE, World, definition, world


async def workload(w: World, launch_type: str) -> fleet.Workload:
    await w.ecs.create_cluster()
    await w.ecs.register_task_definition(**definition(requiresCompatibilities=["FARGATE", "EC2"]))
    tags = [{"key": "team", "value": "blue"}]
    await w.ecs.run_task(taskDefinition="web", launchType=launch_type, networkConfiguration=NETWORK, tags=tags)
    await w.settle()
    (found,) = w.store.all(fleet.workloads)
    assert found.scope == SCOPE
    return found


async def told(w: World, of: fleet.Workload) -> Told:
    return msgspec.json.decode(await answer(w.plane, of, "tags"), type=Told)


async def test_a_tasks_tags_are_those_of_now(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        of = await workload(w, "FARGATE")
        assert await told(w, of) == Told(task={"team": "blue"})
        await w.ecs.tag_resource(resourceArn=of.metadata["TaskARN"], tags=[{"key": "tier", "value": "1"}])
        assert (await told(w, of)).task == {"team": "blue", "tier": "1"}


async def test_an_instances_task_is_told_its_instances_tags_too(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        of = await workload(w, "EC2")
        instance = of.metadata["ContainerInstanceARN"]
        await w.ecs.tag_resource(resourceArn=instance, tags=[{"key": "rack", "value": "7"}])
        assert await told(w, of) == Told(task={"team": "blue"}, instance={"rack": "7"})


async def test_what_nobody_knows_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        of = await workload(w, "FARGATE")
        with pytest.raises(AwsError, match="weather"):
            await answer(w.plane, of, "the weather")
