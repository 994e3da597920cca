"""Who is given how much: what a stage wants, whether those may have it, and the rules that carry it.

- a revision is given more only when enough of its tasks are healthy: the green one `minimumHealthyPercent` of what is
  desired; the blue one that, or no fewer than the one that it is taken from (going back must not wait for better
  times);
- what a rule forwards is shared between the two target groups, and always adds up to the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hatoba.services.ecs.model.shift import Shift, Stage, Traffic
from hatoba.services.ecs.model.task import Shifting, Target
from hatoba.services.ecs.plan.shift.configuration import Course

NOBODY = Traffic(0.0, 0.0)
ALL = Traffic(100.0, 100.0)
_TESTED: tuple[Stage, ...] = ("TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT")


class Scene(NamedTuple):
    """What the revisions are like now."""

    desired: int
    least: int  # healthy tasks that minimumHealthyPercent asks for
    blue: int  # healthy ones
    green: int
    others: int  # healthy ones of still other revisions
    remains: int  # tasks of other revisions of which something may run


class Weighing(NamedTuple):
    """A listener rule and what it is to forward to whom."""

    rule: str
    shares: tuple[tuple[str, int], ...]  # (target group ARN, weight)
    role: str = ""  # under which it is set


def wanted(shift: Shift, course: Course) -> Traffic:
    """What the stage asks for, in percent of the green revision."""
    if not shift.blue:
        return ALL
    if shift.back:
        test = shift.traffic.test if shift.traffic is not None else 0.0
        return Traffic(0.0, test) if shift.stage == "PRODUCTION_TRAFFIC_SHIFT" else NOBODY
    match shift.stage:
        case "RECONCILE_SERVICE" | "PRE_SCALE_UP" | "SCALE_UP" | "POST_SCALE_UP":
            return NOBODY
        case "PRE_PRODUCTION_TRAFFIC_SHIFT":
            return Traffic(course.steps[shift.step - 1] if shift.step else 0.0, 100.0)
        case "PRODUCTION_TRAFFIC_SHIFT":
            return Traffic(course.steps[shift.step], 100.0)
    return Traffic(0.0, 100.0) if shift.stage in _TESTED else ALL


def due(shift: Shift, course: Course, scene: Scene) -> Traffic | None:
    """What the rules are to be set to now; None: they are as they should be, or the receiver is not ready for more."""
    want = wanted(shift, course)
    if want == shift.traffic:
        return None
    have = shift.traffic or (want if not shift.blue else ALL)
    forward = want.production > have.production or want.test > have.test
    backward = want.production < have.production or want.test < have.test
    if forward and not _ready(scene):
        return None
    return None if backward and not _can_return(scene) else want


def _enough(scene: Scene) -> int:
    return max(scene.least, min(scene.desired, 1))


def _ready(scene: Scene) -> bool:
    return scene.green >= _enough(scene)


def _can_return(scene: Scene) -> bool:
    return scene.blue >= _enough(scene) or scene.blue >= scene.green + scene.others


def shares(blue: str, green: str, percent: float) -> tuple[tuple[str, int], ...]:
    """The weights of two target groups; a weight is at most 999, so tenths are used only where they are needed."""
    tenths = round(percent * 10)
    weight, whole = (tenths // 10, 100) if tenths % 10 == 0 else (tenths, 1000)
    return ((blue, whole - weight), (green, weight))


def weighings(before: Sequence[Target], green: Sequence[Target], traffic: Traffic) -> tuple[Weighing, ...]:
    """Every rule of the green revision's load balancers. `before`: where the blue one's tasks are, in the same order;
    both name the target groups that their tasks really are in."""
    found: dict[str, Weighing] = {}
    for number, target in enumerate(green):
        rules = target.shifting
        if rules is None:
            continue
        other = _counterpart(before[number] if number < len(before) else None, target, rules)
        for rule, percent in ((rules.production, traffic.production), (rules.test, traffic.test)):
            if rule:
                found[rule] = Weighing(rule, shares(other, target.group, percent), rules.role)
    return tuple(found.values())


def _counterpart(blue: Target | None, green: Target, rules: Shifting) -> str:
    """The target group that shares a rule with the green one's: where the blue tasks are, if the rule leads there."""
    elsewhere = blue is not None and blue.shifting is not None and blue.shifting.production != rules.production
    if blue is None or elsewhere or blue.group == green.group:
        return rules.other(green.group)
    return blue.group


def free_groups(targets: Sequence[Target], before: Sequence[str], *, shifting: bool) -> tuple[str, ...]:
    """The target groups that a new deployment's tasks join. `before`: those of the revision that serves. A deployment
    that shifts traffic takes the free one of each pair; any other one stays where the traffic is."""
    found = []
    for target in targets:
        rules = target.shifting
        serving = next((group for group in before if rules is not None and group in rules.groups), None)
        if rules is None or serving is None:
            found.append(target.group)
        else:
            found.append(rules.other(serving) if shifting else serving)
    return tuple(found)
