"""The record of a service deployment beside the planner that writes it: whatever is found, it only goes forward."""

from __future__ import annotations

from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from hatoba.core.records import replace
from hatoba.services.ecs.model.service import Percents, Service
from hatoba.services.ecs.model.service_deployment import (
    UNDER_WAY,
    ServiceDeployment,
    Status,
    deployments,
)
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.plan.rollout import Known, arith, plan
from tests.unit.services.ecs.test_ecs_rollout import NOW, apply, scenes, service, task
from tests.unit.services.ecs.world import SCOPE

RANKS = {
    "PENDING": 0,
    "IN_PROGRESS": 1,
    "STOP_REQUESTED": 2,
    "ROLLBACK_REQUESTED": 2,
    "ROLLBACK_IN_PROGRESS": 3,
    "STOPPED": 4,
    "SUCCESSFUL": 4,
    "ROLLBACK_SUCCESSFUL": 4,
    "ROLLBACK_FAILED": 4,
}


@st.composite
def stories(draw: st.DrawFn) -> tuple[Service, list[Task], dict[tuple[str, str, int], str], ServiceDeployment]:
    """A service on its way from the revision 1 to 2, with failures so far, and perhaps with somebody's wish to stop."""
    service, there, targets = draw(scenes())
    percents = replace(service.percents, breaker=draw(st.booleans()), rollback=draw(st.booleans()))
    old = service.deployments[-1]
    known = draw(st.booleans())
    service = replace(
        service,
        percents=percents,
        completed=old.revision if known else None,
        completed_as=old.id if known else "",
        deployments=(replace(service.primary, failed=draw(st.integers(0, 8))), *service.deployments[1:]),
    )
    status = draw(st.sampled_from(["PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED"]))
    story = ServiceDeployment(
        key=deployments.key(SCOPE, "default/web/x"),
        version=1,
        service="default/web",
        ordinal=1,
        target="2",
        sources=("1",),
        created_at=NOW - 10,
        updated_at=NOW - 10,
        status=status,
    )
    return service, there, targets, story


def test_every_status_has_its_rank() -> None:
    assert set(RANKS) == set(get_args(Status))
    assert {status for status, rank in RANKS.items() if rank < 4} == set(UNDER_WAY)


@given(stories())
@settings(max_examples=300, deadline=None)
def test_it_only_goes_forward_and_agrees_with_the_service(
    scene: tuple[Service, list[Task], dict[tuple[str, str, int], str], ServiceDeployment],
) -> None:
    service, there, targets, story = scene
    before = story
    for turn in range(4):
        step = plan(service, there, targets, NOW, Known(story=story))
        assert step.story is not None
        assert RANKS[step.story.status] >= RANKS[story.status]
        service, there, targets = apply(step, there, targets, 100 + 20 * turn)
        story = step.story
        agree(service, story)
    assert plan(service, there, targets, NOW, Known(story=story)).story == story
    assert before.status not in ("STOP_REQUESTED", "ROLLBACK_REQUESTED") or story.status != before.status


def agree(service: Service, story: ServiceDeployment) -> None:
    primary = service.primary
    assert story.started_at is not None
    assert (story.finished_at is None) == story.under_way
    assert (story.stopped_at is not None) == (story.status == "STOPPED")
    if story.back_to:
        assert primary.id == f"ecs-svc/{story.back_to}" == service.completed_as
    if service.status == "ACTIVE" and story.status in ("SUCCESSFUL", "ROLLBACK_SUCCESSFUL"):
        assert primary.rollout == "COMPLETED"
        assert len(service.deployments) == 1
    if service.status == "ACTIVE" and story.status in ("STOPPED", "ROLLBACK_FAILED"):
        assert primary.rollout == "FAILED"
    if story.status == "ROLLBACK_IN_PROGRESS":
        assert primary.rollout == "IN_PROGRESS"
    if story.monitor == "TRIGGERED":
        assert service.percents.breaker


@given(st.integers(0, 5000), st.integers(1, 100))
def test_thresholds(desired: int, value: int) -> None:
    count = arith.breaker_threshold(desired, "COUNT", value)
    bounded = arith.breaker_threshold(desired, "BOUNDED_PERCENT", value)
    free = arith.breaker_threshold(desired, "UNBOUNDED_PERCENT", value)
    assert count == value
    assert 3 <= bounded <= 200
    assert free >= 1
    assert (free - 1) * 100 < desired * value or free == 1
    assert free * 100 >= desired * value
    assert bounded == free or bounded in (3, 200)


def test_the_default_threshold_is_the_published_one() -> None:
    """The developer guide: half of what is desired, at least 3, at most 200."""
    assert [arith.breaker_threshold(n) for n in (1, 6, 7, 25, 400, 800)] == [3, 3, 4, 13, 200, 200]
    assert Percents().threshold.type == "BOUNDED_PERCENT"


def test_what_is_rolled_back_to_starts_without_a_record_of_failures() -> None:
    """Else it would be given up at once for what it went through before."""
    one = service(1, Percents(breaker=True, rollback=True, reset=False), balanced=False)
    new, old = one.deployments
    old = replace(old, failed=3, crashes=3, crashed_at=NOW)
    one = replace(
        one, deployments=(replace(new, failed=3), old), completed=old.revision, completed_as=old.id, current="x"
    )
    there = [task(0, 1, "pending", balanced=False)[0]]
    step = plan(one, there, {}, NOW)
    assert (step.service.primary.id, step.service.primary.failed) == (old.id, 0)
    assert plan(step.service, there, {}, NOW).service.primary.rollout == "IN_PROGRESS"
