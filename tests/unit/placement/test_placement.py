"""The scheduler: who gets what, and why not."""

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatoba.placement import Assignment, Ledger, Load, Needs, Order, Refusal, Scheduler, Site, Use
from hatoba.placement.board import Board
from hatoba.placement.filters import lack

MIB = 1 << 20


class Fewer:
    """A condition that depends on what runs: at most so many of anything."""

    def __init__(self, most: int) -> None:
        self.most = most

    def holds(self, site: Site, use: Use) -> bool:
        return use.running < self.most

    def words(self) -> str:
        return f"fewer than {self.most}"


def site(id_: str, **fields: Any) -> Site:
    return Site(**{"id": id_, "cpu": 1024, "memory": 1024 * MIB, "architecture": "x86_64", **fields})


def sites(*those: Site) -> dict[str, Site]:
    return {one.id: one for one in those}


def placed(scheduler: Scheduler, needs: Needs, count: int, where: dict[str, Site]) -> list[str]:
    """Placed, and then really there."""
    found = []
    for answer in scheduler.place(needs, count, where):
        if isinstance(answer, Refusal):
            found.append("-")
            continue
        found.append(answer.node)
        scheduler.ledger.change(None, load(needs, answer.node))
    return found


def load(needs: Needs, node: str) -> Load:
    return Load(node=node, cpu=needs.cpu, memory=needs.memory, ports=tuple(needs.ports), counts=(needs.group,))


def test_equal_tasks_spread_over_the_nodes() -> None:
    assert placed(Scheduler(), Needs(cpu=100, group="web"), 4, sites(site("b"), site("a"))) == ["a", "b", "a", "b"]


def test_a_group_spreads_even_where_others_run() -> None:
    scheduler = Scheduler()
    for _ in range(5):
        scheduler.ledger.change(None, Load(node="a", counts=("other",)))
    scheduler.ledger.change(None, Load(node="b", counts=("web",)))
    assert placed(scheduler, Needs(group="web"), 2, sites(site("a"), site("b"))) == ["a", "b"]


def test_what_was_placed_before_counts() -> None:
    assert placed(Scheduler(), Needs(memory=600 * MIB), 3, sites(site("a"), site("b"))) == ["a", "b", "-"]


def test_what_was_placed_but_never_came_to_be_does_not_count() -> None:
    scheduler, where = Scheduler(), sites(site("a"))
    needs = Needs(memory=600 * MIB)
    assert scheduler.place(needs, 1, where) == [Assignment(node="a")]
    assert scheduler.place(needs, 1, where) == [Assignment(node="a")]


def test_a_port_is_taken_once_per_node() -> None:
    scheduler, where = Scheduler(), sites(site("a"), site("b"))
    assert placed(scheduler, Needs(ports=frozenset({(80, "tcp")})), 3, where) == ["a", "b", "-"]
    assert placed(scheduler, Needs(ports=frozenset({(80, "udp")})), 1, where) == ["a"]


def test_packing_fills_the_fullest_that_still_fits() -> None:
    scheduler, where = Scheduler(), sites(site("a"), site("b"), site("c", cpu=512))
    needs = Needs(cpu=256, group="web", order=(Order("pack", "cpu"),))
    assert placed(scheduler, needs, 7, where) == ["c", "c", "a", "a", "a", "a", "b"]
    by_memory = Needs(memory=600 * MIB, order=(Order("pack", "memory"),))
    assert placed(Scheduler(), by_memory, 2, sites(site("a"), site("b", memory=700 * MIB))) == ["b", "a"]


def test_orders_apply_one_after_the_other() -> None:
    where = sites(*(site(f"{zone}{number}", labels={"zone": zone}) for zone in "xy" for number in range(3)))
    needs = Needs(cpu=512, group="web", order=(Order("spread", "zone"), Order("pack", "cpu")))
    # Over the zones in turn, and in each of them one node after the other is filled.
    assert placed(Scheduler(), needs, 8, where) == ["x0", "y0", "x0", "y0", "x1", "y1", "x1", "y1"]


def test_a_place_that_is_full_does_not_hold_up_the_others() -> None:
    where = sites(site("x", labels={"zone": "x"}, cpu=100), site("y", labels={"zone": "y"}))
    needs = Needs(cpu=100, order=(Order("spread", "zone"),))
    assert placed(Scheduler(), needs, 3, where) == ["x", "y", "y"]


def test_one_per_node() -> None:
    scheduler, where = Scheduler(), sites(site("a"), site("b"))
    assert placed(scheduler, Needs(group="web", alone=True), 3, where) == ["a", "b", "-"]
    assert placed(scheduler, Needs(group="other", alone=True), 1, where) == ["a"]


