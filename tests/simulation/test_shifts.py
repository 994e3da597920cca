"""Deployments that shift traffic, while things break: we lose no request of our own making, and it all ends well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.errors import AwsError
from hatoba.core.virtual import run
from hatoba.fleet import model as fleet
from hatoba.services.ecs.model.hook import hooks
from hatoba.services.ecs.model.shift import Shift
from hatoba.services.ecs.plan.rollout import shifting
from hatoba.services.ecs.plan.shift import counts, stages, traffic
from hatoba.services.ecs.plan.shift.counts import Counts
from tests.simulation.seeds import first
from tests.simulation.story import Story
from tests.simulation.watch import Broken
from tests.simulation.world import World

CONFIGURATIONS: tuple[dict[str, Any], ...] = (
    {"strategy": "BLUE_GREEN"},
    {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 30.0, "stepBakeTimeInMinutes": 0}},
    {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 50.0, "stepBakeTimeInMinutes": 1}},
    {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 1}},
)
PAUSES = ("PRE_SCALE_UP", "POST_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT")


class ShiftStory(Story):
    """One service behind two target groups. Production traffic is the listener's default rule."""

    async def set_the_scene(self) -> None:
        aws = self.world.aws
        found = (await aws.ec2.describe_subnets())["Subnets"]
        self.subnets = sorted(subnet["SubnetId"] for subnet in found)
        await self.balance(found[0]["VpcId"])
        other = await self.target_group("other", found[0]["VpcId"])
        rules = (await aws.elbv2.describe_rules(ListenerArn=self.listener))["Rules"]
        await self.define()
        self.names.append("s0")
        advanced = {"alternateTargetGroupArn": other, "productionListenerRule": rules[0]["RuleArn"]}
        await aws.ecs.create_service(
            serviceName="s0",
            taskDefinition="web",
            desiredCount=3,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": self.subnets}},
            deploymentConfiguration={**CONFIGURATIONS[0], "bakeTimeInMinutes": 0},
            loadBalancers=[
                {
                    "targetGroupArn": self.group,
                    "containerName": "web",
                    "containerPort": 8080,
                    "advancedConfiguration": advanced,
                }
            ],
        )
        await self.world.until(self.world.steady)

    def deeds(self) -> list[Any]:
        kept = [deed for deed in super().deeds() if deed != self.roll]
        return [*kept, self.shift, self.shift, self.shift, self.decide, self.decide, self.stop_it]

    async def shift(self, *, pauses: bool = True, configuration: dict[str, Any] | None = None) -> None:
        await self.define()
        stages = [stage for stage in PAUSES if pauses and self.random.random() < 0.3]
        pause = [{"targetType": "PAUSE", "lifecycleStages": stages}] if stages else []
        wanted = configuration or self.random.choice(CONFIGURATIONS)
        await self.update(
            taskDefinition="web", deploymentConfiguration={**wanted, "bakeTimeInMinutes": 0, "lifecycleHooks": pause}
        )

    async def decide(self) -> None:
        """Somebody answers what waits."""
        for hook in [hook for hook in self.world.store.all(hooks) if hook.status == "AWAITING_ACTION"]:
            arn = (await self.newest())["serviceDeploymentArn"]
            action = self.random.choice(["CONTINUE", "CONTINUE", "ROLLBACK"])
            await self.asked(
                self.world.aws.ecs.continue_service_deployment,
                serviceDeploymentArn=arn,
                hookId=hook.hook,
                action=action,
            )

    async def stop_it(self) -> None:
        arn = (await self.newest())["serviceDeploymentArn"]
        kind = self.random.choice(["ROLLBACK", "ROLLBACK", "ABORT"])
        await self.asked(self.world.aws.ecs.stop_service_deployment, serviceDeploymentArn=arn, stopType=kind)

    async def asked(self, operation: Callable[..., Any], **members: Any) -> None:
        """It may be too late for it."""
        try:
            await operation(**members)
        except AwsError as error:
            if error.status >= 500:
                raise

    async def newest(self) -> Any:
        return (await self.world.aws.ecs.list_service_deployments(service="s0"))["serviceDeployments"][0]

    async def calm_down(self) -> None:
        await super().calm_down()
        await self.shift(pauses=False)


