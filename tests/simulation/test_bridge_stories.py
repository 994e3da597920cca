"""Stories of tasks on the nodes' bridges: a port is one task's, and is given back whatever breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from hatoba.core.virtual import run
from hatoba.services.ecs.model.task import tasks
from tests.simulation.story import PERCENTS, Story
from tests.simulation.world import World


class BridgeStory(Story):
    """Two services of two linked containers each; one has a port of its own on every node, both have any port."""

    def __init__(self, world: World) -> None:
        super().__init__(world, behind_a_balancer=False)

    async def set_the_scene(self) -> None:
        await self.define()
        for number, family in enumerate(("web", "fixed")):
            self.names.append(f"s{number}")
            minimum, maximum = self.random.choice(PERCENTS)
            await self.world.aws.ecs.create_service(
                serviceName=self.names[-1],
                taskDefinition=family,
                desiredCount=self.random.randint(1, 2),
                launchType="EC2",
                availabilityZoneRebalancing="DISABLED",
                deploymentConfiguration={"minimumHealthyPercent": minimum, "maximumPercent": maximum},
            )

    async def define(self) -> None:
        if not self.revision:
            await self.world.aws.ecs.create_cluster()
        self.revision += 1
        for family, host in (("web", 0), ("fixed", 8080)):
            await self.world.aws.ecs.register_task_definition(
                family=family,
                networkMode="bridge",
                pidMode="task",
                ipcMode="task",
                containerDefinitions=[
                    {
                        "name": name,
                        "image": f"localhost:4566/web:{self.revision}",
                        "memory": 64,
                        "portMappings": [{"containerPort": 80, "hostPort": host}] if name == "web" else [],
                        "links": ["db:database"] if name == "web" else [],
                        "command": ["serve"],
                    }
                    for name in ("web", "db")
                ],
            )

    async def scale(self) -> None:
        await self.update(desiredCount=self.random.randint(0, 2))

    async def roll(self) -> None:
        await self.define()
        for name, family in zip(self.names, ("web", "fixed"), strict=True):
            await self.world.aws.ecs.update_service(service=name, taskDefinition=family)

    async def calm_down(self) -> None:
        """A service with a port of its own on each node has to stop its old task before the new one starts."""
        for name in self.names:
            room = {"minimumHealthyPercent": 0, "maximumPercent": 100}
            await self.world.aws.ecs.update_service(service=name, deploymentConfiguration=room)

    async def run_a_task(self) -> None:
        await self.world.aws.ecs.run_task(taskDefinition=self.random.choice(["web", "fixed"]), launchType="EC2")


@pytest.mark.parametrize("seed", range(6))
def test_a_story_on_the_bridge_ends_well(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path, seed, period=60.0, hints=True)
    story = BridgeStory(world)
    try:
        run(story.play(12))
    except BaseException as error:
        error.add_note(f"seed {seed}: {', '.join(story.told)}")
        raise
    ran = [task for task in world.store.all(tasks) if task.started_at is not None and task.containers[0].bindings]
    assert ran, "something was published"
