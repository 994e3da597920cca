"""Plays a scenario: each step is done, and looked at once everything has settled, or its time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hatoba.app.simulate.report import Machine, Outcome, Result, Waiting
from hatoba.app.simulate.scenario import Scenario, Step
from hatoba.app.simulate.world import World
from hatoba.core.errors import AwsError, Refused
from hatoba.fleet.model import nodes
from hatoba.gateway.room import snake

LOOK = 0.5  # virtual seconds between two looks

Tell = Callable[[Outcome], None]


async def play(scenario: Scenario, cpu: Callable[[], float], tell: Tell) -> Result:
    """`cpu`: seconds of CPU that this process has used; `tell` hears of each step when it is over.

    Raises `Refused` when a call of the scenario is refused.
    """
    world = World(scenario)
    try:
        outcomes = []
        for step in scenario.steps:
            outcomes.append(await _one(world, scenario, step, cpu))
            tell(outcomes[-1])
        return Result(steps=tuple(outcomes), machines=tuple(_machines(world)))
    finally:
        await world.close()


async def _one(world: World, scenario: Scenario, step: Step, cpu: Callable[[], float]) -> Outcome:
    began, used = world.clock.now(), cpu()
    started, ended = world.fleet.started, world.fleet.ended
    await _do(world, step)
    if step.within is None:
        settled = await _wait(world, scenario.patience)
    else:
        await asyncio.sleep(step.within)
        settled = world.settled
    return Outcome(
        title=step.title,
        seconds=world.clock.now() - began,
        cpu=cpu() - used,
        started=world.fleet.started - started,
        ended=world.fleet.ended - ended,
        settled=settled,
        given_up=not settled and step.within is None,
        running=world.running,
        wanted=sum(service.desired for service in world.services),
        waiting=tuple(
            Waiting(service=service.name, why=service.blocked) for service in world.services if service.blocked
        ),
        failed=tuple(
            Waiting(service=service.name, why=service.primary.reason)
            for service in world.services
            if service.primary.rollout == "FAILED"
        ),
    )


async def _do(world: World, step: Step) -> None:
    if step.lose:
        world.fleet.lose(step.lose)
    if step.back:
        world.fleet.back(step.back)
    if step.join is not None:
        world.fleet.join(step.join)
    if not step.call:
        return
    assert isinstance(step.params, dict)
    for number in range(1, step.times + 1):
        try:
            answer = await getattr(world.ecs, snake(step.call))(**_numbered(step.params, number))
        except AwsError as error:
            raise Refused(f"{step.title}: {error.code}: {error.message}") from None
        for failure in answer.get("failures") or ():
            raise Refused(f"{step.title}: {failure.get('reason')}: {failure.get('detail', failure.get('arn', ''))}")


def _numbered(value: Any, number: int) -> Any:
    """With the call's number in the place of each `{n}`."""
    if isinstance(value, str):
        return value.replace("{n}", str(number))
    if isinstance(value, dict):
        return {key: _numbered(each, number) for key, each in value.items()}
    return [_numbered(each, number) for each in value] if isinstance(value, list) else value


async def _wait(world: World, patience: float) -> bool:
    """Whether everything settled in time."""
    end = world.clock.now() + patience
    while world.clock.now() < end:
        await asyncio.sleep(LOOK)
        if world.settled:
            return True
    return False


def _machines(world: World) -> list[Machine]:
    found = []
    for node in world.store.all(nodes):
        use = world.usage.on(node.id)
        found.append(
            Machine(
                name=node.name,
                alive=node.state == "ready",
                tasks=use.running,
                cpu=use.cpu / node.cpu if node.cpu else 0.0,
                memory=use.memory / node.memory if node.memory else 0.0,
            )
        )
    return found