def test_a_condition_is_asked_again_as_nodes_fill() -> None:
    where = sites(site("a"), site("b"))
    assert placed(Scheduler(), Needs(conditions=(Fewer(2),)), 5, where) == ["a", "b", "a", "b", "-"]


def test_chance_is_fair() -> None:
    where = sites(*(site(f"n{number}", cpu=1 << 40) for number in range(5)))
    found = Counter(placed(Scheduler(), Needs(order=(Order("random"),)), 5000, where))
    assert all(850 < found[node] < 1150 for node in where)
    pairs = placed(Scheduler(), Needs(order=(Order("random"),)), 5000, where)
    again = sum(one == other for one, other in itertools.pairwise(pairs))
    assert 850 < again < 1150  # the node before is neither shunned nor favoured


def test_a_node_that_changed_is_seen_as_it_is() -> None:
    scheduler = Scheduler()
    a, b = site("a"), site("b")
    needs = Needs(cpu=100, group="web")
    assert placed(scheduler, needs, 1, sites(a, b)) == ["a"]
    assert placed(scheduler, needs, 1, sites(a, site("b", draining=True))) == ["a"]
    assert placed(scheduler, needs, 1, sites(b)) == ["b"]
    assert placed(scheduler, needs, 2, sites(a, b)) == ["b", "a"]


def test_what_a_place_holds_goes_with_the_node_and_with_the_task() -> None:
    """A board that was kept, while a node changed its place and tasks ended."""
    scheduler = Scheduler()
    needs = Needs(group="web", order=(Order("spread", "zone"),))
    a, b, c = (site(id_, labels={"zone": zone}) for id_, zone in (("a", "x"), ("b", "y"), ("c", "x")))
    assert placed(scheduler, needs, 1, sites(a, b)) == ["a"]
    moved = site("a", labels={"zone": "y"})
    assert placed(scheduler, needs, 1, sites(moved, b, c)) == ["c"]
    where = sites(moved, b, c)
    assert placed(scheduler, needs, 3, where) == ["b", "c", "a"]  # two in x, three in y
    for node in ("a", "a", "b"):
        scheduler.ledger.change(load(needs, node), None)
    assert placed(scheduler, needs, 2, where) == ["a", "b"]


def test_a_refusal_explains_itself() -> None:
    scheduler = Scheduler()
    scheduler.ledger.change(None, Load(node="g", counts=("web",)))
    where = sites(
        site("a", memory=100 * MIB),
        site("b", memory=0),
        site("c", draining=True),
        site("d", ready=False),
        site("e", cpu=10),
        site("f", architecture="aarch64"),
        site("g"),
    )
    needs = Needs(cpu=500, memory=512 * MIB, architecture="x86_64", group="web", alone=True)
    (refusal,) = scheduler.place(needs, 1, where)
    assert isinstance(refusal, Refusal)
    assert refusal.words() == (
        "no capacity: 1 node is not x86_64, 1 node lacks CPU (need 500 units), 1 node has one of the same group "
        "already, 1 node is draining, 1 node is lost, 2 nodes lack memory (need 512 MiB)"
    )
    assert refusal.detail().endswith(
        "1 node is draining: c; 1 node is lost: d; 2 nodes lack memory (need 512 MiB): a, b"
    )
    assert refusal.closest == ("a", "memory")
    (refusal,) = scheduler.place(Needs(cpu=9999), 1, sites(*(site(str(number)) for number in range(8))))
    assert isinstance(refusal, Refusal)
    assert refusal.detail() == "no capacity: 8 nodes lack CPU (need 9999 units): 0, 1, 2, 3, 4 and 3 more"
    (refusal,) = scheduler.place(Needs(conditions=(Fewer(0),)), 1, sites(site("a"), site("b")))
    assert isinstance(refusal, Refusal)
    assert refusal.words() == "no capacity: 2 nodes do not meet (fewer than 0)"


def test_no_nodes_at_all() -> None:
    (refusal,) = Scheduler().place(Needs(), 1, {})
    assert isinstance(refusal, Refusal)
    assert (refusal.words(), refusal.closest) == ("no capacity: there are no nodes", None)


def test_the_ledger_is_what_is_there_added_up() -> None:
    ledger = Ledger()
    one, other = Load(node="a", cpu=5, ports=((80, "tcp"),), counts=("g",)), Load(node="a", cpu=7, counts=("g", "h"))
    ledger.change(None, one)
    ledger.change(None, other)
    assert (ledger.use("a").cpu, ledger.use("a").counts, ledger.use("a").ports) == (
        12,
        {"g": 2, "h": 1},
        {(80, "tcp"): 1},
    )
    ledger.change(one, Load(node="b", cpu=5))
    assert (ledger.use("a").running, ledger.use("b").cpu, ledger.use("a").ports) == (1, 5, {})
    assert list(ledger.since(2)) == ["b", "a"]
    ledger.change(other, other)
    assert list(ledger.since(3)) == []
    ledger.change(other, None)
    assert ledger.use("a") == Use()


