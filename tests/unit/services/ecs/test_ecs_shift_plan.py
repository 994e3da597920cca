"""The planner of a service whose traffic is being shifted: whatever it finds, at whatever stage."""

from __future__ import annotations

from collections import Counter
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from hatoba.core.records import replace
from hatoba.services.ecs.model.service import Percents, Service
from hatoba.services.ecs.model.service_deployment import ServiceDeployment, deployments
from hatoba.services.ecs.model.shift import Shift, Stage
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.plan.rollout import Known, Plan, arith, plan
from hatoba.services.ecs.plan.rollout.seen import see
from hatoba.services.ecs.plan.shift import stages, traffic
from hatoba.services.ecs.plan.shift.configuration import course
from tests.unit.services.ecs.test_ecs_rollout import KINDS, NOW, apply, service, task, world_goes_on
from tests.unit.services.ecs.world import SCOPE

BLUE, GREEN = "ecs-svc/1", "ecs-svc/2"
CONFIGURATION = {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 50.0, "stepBakeTimeInMinutes": 1}}
COURSE = course(CONFIGURATION, first=False)
Places = dict[tuple[str, str, int], str]


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Service, list[Task], Places, ServiceDeployment]:
    """A blue and a green revision with tasks of every kind, at any stage; some are on the way back."""
    percents = Percents(minimum=draw(st.sampled_from([0, 50, 100])), maximum=draw(st.sampled_from([150, 200])))
    one = service(draw(st.integers(0, 5)), percents, balanced=True)
    one = replace(one, completed=one.deployments[1].revision, completed_as=BLUE)
    stage: Stage = draw(st.sampled_from(get_args(Stage)))
    shift = Shift(strategy="LINEAR", stage=stage, since=NOW - draw(st.integers(0, 100)), blue="1")
    if stage in ("PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"):
        shift = replace(shift, step=draw(st.integers(0, len(COURSE.steps) - 1)))
    if stages.STAGES.index(stage) > stages.STAGES.index("PRODUCTION_TRAFFIC_SHIFT"):
        shift = replace(shift, step=len(COURSE.steps) - 1)
    if draw(st.booleans()) or stages.STAGES.index(stage) > 1:
        shift = stages.applied(shift, traffic.wanted(shift, COURSE), NOW - draw(st.integers(0, 10)))
    story = ServiceDeployment(
        key=deployments.key(SCOPE, "default/web/x"),
        version=1,
        service="default/web",
        ordinal=2,
        target="2",
        sources=("1",),
        created_at=NOW - 200,
        updated_at=NOW - 10,
        started_at=NOW - 200,
        configuration=CONFIGURATION,
        status="IN_PROGRESS",
        shift=shift,
    )
    there: list[Task] = []
    places: Places = {}
    for number in range(draw(st.integers(0, 12))):
        made, state = task(number, draw(st.sampled_from([1, 2])), draw(st.sampled_from(KINDS)), balanced=True)
        there.append(made)
        places |= state
    if draw(st.booleans()):
        story = replace(story, status="ROLLBACK_REQUESTED")
        step = plan(one, there, places, NOW, Known(story=story))
        assert step.story is not None
        one, story = step.service, step.story
    return one, there, places, story


def carry_out(
    step: Plan, there: list[Task], places: Places, fresh: int, now: float
) -> tuple[Service, list[Task], Places, ServiceDeployment]:
    one, there, places = apply(step, there, places, fresh)
    for number, (id_, count) in enumerate(step.more.items()):
        base = fresh + 40 + 20 * number
        there += [task(base + at, int(id_[-1]), "provisioning", balanced=True)[0] for at in range(count)]
    story = step.story
    assert story is not None
    if step.effects.traffic is not None and story.shift is not None:
        story = replace(story, shift=stages.applied(story.shift, step.effects.traffic, now))
    return one, there, places, story


def healthy(one: Service, there: list[Task], places: Places) -> Counter[Any]:
    return Counter(each.deployment for each in there if see(one, each, places, NOW).condition == "healthy")


@given(scenes())
@settings(max_examples=200, deadline=None)
def test_what_has_traffic_is_kept(scene: tuple[Service, list[Task], Places, ServiceDeployment]) -> None:
    one, there, places, story = scene
    step = plan(one, there, places, NOW, Known(story=story))
    before = healthy(one, there, places)
    after_service, after, after_places, after_story = carry_out(step, there, places, 100, NOW)
    left = healthy(after_service, after, after_places)
    least, most = arith.lower(one.desired, one.percents.minimum), arith.upper(one.desired, one.percents.maximum)
    shift = after_story.shift
    assert shift is not None
    given = shift.traffic or traffic.Traffic(0.0, 0.0)
    for id_, percent in ((BLUE, 100.0 - min(given)), (GREEN, max(given))):
        if percent:
            assert left[id_] >= min(before[id_], least)
        occupied = sum(see(one, each, after_places, NOW).occupies for each in after if each.deployment == id_)
        if {BLUE: step.more.get(BLUE, 0), GREEN: step.start if one.primary.id == GREEN else 0}[id_]:
            assert occupied <= most


@given(scenes())
@settings(max_examples=200, deadline=None)
def test_a_plan_that_is_carried_out_leaves_nothing_to_plan(
    scene: tuple[Service, list[Task], Places, ServiceDeployment],
) -> None:
    one, there, places, story = scene
    for turn in range(40):  # stages that need nobody are passed one write after the other
        step = plan(one, there, places, NOW, Known(story=story))
        if step.empty and step.messages == () and (step.service, step.story) == (one, story):
            return
        one, there, places, story = carry_out(step, there, places, 100 + 100 * turn, NOW)
    raise AssertionError(f"it does not come to rest: {step}")


@given(scenes())
@settings(max_examples=60, deadline=None)
def test_it_ends_with_one_revision_and_all_traffic_on_it(
    scene: tuple[Service, list[Task], Places, ServiceDeployment],
) -> None:
    """Nodes start and stop what they are told, targets become healthy and drain."""
    one, there, places, story = scene
    for turn in range(150):
        now = NOW + 5.0 * turn
        step = plan(one, there, places, now, Known(story=story))
        one, there, places, story = carry_out(step, there, places, 1000 + 100 * turn, now)
        there = [world_goes_on(each, now) for each in there]
        there = [each for each in there if each.status != "STOPPED" or not each.counted]
        kept = {each.eni.address for each in there if each.eni}
        places = {
            place: "unused" if state == "draining" else "healthy" for place, state in places.items() if place[1] in kept
        }
    shift = story.shift
    assert shift is not None
    back = story.status == "ROLLBACK_SUCCESSFUL"
    assert story.status in ("SUCCESSFUL", "ROLLBACK_SUCCESSFUL")
    assert back == shift.back
    assert shift.traffic == ((0.0, 0.0) if back else (100.0, 100.0))
    assert [d.id for d in one.deployments] == [BLUE if back else GREEN]
    assert Counter(each.deployment for each in there) == Counter({BLUE if back else GREEN: one.desired})
    assert one.steady
