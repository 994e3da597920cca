"""The planner of services, alone: properties over every state that it may find, and a few steps in figures."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hatoba.core.records import replace
from hatoba.services.ecs.model.service import Deployment, Percents, Revision, Service, services
from hatoba.services.ecs.model.task import RANK, Container, Eni, Network, Target, Task, tasks
from hatoba.services.ecs.plan import lifecycle
from hatoba.services.ecs.plan.rollout import Plan, arith, plan, words
from hatoba.services.ecs.plan.rollout.seen import see
from tests.unit.services.ecs.world import GROUP, SCOPE

NOW = 1_000_000.0
TARGETS = (Target(group=GROUP, container="web", port=80),)


def revision(number: int, balanced: bool) -> Revision:
    return Revision(
        definition=f"web:{number:010d}",
        launch_type="FARGATE",
        network=Network(subnets=("subnet-a",)),
        targets=TARGETS if balanced else (),
    )


def service(desired: int, percents: Percents, *, balanced: bool, deployments: int = 2, **fields: Any) -> Service:
    made = tuple(
        Deployment(
            id=f"ecs-svc/{deployments - at}",
            status="ACTIVE" if at else "PRIMARY",
            revision=revision(deployments - at, balanced),
            desired=desired,
            created_at=NOW - 100 + deployments - at,
            updated_at=NOW,
            rollout="COMPLETED" if at else "IN_PROGRESS",
        )
        for at in range(deployments)
    )
    return Service(
        key=services.key(SCOPE, "default/web"),
        version=1,
        cluster="default",
        name="web",
        desired=desired,
        created_at=NOW - 1000,
        deployments=made,
        percents=percents,
        **fields,
    )


def task(number: int, deployment: int, kind: str, *, balanced: bool) -> tuple[Task, dict[tuple[str, str, int], str]]:
    """A task in one of the kinds below, and its target's state."""
    address = f"10.0.{number >> 8}.{number & 255}"
    one = Task(
        key=tasks.key(SCOPE, f"{number:032x}"),
        version=1,
        cluster="default",
        definition=f"web:{deployment:010d}",
        launch_type="FARGATE",
        group="service:web",
        created_at=NOW - 50 + number,
        service="default/web",
        deployment=f"ecs-svc/{deployment}",
        network=Network(subnets=("subnet-a",)),
        targets=TARGETS if balanced else (),
        balancing="wanted" if balanced else "none",
        node="node-1",
        containers=(Container(name="web", checked=True),),
    )
    if kind == "provisioning":
        return one, {}
    one = replace(one, eni=Eni(id="eni", subnet="s", vpc="v", address=address, mac=""), launched=True)
    if kind == "pending":
        return lifecycle.settle(one, NOW), {}
    health = "UNHEALTHY" if kind == "sick" else "HEALTHY"
    one = replace(one, containers=(Container(name="web", checked=True, status="RUNNING", health=health),))
    one = lifecycle.settle(one, NOW)
    if kind == "activating" or not balanced:
        target = {}
    else:
        one = lifecycle.settle(replace(one, balancing="joined"), NOW)
        state = {"unhealthy": "unhealthy", "initial": "initial"}.get(kind, "healthy")
        target = {(GROUP, address, 80): state}
    if kind == "lost":
        return lifecycle.settle(lifecycle.lose(one), NOW), target
    if kind == "dead":
        exited = tuple(replace(c, status="STOPPED") for c in one.containers)
        ended = lifecycle.end(replace(one, containers=exited), "EssentialContainerExited", "")
        return lifecycle.settle(ended, NOW), target
    if kind == "stopping":
        return lifecycle.settle(replace(lifecycle.end(one, "UserInitiated", ""), counted=True), NOW), target
    return one, target


KINDS = (
    "provisioning",
    "pending",
    "activating",
    "initial",
    "healthy",
    "healthy",
    "healthy",
    "unhealthy",
    "sick",
    "stopping",
    "dead",
    "lost",
)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Service, list[Task], dict[tuple[str, str, int], str]]:
    balanced = draw(st.booleans())
    minimum = draw(st.sampled_from([0, 25, 50, 75, 99, 100]))
    maximum = draw(st.sampled_from([100, 110, 125, 150, 200])) if minimum < 100 else 200
    status = draw(st.sampled_from(["ACTIVE", "ACTIVE", "ACTIVE", "DRAINING"]))
    desired = draw(st.integers(0, 9)) if status == "ACTIVE" else 0
    one = service(desired, Percents(minimum=minimum, maximum=maximum), balanced=balanced, status=status)
    there: list[Task] = []
    targets: dict[tuple[str, str, int], str] = {}
    for number in range(draw(st.integers(0, 16))):
        made, state = task(number, draw(st.sampled_from([1, 2, 2])), draw(st.sampled_from(KINDS)), balanced=balanced)
        there.append(replace(made, protected_until=draw(st.sampled_from([None, None, NOW - 1, NOW + 20]))))
        targets |= state
    return one, there, targets