# --- properties ----------------------------------------------------------------------------------------------------

ORDERS = st.lists(
    st.sampled_from(
        [
            Order("spread", "zone"),
            Order("spread", "rack"),
            Order("spread"),
            Order("pack", "cpu"),
            Order("pack", "memory"),
        ]
    ),
    max_size=4,
).map(tuple)
SITES = st.lists(
    st.builds(
        lambda cpu, memory, zone, rack, ready, draining: {
            "cpu": cpu,
            "memory": memory,
            "labels": {"zone": zone, "rack": rack},
            "ready": ready,
            "draining": draining,
        },
        st.integers(0, 600),
        st.integers(0, 600),
        st.sampled_from("xyz"),
        st.sampled_from("pq"),
        st.sampled_from([True, True, True, False]),
        st.sampled_from([False, False, False, True]),
    ),
    max_size=6,
)
NEEDS = st.builds(
    Needs,
    cpu=st.integers(0, 200),
    memory=st.integers(0, 200),
    group=st.sampled_from(["", "g"]),
    alone=st.sampled_from([False, False, True]),
    order=ORDERS,
    conditions=st.sampled_from([(), (Fewer(3),)]),
)
STEPS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 50)), max_size=8)


def made(specs: list[dict[str, Any]]) -> dict[str, Site]:
    return sites(*(Site(id=str(number), **spec) for number, spec in enumerate(specs)))


@given(NEEDS, SITES, st.integers(0, 15))
@settings(deadline=None)
def test_nodes_are_never_overfilled_and_refusals_are_true(
    needs: Needs, specs: list[dict[str, Any]], count: int
) -> None:
    where, scheduler = made(specs), Scheduler()
    for answer in scheduler.place(needs, count, where):
        if isinstance(answer, Assignment):
            assert scheduler.lack(needs, where[answer.node]) is None
            scheduler.ledger.change(None, load(needs, answer.node))
        else:
            assert all(scheduler.lack(needs, one) is not None for one in where.values())
            assert sum(len(ids) for ids in answer.lacking.values()) == len(where)


@given(NEEDS, SITES, STEPS)
@settings(deadline=None)
def test_a_board_that_is_kept_decides_as_one_that_looks_at_every_node(
    needs: Needs, specs: list[dict[str, Any]], steps: list[tuple[int, int, int]]
) -> None:
    """Over placements, ends of tasks and changes of nodes: the kept tree against the plain comparison."""
    where, ledger = made(specs), Ledger()
    kept = Board(needs, ledger)
    there: list[Load] = []
    for kind, count, which in steps:
        if kind == 0 and there:
            ledger.change(there.pop(which % len(there)), None)
        elif kind == 1 and where:
            id_ = sorted(where)[which % len(where)]
            where = {**where, id_: Site(id=id_, cpu=which * 12, memory=600, labels={"zone": "xyz"[which % 3]})}
        elif kind == 2 and where:
            where = {id_: one for id_, one in where.items() if id_ != sorted(where)[which % len(where)]}
        plain = Board(needs, ledger, plain=True)
        kept.sync(where)
        plain.sync(where)
        taken = [plain.take() for _ in range(count)]
        assert [kept.take() for _ in range(count)] == taken
        if which % 4:  # now and then what was placed does not come to be
            for node in taken:
                if node is not None:
                    there.append(load(needs, node))
                    ledger.change(None, there[-1])


@pytest.mark.parametrize("kind", ["spread", "pack"])
def test_equal_nodes_are_taken_in_the_order_of_their_ids(kind: Any) -> None:
    where = sites(site("b"), site("c"), site("a"))
    assert placed(Scheduler(), Needs(order=(Order(kind, "cpu"),)), 1, where) == ["a"]


def test_what_not_every_node_has_is_asked_for_by_its_label() -> None:
    plain, able = site("plain"), site("able", labels={"feature": "", "family": "BSD"})
    free = Use()
    assert lack(Needs(features=frozenset({("feature", "")})), plain, free) == "feature"
    assert lack(Needs(features=frozenset({("feature", ""), ("family", "BSD")})), able, free) is None
    assert lack(Needs(features=frozenset({("family", "LINUX")})), able, free) == "feature"
    assert lack(Needs(gpus=1), able, free) == "gpu"
