"""Stories from many seeds: whatever breaks, every promise holds after every commit, and in the end all is well."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hatoba.core.virtual import run
from hatoba.fleet import model as fleet
from tests.simulation.seeds import first
from tests.simulation.story import Story, tell
from tests.simulation.world import World

MODES = {
    "without the period": {"period": None, "hints": True},
    "without wake-ups": {"period": 5.0, "hints": False},
    "as it is": {"period": 60.0, "hints": True},
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", first(3, of=8))
def test_a_story_ends_well(tmp_path: Path, seed: int, mode: str) -> None:
    tell(tmp_path, seed, **MODES[mode])


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("block", range(5))
def test_many_stories_end_well(tmp_path: Path, block: int, mode: str) -> None:
    for seed in range(1000 + 20 * block, 1020 + 20 * block):
        tell(tmp_path / str(seed), seed, chapters=20, **MODES[mode])


@pytest.mark.parametrize("seed", first(1, of=3))
def test_the_same_seed_is_the_same_story(tmp_path: Path, seed: int) -> None:
    one, two = (tell(tmp_path / name, seed) for name in ("one", "two"))
    assert one.told == two.told
    assert one.world.watch.commits == two.world.watch.commits
    assert [node.starts for node in one.world.nodes] == [node.starts for node in two.world.nodes]


@pytest.mark.parametrize("seed", first(1, of=3))
def test_rolling_updates_fail_no_request(tmp_path: Path, seed: int) -> None:
    """Twenty requests a second through the balancer while three revisions roll out."""

    async def main() -> None:
        world = World(tmp_path, seed, period=None, hints=True)
        story = Story(world, breaks=False)
        await world.open()
        await story.set_the_scene()
        service = story.names[0]
        percents = {"minimumHealthyPercent": 100, "maximumPercent": 200}
        await world.aws.ecs.update_service(service=service, desiredCount=2, deploymentConfiguration=percents)
        await world.until(world.steady)
        (balancer,) = world.store.all(fleet.balancers)
        carrier = next(node for node in world.nodes if node.id == balancer.node)
        proxy = carrier.proxies[balancer.network]
        await world.until(lambda: proxy.route(balancer.id, 80) is not None)
        proxy.failed.clear()
        asked = 0

        async def ask() -> None:
            nonlocal asked
            while True:
                proxy.route(balancer.id, 80)
                asked += 1
                await asyncio.sleep(0.05)

        asking = asyncio.create_task(ask())
        for _ in range(3):
            await story.define()
            await world.aws.ecs.update_service(service=service, taskDefinition="web")
            await world.until(world.steady)
        asking.cancel()
        assert asked > 100
        assert proxy.failed == []
        await story.take_everything_down()
        await world.close()

    run(main())


def test_a_lost_node_is_replaced_and_gives_up_what_it_ran(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path, 5, period=None, hints=True)
        story = Story(world, behind_a_balancer=False)
        await world.open()
        await story.set_the_scene()
        await world.until(world.steady)
        lost = max(world.nodes, key=lambda node: len(node.host.containers))
        ran = set(lost.host.containers)
        assert ran
        story.distrust(lost.id)
        lost.link.cut = True
        await world.until(lambda: world.served() and not story.world_thinks_it_is_there(lost.id))
        assert ran <= set(lost.host.containers), "nobody can stop what cannot be reached"
        lost.link.cut = False
        await world.until(lambda: story.world_thinks_it_is_there(lost.id) and not lost.host.containers)
        assert not lost.holders()
        await story.take_everything_down()
        await world.close()

    run(main())


def test_with_every_process_killed_again_and_again_a_deployment_finishes(tmp_path: Path) -> None:
    """The control plane and every agent die in turn, half a second apart, while a revision rolls out."""

    async def main() -> None:
        world = World(tmp_path, 11, period=None, hints=True)
        story = Story(world)
        await world.open()
        await story.set_the_scene()
        await world.until(world.steady)
        await story.define()
        for name in story.names:
            percents = {"minimumHealthyPercent": 100, "maximumPercent": 200}
            await world.aws.ecs.update_service(
                service=name, taskDefinition="web", desiredCount=3, deploymentConfiguration=percents
            )
        for turn in range(50):
            if turn % 2:
                await world.crash()
            else:
                node = world.nodes[turn // 2 % len(world.nodes)]
                await node.kill()
                await node.start()
            await world.wait(0.5)
        await world.until(world.steady)
        await story.take_everything_down()
        await world.close()

    run(main())
