"""Whom the checker asks, when, and what it tells. Virtual time: the loop's own, which jumps to the next timer."""

from __future__ import annotations

import asyncio
import selectors
from collections import Counter
from collections.abc import Coroutine
from typing import Any

from hatoba.core.clock import LoopClock
from hatoba.proxy.base import HealthCheck, HealthFact, Target, TargetGroup, TargetKey
from hatoba.proxy.checker import Checker
from hatoba.proxy.health import HEALTHY, Answered, Failed, Result

CHECK = HealthCheck(interval=10.0, healthy_threshold=2, unhealthy_threshold=2)


class _Instant(selectors.DefaultSelector):
    """Does not wait: moves the loop's clock instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


def virtually(work: Coroutine[Any, Any, None]) -> None:
    selector = _Instant()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now  # type: ignore[method-assign]
    try:
        loop.run_until_complete(work)
    finally:
        loop.close()


class World:
    """Targets by address: a status, or None for a refused connection."""

    def __init__(self) -> None:
        self.answers: dict[str, int | None] = {}
        self.takes = 0.0
        self.asked: Counter[str] = Counter()
        self.at_once = 0
        self.most_at_once = 0
        self.sources: set[str | None] = set()
        self.facts: list[HealthFact] = []
        self.checker = Checker(ask=self.ask, clock=LoopClock(), on_health=self.facts.append)

    async def ask(self, address: str, port: int, settings: HealthCheck, *, source: str | None) -> Result:
        self.asked[address] += 1
        self.sources.add(source)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.takes)
        finally:
            self.at_once -= 1
        code = self.answers.get(address)
        return Failed(why="refused") if code is None else Answered(code=code)

    def wants(self, *targets: Target, check: HealthCheck = CHECK, restored: Any = None) -> None:
        group = TargetGroup(id="g", targets=targets, health_check=check)
        self.checker.set_groups({"g": (group, lambda _: "10.0.0.1")}, restored)

    def told(self, target: str) -> list[str]:
        return [fact.health.state for fact in self.facts if fact.target == target]


def at(id_: str, **changes: Any) -> Target:
    return Target(**{"id": id_, "address": id_, "port": 80, **changes})


def test_a_healthy_target_is_asked_once_in_its_interval() -> None:
    async def story() -> None:
        world = World()
        world.answers["a"] = 200
        world.takes = 1.0  # the interval runs from question to question
        world.wants(at("a"))
        await asyncio.sleep(99.5)
        assert world.asked["a"] == 10
        assert world.told("a") == ["initial", "healthy"]
        assert world.sources == {"10.0.0.1"}
        await world.checker.close()

    virtually(story())


def test_a_removed_target_is_not_asked_again_and_nothing_is_told_of_it() -> None:
    async def story() -> None:
        world = World()
        world.takes = 1.0
        world.wants(at("a"))
        await asyncio.sleep(0.5)  # a question is under way
        world.wants()
        await asyncio.sleep(100)
        assert world.asked["a"] == 1
        assert world.told("a") == ["initial"]
        assert world.checker.health() == {}

    virtually(story())


def test_restored_targets_go_on_where_they_were_and_are_spread_over_their_interval() -> None:
    async def story() -> None:
        world = World()
        names = [f"t{n}" for n in range(100)]
        world.answers = dict.fromkeys(names, 200)
        world.wants(*(at(name) for name in names), restored={TargetKey("g", name): HEALTHY for name in names})
        assert {health.state for health in world.checker.health().values()} == {"healthy"}
        await asyncio.sleep(CHECK.interval / 2)
        assert 30 < len(world.asked) < 70
        await asyncio.sleep(CHECK.interval / 2)
        assert len(world.asked) == 100
        assert set(world.told("t0")) == {"healthy"}
        await world.checker.close()

    virtually(story())


def test_a_restored_target_that_died_meanwhile_is_found_out() -> None:
    async def story() -> None:
        world = World()
        world.wants(at("a"), restored={TargetKey("g", "a"): HEALTHY})
        await asyncio.sleep(2 * CHECK.interval)
        assert world.told("a") == ["healthy", "unhealthy"]
        await world.checker.close()

    virtually(story())


def test_a_target_that_moves_is_asked_anew() -> None:
    async def story() -> None:
        world = World()
        world.answers["a"] = 200
        world.wants(at("a"))
        await asyncio.sleep(1)
        world.wants(at("a", port=81))
        await asyncio.sleep(1)
        assert world.told("a") == ["initial", "healthy", "initial", "healthy"]
        await world.checker.close()

    virtually(story())


def test_a_changed_weight_disturbs_no_rhythm() -> None:
    async def story() -> None:
        world = World()
        world.answers["a"] = 200
        for weight in range(1, 50):
            world.wants(at("a", weight=weight))
            await asyncio.sleep(1)
        assert world.asked["a"] == 5
        await world.checker.close()

    virtually(story())


def test_draining_targets_are_left_in_peace() -> None:
    async def story() -> None:
        world = World()
        world.answers["a"] = 200
        world.wants(at("a"))
        await asyncio.sleep(1)
        world.wants(at("a", state="draining"))
        await asyncio.sleep(100)
        assert world.asked["a"] == 1
        assert world.told("a") == ["initial", "healthy", "draining"]
        await world.checker.close()

    virtually(story())


def test_only_so_many_are_asked_at_once() -> None:
    async def story() -> None:
        world = World()
        world.takes = 5.0
        world.wants(*(at(f"t{n}") for n in range(2000)))
        await asyncio.sleep(60)
        assert world.most_at_once == 256
        assert len(world.asked) == 2000
        await world.checker.close()

    virtually(story())