def apply(
    step: Plan, there: list[Task], targets: dict[tuple[str, str, int], str], fresh: int
) -> tuple[Service, list[Task], dict[tuple[str, str, int], str]]:
    """What the controller does with a plan; nodes do nothing meanwhile."""
    targets = dict(targets)
    stops = {stop.task for stop in step.stop}
    done = []
    for one in there:
        if one in step.register:
            one = replace(one, balancing="joined")
            assert one.eni is not None
            targets[GROUP, one.eni.address, 80] = "initial"
        if one in step.deregister:
            one = replace(one, balancing="draining", drained_at=NOW + 5)
            assert one.eni is not None
            targets[GROUP, one.eni.address, 80] = "draining"
        if any(one.id == drained.id for drained in step.drained):
            one = replace(one, balancing="left")
        if any(one.id == ended.id for ended in step.ended):
            one = replace(one, counted=True)
        if one.id in stops:
            one = replace(lifecycle.end(one, "ServiceSchedulerInitiated", ""), counted=True)
        done.append(lifecycle.settle(one, NOW))
    primary = step.service.primary
    number = int(primary.id.rpartition("/")[2])
    balanced = bool(primary.revision.targets)
    done += [task(fresh + at, number, "provisioning", balanced=balanced)[0] for at in range(step.start)]
    return step.service, done, targets


def conditions(one: Service, there: list[Task], targets: dict[tuple[str, str, int], str]) -> list[str]:
    return [see(one, each, targets, NOW).condition for each in there]


@given(scenes())
@settings(max_examples=300, deadline=None)
def test_limits_are_kept_whatever_is_found(
    scene: tuple[Service, list[Task], dict[tuple[str, str, int], str]],
) -> None:
    one, there, targets = scene
    step = plan(one, there, targets, NOW)
    before = conditions(one, there, targets)
    after_service, after, after_targets = apply(step, there, targets, 100)
    now = conditions(after_service, after, after_targets)
    occupying = sum(condition != "gone" for condition in now)
    if step.start:
        assert occupying <= arith.upper(one.desired, one.percents.maximum)
    if one.status == "ACTIVE":
        floor = min(before.count("healthy"), arith.lower(one.desired, one.percents.minimum))
        assert now.count("healthy") >= floor
    else:
        assert all(condition in ("ending", "gone") for condition in now)
    assert len({stop.task for stop in step.stop}) == len(step.stop)
    stopped = {stop.task for stop in step.stop}
    shielded = {each.id for each, condition in zip(there, before, strict=True) if condition != "unhealthy"}
    shielded &= {each.id for each in there if each.protected(NOW)}
    assert one.status != "ACTIVE" or not stopped & shielded


@given(scenes())
@settings(max_examples=300, deadline=None)
def test_a_plan_that_is_carried_out_leaves_nothing_to_plan(
    scene: tuple[Service, list[Task], dict[tuple[str, str, int], str]],
) -> None:
    one, there, targets = scene
    for attempt in range(3):  # a registration or a stop may make the next step possible
        step = plan(one, there, targets, NOW)
        one, there, targets = apply(step, there, targets, 100 + 20 * attempt)
    last = plan(one, there, targets, NOW)
    assert last.empty
    assert last.messages == ()
    assert last.service == one


@given(scenes())
@settings(max_examples=100, deadline=None)
def test_it_comes_to_what_is_wanted_when_everything_goes_well(
    scene: tuple[Service, list[Task], dict[tuple[str, str, int], str]],
) -> None:
    """Nodes start and stop what they are told, targets become healthy and drain: the limits hold at every step."""
    one, there, targets = scene
    least, most = arith.lower(one.desired, one.percents.minimum), arith.upper(one.desired, one.percents.maximum)
    assume(least < most or one.desired == 0)  # else there may be no step that the limits allow
    for turn in range(60):
        before = conditions(one, there, targets).count("healthy")
        step = plan(one, there, targets, NOW + turn)
        floor = min(before, arith.lower(one.desired, one.percents.minimum))
        one, there, targets = apply(step, there, targets, 1000 + 100 * turn)
        found = conditions(one, there, targets)
        assert found.count("healthy") >= floor or one.status != "ACTIVE"
        if step.start:
            assert sum(condition != "gone" for condition in found) <= arith.upper(one.desired, one.percents.maximum)
        ranks = {each.id: RANK[each.status] for each in there}
        there = [world_goes_on(each, NOW + turn) for each in there]
        assert all(RANK[each.status] >= ranks[each.id] for each in there)
        there = [each for each in there if each.status != "STOPPED" or not each.counted]
        kept = {each.eni.address for each in there if each.eni}
        targets = {
            place: "healthy" if state != "draining" else "unused"
            for place, state in targets.items()
            if place[1] in kept
        }
    running = [each for each in there if each.status == "RUNNING"]
    assert len(running) == one.desired == len(there)
    assert all(each.deployment == one.primary.id for each in running)
    if one.status == "ACTIVE":
        assert [d.rollout for d in one.deployments] == ["COMPLETED"]
        assert one.steady
    else:
        assert one.status == "INACTIVE"


