"""Task sets while things break: each keeps its promises alone, and a service changes hands without a task noticing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.errors import AwsError
from hatoba.core.virtual import run
from hatoba.services.ecs.model.task_set import TaskSet, task_sets
from tests.simulation.story import Story
from tests.simulation.world import World


class SetStory(Story):
    """`s0` has an external controller from the beginning, `s1` is handed over and taken back."""

    async def set_the_scene(self) -> None:
        aws = self.world.aws
        found = (await aws.ec2.describe_subnets())["Subnets"]
        self.subnets = sorted(subnet["SubnetId"] for subnet in found)
        await self.balance(found[0]["VpcId"])
        await self.define()
        self.names += ["s0", "s1"]
        await aws.ecs.create_service(serviceName="s0", desiredCount=3, deploymentController={"type": "EXTERNAL"})
        await aws.ecs.create_service(
            serviceName="s1",
            taskDefinition="web",
            desiredCount=2,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": self.subnets}},
        )
        await self.another_set()

    def deeds(self) -> list[Any]:
        left_out = (self.change_percents, self.run_a_task, self.roll)
        kept = [deed for deed in super().deeds() if deed not in left_out]
        own = [
            self.another_set,
            self.another_set,
            self.rescale,
            self.rescale,
            self.choose,
            self.delete,
            self.change_hands,
        ]
        return [*kept, *own]

    def a_set(self) -> TaskSet | None:
        found = sorted(self.world.store.all(task_sets), key=lambda one: one.id)
        return self.random.choice(found) if found else None

    async def another_set(self) -> None:
        await self.define()
        balancers = [{"targetGroupArn": self.group, "containerName": "web", "containerPort": 8080}]
        await self.asked(
            self.world.aws.ecs.create_task_set,
            cluster="default",
            service=self.random.choice(self.names),
            taskDefinition="web",
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": self.subnets}},
            loadBalancers=balancers if self.random.random() < 0.5 else [],
            scale={"value": self.random.choice([0.0, 30.0, 50.0, 100.0]), "unit": "PERCENT"},
        )

    async def rescale(self) -> None:
        scale = {"value": self.random.choice([0.0, 10.0, 66.6, 100.0]), "unit": "PERCENT"}
        await self.of_a_set(self.world.aws.ecs.update_task_set, "taskSet", scale=scale)

    async def choose(self) -> None:
        await self.of_a_set(self.world.aws.ecs.update_service_primary_task_set, "primaryTaskSet")

    async def delete(self) -> None:
        await self.of_a_set(self.world.aws.ecs.delete_task_set, "taskSet", force=self.random.random() < 0.5)

    async def change_hands(self) -> None:
        kind = self.random.choice(["ECS", "EXTERNAL"])
        await self.asked(self.world.aws.ecs.update_service, service="s1", deploymentController={"type": kind})

    async def of_a_set(self, operation: Callable[..., Any], member: str, **members: Any) -> None:
        if (one := self.a_set()) is not None:
            name = one.service.partition("/")[2]
            await self.asked(operation, cluster="default", service=name, **{member: one.name}, **members)

    async def asked(self, operation: Callable[..., Any], **members: Any) -> None:
        """It may be too late for it, or not be possible."""
        try:
            await operation(**members)
        except AwsError as error:
            if error.status >= 500:
                raise

    async def calm_down(self) -> None:
        return


def tell(folder: Path, seed: int, *, chapters: int = 14, period: float | None = None) -> SetStory:
    story = SetStory(World(folder, seed, period=period, hints=True))
    try:
        run(story.play(chapters))
    except BaseException as error:
        error.add_note(f"seed {seed}: {', '.join(story.told)}")
        raise
    return story


@pytest.mark.parametrize("seed", range(6))
def test_a_story_ends_well(tmp_path: Path, seed: int) -> None:
    tell(tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(2))
def test_many_stories_end_well(tmp_path: Path, block: int) -> None:
    for seed in range(3000 + 20 * block, 3020 + 20 * block):
        tell(tmp_path / str(seed), seed, chapters=20)
