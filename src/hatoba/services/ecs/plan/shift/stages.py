"""From one stage to the next: pure, and only ever forward.

Each stage has a condition that must hold before the next one is entered; stages with nothing to wait for are passed at
once. On the way back there are three: production traffic returns, test traffic returns, and only then the green
revision goes. The last stage, CLEAN_UP, has no condition here: it ends when nothing is left of what is cleaned up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, get_args

from hatoba.core.records import replace
from hatoba.services.ecs.model.hook import Hook
from hatoba.services.ecs.model.shift import Shift, Stage, Strategy, Traffic
from hatoba.services.ecs.plan.shift import hooks, traffic
from hatoba.services.ecs.plan.shift.configuration import Course
from hatoba.services.ecs.plan.shift.counts import SETTLES
from hatoba.services.ecs.plan.shift.traffic import Scene

STAGES: tuple[Stage, ...] = get_args(Stage)
LONGEST_STAGE = 86400.0  # seconds that a stage may take which waits for tasks; bakes and hooks have their own times
_BACK: tuple[Stage, ...] = ("PRODUCTION_TRAFFIC_SHIFT", "TEST_TRAFFIC_SHIFT", "CLEAN_UP")


class Turn(NamedTuple):
    """The shift as it is to be. `begin`: the hooks of its stage are to begin; `failed`: why it has to be undone."""

    shift: Shift
    entered: tuple[Stage, ...] = ()
    begin: bool = False
    again_at: float | None = None
    failed: str = ""


class _Wait(NamedTuple):
    """What a stage still waits for: an event, unless it says until when."""

    until: float | None = None
    begin: bool = False
    failed: str = ""


def first(strategy: Strategy, blue: str, *, others: bool, now: float) -> Shift:
    """Where it begins. `others`: there is more to put in order than the blue revision."""
    return Shift(strategy=strategy, stage=STAGES[0] if others else STAGES[1], since=now, blue=blue)


def turn(shift: Shift, course: Course, scene: Scene, runs: Sequence[Hook], now: float) -> Turn:
    entered: list[Stage] = []
    while True:
        wait = _wait(shift, course, scene, runs, now)
        if wait is not None:
            return Turn(shift, tuple(entered), wait.begin, wait.until, wait.failed)
        shift = _next(shift, course, now)
        entered.append(shift.stage)


def back(shift: Shift, now: float) -> Shift:
    """It is undone from here on."""
    return replace(shift, back=True, stage=_BACK[0], since=now)


def _next(shift: Shift, course: Course, now: float) -> Shift:
    if shift.back:
        return replace(shift, stage=_BACK[_BACK.index(shift.stage) + 1], since=now)
    if shift.stage == "PRODUCTION_TRAFFIC_SHIFT" and shift.step + 1 < len(course.steps):
        return replace(shift, stage="PRE_PRODUCTION_TRAFFIC_SHIFT", step=shift.step + 1, since=now)
    return replace(shift, stage=STAGES[STAGES.index(shift.stage) + 1], since=now)


def _wait(shift: Shift, course: Course, scene: Scene, runs: Sequence[Hook], now: float) -> _Wait | None:
    """None: the next stage may be entered."""
    if shift.stage == "CLEAN_UP":
        return _Wait()
    if traffic.wanted(shift, course) != shift.traffic:
        return _late(shift, now)
    match hooks.outcome(shift, course.hooks, runs):
        case "none":
            return _Wait(begin=True)
        case "waiting":
            return _Wait()
        case "failed":
            return _Wait(failed=hooks.reason(shift, runs))
    ends = _ends(shift, course)
    if now < ends:
        return _Wait(until=ends)
    if shift.stage == "RECONCILE_SERVICE" and scene.remains:
        return _Wait()
    if shift.stage == "SCALE_UP" and scene.green < scene.desired:
        return _late(shift, now)
    return None


def _late(shift: Shift, now: float) -> _Wait:
    if shift.back or now < shift.since + LONGEST_STAGE:
        return _Wait(until=None if shift.back else shift.since + LONGEST_STAGE)
    return _Wait(failed=f"the lifecycle stage {shift.stage} took longer than 24 hours.")


def _ends(shift: Shift, course: Course) -> float:
    """When the stage is over at the earliest."""
    if shift.stage == "BAKE_TIME":
        return max(shift.since + course.bake, shift.shifted_at + (SETTLES if shift.blue else 0.0))
    if shift.stage == "PRODUCTION_TRAFFIC_SHIFT" and not shift.back and shift.step + 1 < len(course.steps):
        return shift.shifted_at + course.step_bake
    if shift.stage == "RECONCILE_SERVICE" or (shift.back and shift.stage == "TEST_TRAFFIC_SHIFT"):
        return shift.shifted_at + SETTLES
    return shift.since


def shown(shift: Shift) -> Stage:
    """As the model tells it, which has no name for the hooks before a shift of production traffic."""
    if shift.stage != "PRE_PRODUCTION_TRAFFIC_SHIFT":
        return shift.stage
    return "PRODUCTION_TRAFFIC_SHIFT" if shift.step else "POST_TEST_TRAFFIC_SHIFT"


def applied(shift: Shift, given: Traffic, now: float) -> Shift:
    """The rules were set."""
    return replace(shift, applied=tuple(given), shifted_at=now)