def world_goes_on(one: Task, now: float) -> Task:
    """A healthy world: what is to run runs and is healthy, what is to stop stops."""
    if one.status == "PROVISIONING" and one.desired == "RUNNING":
        number = int(one.id, 16)
        address = f"10.0.{number >> 8 & 255}.{number & 255}"
        one = replace(one, eni=Eni(id="eni", subnet="s", vpc="v", address=address, mac=""), launched=True)
    if one.status in ("PENDING", "ACTIVATING", "RUNNING"):
        up = tuple(replace(c, status="RUNNING", health="HEALTHY") for c in one.containers)
        one = replace(one, containers=up)
    if one.status == "STOPPING":
        one = replace(one, containers=tuple(replace(c, status="STOPPED") for c in one.containers))
    if one.status == "DEPROVISIONING" and one.balancing not in ("joining", "joined"):
        one = replace(one, released=True)
    return lifecycle.settle(one, now)


def test_the_arithmetic() -> None:
    assert [arith.lower(n, 50) for n in (0, 1, 3, 4)] == [0, 1, 2, 2]
    assert [arith.upper(n, 150) for n in (0, 1, 3, 4)] == [0, 1, 4, 6]
    assert [arith.backoff(n) for n in (0, 1, 2, 3, 4, 30)] == [0, 0, 1, 2, 4, 900]
    assert [arith.breaker_threshold(n) for n in (1, 6, 7, 100, 1000)] == [3, 3, 4, 50, 200]


def steps(percents: Percents, *kinds: tuple[int, str], desired: int = 4) -> tuple[int, list[int]]:
    """(how many to start, which of the tasks to stop)."""
    made = [task(number, deployment, kind, balanced=False) for number, (deployment, kind) in enumerate(kinds)]
    step = plan(service(desired, percents, balanced=False), [one for one, _ in made], {}, NOW)
    return step.start, [int(stop.task, 16) for stop in step.stop]


def test_start_first_when_there_is_room() -> None:
    old = [(1, "healthy")] * 4
    assert steps(Percents(minimum=100, maximum=200), *old) == (4, [])
    assert steps(Percents(minimum=100, maximum=150), *old) == (2, [])
    assert steps(Percents(minimum=50, maximum=100), *old) == (0, [0, 1])
    assert steps(Percents(minimum=75, maximum=125), *old) == (1, [0])


def test_old_tasks_give_way_one_for_one() -> None:
    both = Percents(minimum=100, maximum=200)
    old = [(1, "healthy")] * 4
    assert steps(both, *old, (2, "pending"), (2, "pending"), (2, "healthy"), (2, "healthy")) == (0, [0, 1])


def test_pending_ones_go_first() -> None:
    assert steps(Percents(), (2, "healthy"), (2, "healthy"), (2, "pending"), desired=2) == (0, [2])
    assert steps(Percents(), (2, "healthy"), (2, "healthy"), (2, "healthy"), desired=2) == (0, [0])


def test_an_unhealthy_task_stays_until_its_replacement_serves() -> None:
    one = Percents()
    assert steps(one, (2, "sick"), desired=1) == (1, [])
    assert steps(one, (2, "sick"), (2, "pending"), desired=1) == (0, [])
    assert steps(one, (2, "sick"), (2, "healthy"), desired=1) == (0, [0])
    assert steps(Percents(minimum=0, maximum=100), (2, "sick"), desired=1) == (0, [0])


def test_limits_that_allow_no_step_are_said_once() -> None:
    old, _ = task(0, 1, "healthy", balanced=False)
    one = service(1, Percents(minimum=25, maximum=100), balanced=False)
    step = plan(one, [old], {}, NOW)
    assert step.empty
    assert step.messages == (words.STUCK,)
    again = plan(step.service, [old], {}, NOW)
    assert (again.messages, again.service) == ((), step.service)


def test_starts_are_held_back_after_crashes() -> None:
    one = service(2, Percents(), balanced=False)
    primary = replace(one.primary, crashes=4, crashed_at=NOW - 1)
    held = plan(replace(one, deployments=(primary,)), [], {}, NOW)
    assert (held.start, held.again_at) == (0, NOW + 3)
    assert plan(held.service, [], {}, NOW + 3).start == 2
