"""The stages of a shift, alone: properties over every course, every state of the tasks, every moment to turn back."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hatoba.core.records import replace
from hatoba.services.ecs.model.shift import Shift, Traffic
from hatoba.services.ecs.model.task import Shifting, Target
from hatoba.services.ecs.plan.shift import stages, traffic
from hatoba.services.ecs.plan.shift.configuration import Course, checked, course
from hatoba.services.ecs.plan.shift.counts import SETTLES, counts
from hatoba.services.ecs.plan.shift.traffic import Scene, free_groups, shares, weighings

NOW = 1000.0


@st.composite
def courses(draw: st.DrawFn) -> Course:
    strategy = draw(st.sampled_from(["BLUE_GREEN", "LINEAR", "CANARY"]))
    given: dict[str, Any] = {"strategy": strategy, "bakeTimeInMinutes": draw(st.integers(0, 3))}
    if strategy == "LINEAR":
        percent = draw(st.integers(30, 1000)) / 10
        given["linearConfiguration"] = {"stepPercent": percent, "stepBakeTimeInMinutes": draw(st.integers(0, 2))}
    if strategy == "CANARY":
        percent = draw(st.integers(1, 1000)) / 10
        given["canaryConfiguration"] = {"canaryPercent": percent, "canaryBakeTimeInMinutes": draw(st.integers(0, 2))}
    return course(checked({}, given, daemon=False, minimum=100), first=False)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    desired = draw(st.integers(0, 6))
    least = draw(st.integers(0, desired))
    counted = st.integers(0, desired + 1)
    others = draw(st.sampled_from([0, 0, 0, 1, 3]))
    return Scene(desired, least, draw(counted), draw(counted), others, others + draw(st.integers(0, 1)))


def begun(others: bool) -> Shift:
    return stages.first("BLUE_GREEN", "1", others=others, now=NOW)


def step(shift: Shift, course: Course, scene: Scene, now: float) -> tuple[Shift, Traffic | None]:
    """One activation: what is stored is acted upon, then the stages go on as far as they can."""
    due = traffic.due(shift, course, scene)
    if due is not None:
        shift = stages.applied(shift, due, now)
    return stages.turn(shift, course, scene, (), now).shift, due


@given(st.integers(0, 1000), st.booleans())
def test_weights_add_up_to_the_whole_and_say_what_was_meant(tenths: int, swapped: bool) -> None:
    names = ("b", "a") if swapped else ("a", "b")
    (_, blue), (_, green) = shares(*names, tenths / 10)
    assert 0 <= min(blue, green) <= max(blue, green) <= 999
    assert green * 1000 == tenths * (blue + green)


@given(courses())
def test_steps_rise_to_all_of_it(found: Course) -> None:
    assert found.steps[-1] == 100.0
    assert list(found.steps) == sorted(set(found.steps))
    rises = [b - a for a, b in zip((0.0, *found.steps), found.steps, strict=False)]
    assert len(found.steps) <= 34
    assert all(abs(rise - rises[0]) < 1e-6 for rise in rises[:-1]) or len(found.steps) <= 2


@given(courses(), st.lists(scenes(), min_size=1, max_size=60), st.booleans(), st.integers(0, 60))
@settings(max_examples=300, deadline=None)
def test_traffic_goes_to_those_that_can_take_it_and_stages_never_go_back(
    course: Course, found: list[Scene], others: bool, turns_back: int
) -> None:
    """Whatever becomes of the tasks, and whenever it is told to go back."""
    shift, now = begun(others), NOW
    for number, scene in enumerate(found):
        if number == turns_back and not shift.back:
            shift = stages.back(shift, now)
        before = shift
        shift, due = step(shift, course, scene, now)
        if due is not None:
            had = before.traffic or Traffic(100.0, 100.0)
            enough = max(scene.least, min(scene.desired, 1))
            if due.production > had.production or due.test > had.test:
                assert scene.green >= enough
            if due.production < had.production or due.test < had.test:
                assert scene.blue >= enough or scene.blue >= scene.green + scene.others
            assert all(0.0 <= percent <= 100.0 for percent in due)
            assert not before.back or due.production == 0.0
        if not before.back:
            place = stages.STAGES.index(shift.stage)
            again = shift.step > before.step and shift.stage == "PRE_PRODUCTION_TRAFFIC_SHIFT"
            assert place >= stages.STAGES.index(before.stage) or again or shift.step > before.step
        left = counts(shift, scene.desired, now)
        have = shift.traffic
        if left.blue < scene.desired:
            assert have == Traffic(100.0, 100.0), "the old revision only goes when it has nothing left"
            assert now >= shift.shifted_at + SETTLES
        if have is not None and have != Traffic(0.0, 0.0):
            assert left.green == scene.desired, "nobody scales in what has traffic"
        now += 45.0


@given(courses(), st.integers(0, 8), st.booleans(), st.integers(0, 200))
@settings(max_examples=300, deadline=None)
def test_it_ends_with_all_traffic_on_one_side(course: Course, desired: int, others: bool, turns_back: int) -> None:
    """In a healthy world: on the new one; or on the old one, when it was told to go back in time."""
    shift, now = begun(others), NOW
    remains = 2 if others else 0
    for number in range(400):
        if number == turns_back and shift.stage != "CLEAN_UP":
            shift = stages.back(shift, now)
        left = counts(shift, desired, now)
        remains = remains if left.others is None else 0
        scene = Scene(desired, desired, left.blue, left.green, remains, remains)
        after, due = step(shift, course, scene, now)
        if after.stage == "CLEAN_UP" and after == shift and due is None:
            break
        shift = after
        now += 10.0
    assert shift.stage == "CLEAN_UP"
    assert shift.traffic == (Traffic(0.0, 0.0) if shift.back else Traffic(100.0, 100.0))
    left = counts(shift, desired, now)
    assert (left.blue, left.green) == ((desired, 0) if shift.back else (0, desired))
    assert step(shift, course, Scene(desired, desired, left.blue, left.green, 0, 0), now) == (shift, None)


@given(courses(), st.integers(0, 8))
@settings(max_examples=100, deadline=None)
def test_what_waits_says_until_when_or_for_an_event(course: Course, desired: int) -> None:
    """No polling: with nothing to do and no deadline, only a task, a hook or the traffic can change anything."""
    shift, now = begun(False), NOW
    scene = Scene(desired, desired, desired, desired, 0, 0)
    for _ in range(200):
        turned = stages.turn(shift, course, scene, (), now)
        if turned.shift.stage == "CLEAN_UP":
            return
        due = traffic.due(turned.shift, course, scene)
        shift = turned.shift if due is None else stages.applied(turned.shift, due, now)
        if due is None:
            assert turned.again_at is not None
            assert turned.again_at > now
            now = turned.again_at
    raise AssertionError(shift)


def test_a_stage_that_never_ends_is_given_up_after_a_day() -> None:
    shift = replace(begun(False), stage="SCALE_UP", applied=(0.0, 0.0))
    scene = Scene(2, 2, 2, 1, 0, 0)
    one = course({"strategy": "BLUE_GREEN"}, first=False)
    assert stages.turn(shift, one, scene, (), NOW + 86399).failed == ""
    assert stages.turn(shift, one, scene, (), NOW + 86399).again_at == NOW + 86400
    assert "longer than 24 hours" in stages.turn(shift, one, scene, (), NOW + 86400).failed


def target(group: str, alternate: str = "", rule: str = "rule", test: str = "") -> Target:
    rules = Shifting(groups=(group, alternate), production=rule, test=test) if alternate else None
    return Target(group=group, container="web", port=80, shifting=rules)


def test_the_groups_change_roles_with_each_shift_and_stay_with_a_rolling_update() -> None:
    pair = (target("a", "b"),)
    assert free_groups(pair, (), shifting=True) == ("a",)
    assert free_groups(pair, ("a",), shifting=True) == ("b",)
    assert free_groups(pair, ("b",), shifting=True) == ("a",)
    assert free_groups(pair, ("b",), shifting=False) == ("b",)
    assert free_groups((target("a"),), ("b",), shifting=True) == ("a",)
    assert free_groups((target("a", "b"), target("c", "d")), ("b", "c"), shifting=True) == ("a", "d")


def test_every_rule_of_every_load_balancer_is_weighed() -> None:
    before = (target("a"), target("c"))
    green = (replace(target("a", "b", "r1", "t1"), group="b"), replace(target("c", "d", "r2"), group="d"))
    found = weighings(before, green, Traffic(25.0, 100.0))
    assert [(one.rule, one.shares) for one in found] == [
        ("r1", (("a", 75), ("b", 25))),
        ("t1", (("a", 0), ("b", 100))),
        ("r2", (("c", 75), ("d", 25))),
    ]
    moved = weighings((target("x", "y", "old"),), (target("a", "b", "new"),), Traffic(0.0, 0.0))
    assert [one.shares for one in moved] == [(("b", 100), ("a", 0))], "the old rule leads where it did"
    first = weighings((), (target("a", "b"),), Traffic(100.0, 100.0))
    assert [one.shares for one in first] == [(("b", 0), ("a", 100))]
