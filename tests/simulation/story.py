"""A story: services are created, changed, scaled and rolled while things break; in the end all is well, and then gone.

Everything that happens is drawn from the seed.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from hatoba.core.errors import AwsError
from hatoba.core.virtual import run
from hatoba.fleet import model as fleet
from hatoba.runtime.failures import Failure
from hatoba.services.ecs.model.task import tasks
from tests.simulation.node import SimulatedNode
from tests.simulation.world import World

PERCENTS = ((100, 200), (50, 100), (50, 150), (0, 100), (100, 150))


class Story:
    def __init__(self, world: World, *, behind_a_balancer: bool = True, breaks: bool = True) -> None:
        self.world = world
        self.random = world.random
        self.behind = behind_a_balancer
        self.breaks = breaks
        self.names: list[str] = []
        self.group = ""
        self.revision = 0
        self.told: list[str] = []

    async def play(self, chapters: int) -> None:
        world = self.world
        await world.open()
        await self.set_the_scene()
        for _ in range(chapters):
            deed = self.random.choice(self.deeds())
            self.told.append(deed.__name__)
            await deed()
            await world.wait(self.random.choice([0.3, 1.0, 4.0, 15.0]))
        for node in world.nodes:
            node.link.cut = False
        await self.calm_down()
        await world.until(world.steady)
        await self.take_everything_down()
        await world.close()

    async def calm_down(self) -> None:
        """Nothing is left in the way of what is wanted."""
        for name in self.names:  # some percentages leave a single task no room to be replaced
            room = {"minimumHealthyPercent": 100, "maximumPercent": 200}
            await self.world.aws.ecs.update_service(service=name, deploymentConfiguration=room)

    def deeds(self) -> list[Any]:
        quiet = [self.scale, self.roll, self.roll, self.change_percents, self.run_a_task, self.stop_a_task]
        noisy = [
            self.a_container_dies,
            self.the_control_plane_crashes,
            self.an_agent_crashes,
            self.a_connection_breaks,
            self.a_node_is_cut_off,
            self.the_runtime_is_away,
        ]
        return quiet + noisy if self.breaks else quiet

    # --- what users do

    async def set_the_scene(self) -> None:
        aws = self.world.aws
        found = await aws.ec2.describe_subnets()
        self.subnets = sorted(subnet["SubnetId"] for subnet in found["Subnets"])
        if self.behind:
            await self.balance(found["Subnets"][0]["VpcId"])
        await self.define()
        for number in range(2):
            self.names.append(f"s{number}")
            minimum, maximum = self.random.choice(PERCENTS)
            await self.world.aws.ecs.create_service(
                serviceName=self.names[-1],
                taskDefinition="web",
                desiredCount=self.random.randint(1, 4),
                launchType="FARGATE",
                networkConfiguration={"awsvpcConfiguration": {"subnets": self.subnets}},
                deploymentConfiguration={"minimumHealthyPercent": minimum, "maximumPercent": maximum},
                **(
                    {"loadBalancers": [{"targetGroupArn": self.group, "containerName": "web", "containerPort": 8080}]}
                    if self.behind and number == 0
                    else {}
                ),
            )

    async def balance(self, vpc: str) -> None:
        """A load balancer with one target group, and a listener whose default rule forwards to it."""
        aws = self.world.aws
        await aws.ecs.create_cluster()
        made = await aws.elbv2.create_load_balancer(Name="front", Subnets=self.subnets)
        self.balancer = made["LoadBalancers"][0]["LoadBalancerArn"]
        self.group = await self.target_group("web", vpc)
        made = await aws.elbv2.create_listener(
            LoadBalancerArn=self.balancer,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.group}],
        )
        self.listener = made["Listeners"][0]["ListenerArn"]

    async def target_group(self, name: str, vpc: str) -> str:
        aws = self.world.aws
        groups = await aws.elbv2.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=8080,
            VpcId=vpc,
            TargetType="ip",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
            HealthyThresholdCount=2,
        )
        arn: str = groups["TargetGroups"][0]["TargetGroupArn"]
        await aws.elbv2.modify_target_group_attributes(
            TargetGroupArn=arn, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "2"}]
        )
        return arn

    async def define(self) -> None:
        if not self.revision and not self.behind:
            await self.world.aws.ecs.create_cluster()
        self.revision += 1
        await self.world.aws.ecs.register_task_definition(
            family="web",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[
                {
                    "name": "web",
                    "image": f"localhost:4566/web:{self.revision}",
                    "portMappings": [{"containerPort": 8080}],
                    "environment": [{"name": "IMAGE", "value": f"web:{self.revision}"}],
                    "command": ["serve"],
                }
            ],
        )

    async def update(self, **members: Any) -> None:
        try:
            await self.world.aws.ecs.update_service(service=self.random.choice(self.names), **members)
        except AwsError as error:
            if error.status >= 500:
                raise

    async def scale(self) -> None:
        await self.update(desiredCount=self.random.randint(0, 5))

    async def roll(self) -> None:
        await self.define()
        await self.update(taskDefinition="web")

    async def change_percents(self) -> None:
        minimum, maximum = self.random.choice(PERCENTS)
        await self.update(deploymentConfiguration={"minimumHealthyPercent": minimum, "maximumPercent": maximum})

    async def run_a_task(self) -> None:
        await self.world.aws.ecs.run_task(
            taskDefinition="web",
            launchType="FARGATE",
            count=self.random.randint(1, 2),
            networkConfiguration={"awsvpcConfiguration": {"subnets": self.subnets}},
        )

    async def stop_a_task(self) -> None:
        alive = sorted(task.id for task in self.world.store.all(tasks) if task.desired == "RUNNING")
        if alive:
            await self.world.aws.ecs.stop_task(task=self.random.choice(alive))

    # --- what breaks

    async def a_container_dies(self) -> None:
        self.end_one(self.random.choice(self.world.nodes))

    def end_one(self, node: SimulatedNode) -> None:
        running = sorted(id_ for id_, c in node.host.containers.items() if c.state == "running")
        if running:
            node.host.end(self.random.choice(running), self.random.choice([0, 1, 137]))

    async def the_control_plane_crashes(self) -> None:
        await self.world.crash(self.random.choice([0.0, 0.5, 5.0]))

    async def an_agent_crashes(self) -> None:
        node = self.random.choice(self.world.nodes)
        if node.up:
            await node.kill()
            await asyncio.sleep(self.random.choice([0.0, 0.1, 3.0, 30.0]))
            if self.random.random() < 0.5:
                self.end_one(node)  # while nobody looks
            if not self.world_thinks_it_is_there(node.id):
                self.distrust(node.id)
            await node.start()

    async def a_connection_breaks(self) -> None:
        self.random.choice(self.world.nodes).link.drop()

    async def a_node_is_cut_off(self) -> None:
        """For longer than its lease: its tasks are replaced, and when it returns it gives up what it ran."""
        node = self.random.choice(self.world.nodes)
        self.distrust(node.id)
        node.link.cut = True
        await self.world.wait(self.random.choice([3.0, 30.0]))
        node.link.cut = False
        node.link.drop()

    async def the_runtime_is_away(self) -> None:
        node = self.random.choice(self.world.nodes)
        operation = self.random.choice(["pull", "create", "start", "signal", "delete", "set_group"])
        node.host.fail(operation, Failure.UNAVAILABLE, times=self.random.randint(1, 3))

    def world_thinks_it_is_there(self, node: str) -> bool:
        record = self.world.store.find(fleet.nodes, fleet.FLEET, node)
        return record is not None and record.state == "ready"

    def distrust(self, node: str) -> None:
        """It may hold addresses that were given away meanwhile."""
        self.world.watch.trusted -= {node}

    # --- the end

    async def take_everything_down(self) -> None:
        world = self.world
        for name in self.names:
            await world.aws.ecs.delete_service(service=name, force=True)
        for task in world.store.all(tasks):
            if task.desired == "RUNNING" and task.service is None:
                await world.aws.ecs.stop_task(task=task.id)
        await world.until(lambda: all(task.status == "STOPPED" for task in world.store.all(tasks)))
        if self.behind:
            await world.aws.elbv2.delete_load_balancer(LoadBalancerArn=self.balancer)
        try:
            await world.until(lambda: not world.leftovers())
        except TimeoutError:
            raise AssertionError(f"left behind: {world.leftovers()}") from None


def tell(
    folder: Path,
    seed: int,
    *,
    chapters: int = 12,
    period: float | None = None,
    hints: bool = True,
    **options: Any,
) -> Story:
    """Plays one story to its end."""
    world = World(folder, seed, period=period, hints=hints)
    story = Story(world, **options)
    try:
        run(story.play(chapters))
    except BaseException as error:
        error.add_note(f"seed {seed}: {', '.join(story.told)}")
        raise
    return story