def tell(folder: Path, seed: int, *, chapters: int = 12, period: float | None = None) -> ShiftStory:
    story = ShiftStory(World(folder, seed, period=period, hints=True))
    try:
        run(story.play(chapters))
    except BaseException as error:
        error.add_note(f"seed {seed}: {', '.join(story.told)}")
        raise
    return story


@pytest.mark.parametrize("seed", first(3, of=8))
def test_a_story_ends_well(tmp_path: Path, seed: int) -> None:
    tell(tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(4))
def test_many_stories_end_well(tmp_path: Path, block: int) -> None:
    for seed in range(2000 + 20 * block, 2020 + 20 * block):
        tell(tmp_path / str(seed), seed, chapters=20)


async def ask_on(world: World, *, crashes: bool = False) -> list[Any]:
    """Twenty requests a second while each strategy goes forward and back; those that failed. With `crashes` the
    control plane dies every other second."""
    story = ShiftStory(world, breaks=False)
    await world.open()
    await story.set_the_scene()
    (balancer,) = world.store.all(fleet.balancers)
    carrier = next(node for node in world.nodes if node.id == balancer.node)
    proxy = carrier.proxies[balancer.network]
    await world.until(lambda: proxy.route(balancer.id, 80) is not None)
    proxy.failed.clear()

    async def ask() -> None:
        while True:
            proxy.route(balancer.id, 80)
            await asyncio.sleep(0.05)

    async def crash() -> None:
        for _ in range(30):
            await world.wait(2.0)
            await world.crash()

    asking = asyncio.create_task(ask())
    for configuration in CONFIGURATIONS:
        await story.shift(pauses=False, configuration=configuration)
        if crashes:
            await crash()
        await world.until(world.steady)
        await story.shift(pauses=False, configuration=configuration)
        await world.wait(story.random.uniform(1.0, 12.0))
        arn = (await story.newest())["serviceDeploymentArn"]
        await story.asked(world.aws.ecs.stop_service_deployment, serviceDeploymentArn=arn)
        await world.until(world.steady)
    asking.cancel()
    failed = list(proxy.failed)
    await story.take_everything_down()
    await world.close()
    return failed


@pytest.mark.parametrize("seed", first(1, of=3))
def test_shifts_fail_no_request(tmp_path: Path, seed: int) -> None:
    assert run(ask_on(World(tmp_path, seed, period=None, hints=True))) == []


@pytest.mark.slow
def test_a_control_plane_that_dies_again_and_again_fails_no_request_either(tmp_path: Path) -> None:
    assert run(ask_on(World(tmp_path, 5, period=None, hints=True), crashes=True)) == []


Mutate = Callable[[pytest.MonkeyPatch], None]


def the_old_goes_before_its_traffic(patch: pytest.MonkeyPatch) -> None:
    def hasty(shift: Shift, desired: int, now: float) -> Counts:
        found = counts.counts(shift, desired, now)
        return found if shift.back or shift.stage != "PRODUCTION_TRAFFIC_SHIFT" else found._replace(blue=0)

    patch.setattr(shifting, "counts", hasty)


def the_new_goes_before_its_traffic(patch: pytest.MonkeyPatch) -> None:
    """On the way back."""

    def hasty(shift: Shift, desired: int, now: float) -> Counts:
        found = counts.counts(shift, desired, now)
        return found._replace(green=0) if shift.back else found

    patch.setattr(shifting, "counts", hasty)


def traffic_goes_to_whoever_is_there(patch: pytest.MonkeyPatch) -> None:
    """As soon as the new tasks are asked for, and whether they serve or not."""
    patch.setattr(traffic, "_ready", lambda scene: True)
    ends = stages._late
    patch.setattr(stages, "_late", lambda shift, now: None if shift.stage == "SCALE_UP" else ends(shift, now))


@pytest.mark.slow
@pytest.mark.parametrize(
    "mutate",
    [the_old_goes_before_its_traffic, the_new_goes_before_its_traffic, traffic_goes_to_whoever_is_there],
    ids=lambda mutate: mutate.__name__,
)
def test_a_bug_made_on_purpose_is_found(tmp_path: Path, mutate: Mutate, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)
    for seed in range(3):
        try:
            if run(ask_on(World(tmp_path / str(seed), seed, period=None, hints=True))):
                return
        except (Broken, AssertionError, TimeoutError):
            return
    pytest.fail(f"{mutate.__name__} went unnoticed")
