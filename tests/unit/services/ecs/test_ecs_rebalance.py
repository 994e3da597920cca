"""Evening services out over availability zones: the planner alone, from any uneven start to the end."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.core.records import replace
from hatoba.services.ecs.model.service import Percents, Rebalance, Service
from hatoba.services.ecs.model.task import Placement, Task
from hatoba.services.ecs.plan import launch, lifecycle
from hatoba.services.ecs.plan.rollout import Known, Plan, arith, plan
from hatoba.services.ecs.plan.rollout.rebalance import Zones, listed, spread, wanted, why_not
from tests.unit.services.ecs.test_ecs_rollout import NOW, service, task

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
IN_A = {"type": "memberOf", "expression": "attribute:ecs.availability-zone == us-east-1a"}


class Scene:
    """A completed, steady service whose tasks are where `counts` says. Its nodes do what the planner asks for."""

    def __init__(self, counts: tuple[int, ...], maximum: int = 200, protected: int = 0) -> None:
        desired = sum(counts)
        one = service(desired, Percents(maximum=maximum), balanced=False, deployments=1, steady=True)
        done = replace(one.primary, rollout="COMPLETED")
        self.service: Service = replace(
            one, deployments=(done,), completed=done.revision, settings={"availabilityZoneRebalancing": "ENABLED"}
        )
        self.tasks: list[Task] = []
        self.zones: dict[str, str] = {}
        self.open = ZONES[: len(counts)]
        self.told: list[str] = []
        self.now = NOW
        for zone, count in zip(self.open, counts, strict=True):
            for _ in range(count):
                self.add(zone, "healthy")
        self.tasks = [
            replace(t, protected_until=NOW + 500) if number < protected else t for number, t in enumerate(self.tasks)
        ]

    def add(self, zone: str, kind: str) -> None:
        made, _ = task(len(self.zones), 1, kind, balanced=False)
        self.tasks.append(made)
        self.zones[made.id] = zone

    def look(self) -> Plan:
        return plan(self.service, self.tasks, {}, self.now, Known(zones=Zones(self.zones, self.open)))

    def act(self, step: Plan) -> None:
        stopped = {stop.task for stop in step.stop}
        self.tasks = [t for t in self.tasks if t.id not in stopped]  # ended, and taken note of
        assert not step.start or len(step.zones) == step.start
        for zone in step.zones:
            self.add(zone, "pending")
        self.service = step.service
        self.told += step.messages

    def grow(self) -> None:
        """What was pending runs."""
        run = {t.id: task(int(t.id, 16), 1, "healthy", balanced=False)[0] for t in self.tasks if t.status == "PENDING"}
        self.tasks = [run.get(t.id, t) for t in self.tasks]

    @property
    def counts(self) -> Counter[str]:
        return Counter(dict.fromkeys(self.open, 0)) + Counter(self.zones[t.id] for t in self.tasks)

    @property
    def healthy(self) -> int:
        return sum(t.status == "RUNNING" for t in self.tasks)


def evenness(counts: Counter[str], zones: tuple[str, ...]) -> int:
    return max(counts[zone] for zone in zones) - min(counts[zone] for zone in zones)


@given(
    st.lists(st.integers(0, 7), min_size=2, max_size=3).map(tuple),
    st.sampled_from([110, 125, 150, 200]),
    st.integers(0, 4),
)
def test_it_comes_to_an_even_spread_and_never_to_less_than_is_desired(
    counts: tuple[int, ...], maximum: int, protected: int
) -> None:
    scene = Scene(counts, maximum, protected)
    desired = scene.service.desired
    shielded = {t.id for t in scene.tasks if t.protected(NOW)}
    for _ in range(80):
        step = scene.look()
        scene.act(step)
        assert scene.healthy >= desired, "start first, stop after"
        assert len(scene.tasks) <= max(desired, arith.upper(desired, maximum))
        assert shielded <= {t.id for t in scene.tasks}
        scene.grow()
        if step.empty and step.service.steady:
            break
    else:
        raise AssertionError(f"it does not come to rest: {scene.told}")
    assert len(scene.tasks) == desired
    if not protected and arith.upper(desired, maximum) > desired:
        assert evenness(scene.counts, scene.open) <= 1
        assert scene.service.rebalance == Rebalance()
    assert scene.look().empty


def test_what_is_said() -> None:
    scene = Scene((3, 1, 1))
    first = scene.look()
    assert first.preface == (
        "is not AZ balanced with 3 tasks in us-east-1a, 1 tasks in us-east-1b, 1 tasks in us-east-1c. "
        "AZ Rebalancing in progress."
    )
    assert (first.start, first.zones) == (1, ("us-east-1b",))
    scene.act(first)
    assert scene.look().empty  # the new one does not run yet
    scene.grow()
    second = scene.look()
    (stop,) = second.stop
    assert stop.reason == "Availability-zone rebalancing initiated by (deployment ecs-svc/1)"
    assert second.messages == (f"has stopped 1 running tasks in us-east-1a due to AZ rebalancing: (task {stop.task}).",)
    scene.act(second)
    third = scene.look()
    assert (
        third.messages[0] == "is AZ balanced with 2 tasks in us-east-1a, 2 tasks in us-east-1b, 1 tasks in us-east-1c."
    )
    assert third.messages[1:] == ("has reached a steady state.",)


def test_a_protected_task_is_told_of_once_and_waited_for() -> None:
    scene = Scene((2, 0), protected=2)
    step = scene.look()
    assert step.messages == (
        "was unable to AZ Rebalance because (taskSet ecs-svc/1) was unable to scale in due to (reason 2 tasks under "
        "protection)",
    )
    assert (step.start, step.again_at) == (0, NOW + 500)
    scene.act(step)
    assert scene.look().messages == ()
    scene.now = NOW + 501
    assert scene.look().start == 1


def test_a_deployment_comes_first() -> None:
    scene = Scene((4, 0))
    scene.act(scene.look())
    newer = replace(scene.service.primary, id="ecs-svc/2", rollout="IN_PROGRESS")
    older = replace(scene.service.primary, status="ACTIVE")
    scene.service = replace(scene.service, deployments=(newer, older))
    step = scene.look()
    assert "stopped AZ Rebalancing." in step.messages
    assert step.zones == ()
    assert step.service.rebalance == Rebalance()


def test_a_task_that_dies_is_replaced_first() -> None:
    scene = Scene((4, 0))
    scene.act(scene.look())
    scene.tasks = scene.tasks[3:]  # what was started, and one of the old ones
    step = scene.look()
    assert (step.start, step.zones) == (1, ())
    assert "stopped AZ Rebalancing." in step.messages


@pytest.mark.parametrize("settings", [{}, {"availabilityZoneRebalancing": "DISABLED"}])
def test_only_where_it_is_wanted(settings: dict[str, str]) -> None:
    scene = Scene((4, 0))
    scene.service = replace(scene.service, settings=settings)
    assert scene.look().empty


def test_one_zone_has_nothing_to_even_out() -> None:
    assert Scene((4,)).look().empty


def test_scaling_in_leaves_an_even_spread() -> None:
    scene = Scene((2, 2, 2))
    scene.service = replace(scene.service, desired=3, steady=False)
    scene.act(scene.look())
    assert scene.counts == Counter(ZONES)


def test_a_new_task_starts_in_the_emptiest_zone_and_its_emptiest_subnet() -> None:
    made, _ = task(0, 1, "healthy", balanced=False)
    assert made.network is not None
    network = replace(made.network, subnets=("a1", "a2", "b1"))
    zone_of = {"a1": "a", "a2": "a", "b1": "b"}
    assert launch.spread(network, ["a1"], 3, zone_of) == ["b1", "a2", "b1"]
    assert launch.spread(network, ["a1"], 3) == ["a2", "b1", "a1"]
    assert launch.spread(network, [], 2, zone_of, ("a", "a")) == ["a1", "a2"]


@given(st.lists(st.integers(0, 20), min_size=2, max_size=5), st.integers(0, 5), st.integers(0, 30))
def test_starts_are_bounded_and_help(counts: list[int], surplus: int, room: int) -> None:
    known = Counter({str(number): count for number, count in enumerate(counts)})
    if sum(counts) < surplus:
        return
    starts = wanted(known, Counter(), surplus, room)
    assert len(starts) <= room
    if room > sum(counts):
        after = Counter(known)
        after.update(starts)
        for _ in range(surplus + len(starts)):
            after[max(after, key=lambda zone: after[zone])] -= 1
        assert spread(after) <= 1


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"daemon": True}, "DAEMON"),
        ({"percents": Percents(minimum=50, maximum=100)}, "maximumPercent <= 100"),
        ({"placement": Placement(strategy=({"type": "binpack", "field": "CPU"},))}, "placement strategy"),
        (
            {
                "placement": Placement(
                    constraints=({"type": "memberOf", "expression": "attribute:ecs.availability-zone == a"},)
                )
            },
            "placement constraint",
        ),
    ],
)
def test_who_cannot_have_it(fields: dict[str, object], word: str) -> None:
    why = why_not(replace(service(2, Percents(), balanced=False), **fields))
    assert why is not None
    assert word in why


def test_who_can() -> None:
    first = {"type": "spread", "field": "attribute:ecs.availability-zone"}
    placement = Placement(strategy=(first, {"type": "binpack", "field": "MEMORY"}))
    assert why_not(service(2, Percents(), balanced=False, placement=placement)) is None
    assert listed({"b": 1, "a": 1, "c": 4}) == "4 tasks in c, 1 tasks in a, 1 tasks in b"


def test_a_task_of_a_node_that_is_drained_is_replaced_first() -> None:
    scene = Scene((3, 1))
    scene.tasks[0] = lifecycle.settle(replace(scene.tasks[0], leaving=True), NOW)
    assert scene.look().zones == ()
