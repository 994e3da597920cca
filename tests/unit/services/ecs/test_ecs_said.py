"""What a service says of itself: word for word, once for each cause, and again after six hours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hatoba.core.records import replace
from hatoba.services.ecs.model.service import Percents, Service
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.plan.rollout import words
from hatoba.services.ecs.plan.rollout.said import QUIET, say
from tests.unit.services.ecs.test_ecs_rollout import NOW, service
from tests.unit.services.ecs.test_ecs_services import BALANCED, create, described, messages
from tests.unit.services.ecs.test_ecs_task_sets import external, task_set
from tests.unit.services.ecs.world import GROUP, World, world

STEADY = "(service web) has reached a steady state."
PULL = words.not_started("CannotPullContainerError: manifest unknown")


def plain(**fields: Any) -> Service:
    return service(2, Percents(), balanced=False, deployments=1, **fields)


def failing(count: int, **fields: Any) -> Service:
    one = plain(**fields)
    return replace(one, deployments=(replace(one.primary, failed=count),))


def test_a_cause_that_stays_is_said_again_after_six_hours() -> None:
    steady = plain(steady=True)
    first = say(plain(), steady, [words.STEADY], NOW)
    assert (first.messages, first.again_at) == ([words.STEADY], NOW + QUIET)
    again = say(first.service, first.service, [], NOW + QUIET - 1)
    assert (again.messages, again.again_at) == ([], NOW + QUIET)
    later = say(first.service, first.service, [], NOW + QUIET)
    assert (later.messages, later.again_at) == ([words.STEADY], NOW + 2 * QUIET)


def test_a_cause_that_was_resolved_is_said_again_at_once() -> None:
    blocked = plain(blocked=words.STUCK)
    first = say(plain(), blocked, [words.STUCK], NOW)
    assert say(first.service, first.service, [words.STUCK], NOW + 60).messages == []
    resolved = say(first.service, replace(first.service, blocked=""), [], NOW + 120)
    assert resolved.service.said == {}
    assert say(resolved.service, replace(resolved.service, blocked=words.STUCK), [words.STUCK], NOW + 180).messages


def test_why_tasks_do_not_start_is_said_once_while_they_do_not() -> None:
    first = say(failing(0), failing(1), [PULL], NOW)
    assert first.messages == [PULL]
    more = say(first.service, replace(failing(2), said=first.service.said), [PULL, words.CONSISTENTLY_FAILING], NOW + 9)
    assert more.messages == [words.CONSISTENTLY_FAILING]
    other = words.not_started("ResourceInitializationError: no")
    assert say(more.service, more.service, [other, PULL], NOW + 10).messages == [other]
    assert say(more.service, more.service, [PULL], NOW + QUIET + 1).messages == [PULL]
    healthy = say(more.service, replace(failing(0), said=more.service.said), [], NOW + 11)
    assert say(healthy.service, failing(1), [PULL], NOW + 12).messages == [PULL]


def test_a_new_deployment_has_its_own_failures() -> None:
    first = say(failing(0), failing(1), [PULL], NOW)
    newer = replace(failing(0).primary, id="ecs-svc/2")
    opened = replace(first.service, deployments=(newer,))
    began = say(opened, opened, [], NOW + 1)
    fails = replace(began.service, deployments=(replace(newer, failed=1),))
    assert say(began.service, fails, [PULL], NOW + 2).messages == [PULL]


def test_what_ends_in_a_rollback_was_said_already() -> None:
    """The step in which the last tasks fail is the one that brings the deployment before back."""
    first = say(failing(0), failing(2), [PULL], NOW)
    before = replace(first.service.primary, id="ecs-svc/0", failed=0)
    back = say(
        first.service, replace(first.service, deployments=(before,)), [PULL, words.CONSISTENTLY_FAILING], NOW + 1
    )
    assert back.messages == [words.CONSISTENTLY_FAILING]
    assert back.service.said == {}, "what the deployment that is back will have to say is its own"


@given(st.lists(st.tuples(st.floats(0, 40_000), st.booleans(), st.booleans()), max_size=20))
def test_never_twice_in_six_hours_for_one_cause_and_never_silent_for_longer(
    looks: list[tuple[float, bool, bool]],
) -> None:
    one, now, last, since = plain(), NOW, None, None
    for pause, steady, moved in looks:
        now += pause
        fresh = steady and not one.steady
        since = (now if fresh else since) if steady else None
        told = say(one, replace(one, steady=steady), [words.STEADY] if fresh else [], now)
        assert all(message == words.STEADY for message in told.messages)
        if fresh:
            assert told.messages == [words.STEADY]
        elif told.messages:
            assert last is not None
            assert now - last >= QUIET
        elif steady and last is not None:
            assert now - last < QUIET
        last = now if told.messages else last
        one = told.service if moved or told.service.said != one.said or steady != one.steady else one


async def test_a_steady_service_says_so_four_times_a_day(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w)
        assert messages(await described(w)).count(STEADY) == 1
        for count in (2, 3, 4):
            await w.pass_time(QUIET + 1)
            assert messages(await described(w)).count(STEADY) == count
        await w.crash()
        await w.settle()
        assert messages(await described(w)).count(STEADY) == 4


async def fail(w: World, reason: str) -> None:
    for task in w.store.all(tasks):
        if task.status == "PENDING":
            w.report(task.id, "stopped", started=None, exit_code=None, error="image-not-found", detail=reason)
    await w.settle()


async def test_an_image_that_is_not_there_fills_no_list(tmp_path: Path) -> None:
    async with world(tmp_path, auto=False) as w:
        await create(w, desiredCount=1)
        for wait in (0, 1, 2, 4, 8):
            await w.pass_time(wait + 0.5)
            await fail(w, "manifest unknown")
        told = messages(await described(w))
        reasons = [line for line in told if "was unable to place a task" in line]
        assert len(reasons) == 1
        assert "CannotPullContainerError: manifest unknown" in reasons[0]
        assert told.count("(service web) is unable to consistently start tasks successfully.") == 1
        assert len([line for line in told if "has started 1 tasks" in line]) >= 4


async def test_an_unhealthy_target_and_what_replaces_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await create(w, desiredCount=1, loadBalancers=BALANCED)
        (task,) = w.store.all(tasks)
        assert task.eni is not None
        w.elb.descriptions[task.eni.address] = "Health checks failed with these codes: [502]"
        w.elb.become(task.eni.address, "unhealthy")
        await w.settle()
        told = messages(await described(w))
        assert (
            f"(service web) (task {task.id}) (port 8080) is unhealthy in (target-group {GROUP}) due to (reason Health "
            "checks failed with these codes: [502])."
        ) in told
        (new,) = [t for t in w.store.all(tasks) if t.id != task.id]
        replaced = "Amazon ECS replaced 1 tasks due to an unhealthy status."
        assert f"(service web) has started 1 tasks: (task {new.id}). {replaced}" in told


async def test_tasks_that_never_ran_are_counted_only(tmp_path: Path) -> None:
    async with world(tmp_path, auto=False) as w:
        await create(w)
        await w.ecs.update_service(service="web", desiredCount=0)
        await w.settle()
        told = messages(await described(w))
        assert "(service web) stopped 2 pending tasks." in told
        assert not any("running tasks" in line for line in told)


async def test_a_task_set_repeats_itself_too(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await external(w, 1)
        made = await task_set(w)
        line = f"(service web, taskSet {made['id']}) has reached a steady state."
        assert messages(await described(w)).count(line) == 1
        await w.pass_time(QUIET + 1)
        assert messages(await described(w)).count(line) == 2


def test_what_was_said_long_ago_is_not_kept() -> None:
    """A reason that is another one each time (it has an id in it) does not make the record grow for ever."""
    one, now = failing(1), NOW
    for number in range(200):
        now += 900
        one = say(one, one, [words.not_started(f"ResourceInitializationError: {number}")], now).service
    assert len(one.said) <= QUIET / 900
