"""Reports: each counts once, an older one never, and a node speaks only of what is its own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatoba.core.errors import Refused
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.core.secret import Sealer
from hatoba.core.virtual import run
from hatoba.fleet import model as m
from hatoba.fleet.messages import BalancerReport, Hello, TargetReport, WorkloadReport
from hatoba.fleet.reports import StatusSweeper, apply_reports, node_connected, node_lost
from hatoba.store import Store
from hatoba.store.memory import MemoryDisk, MemoryJournal

HERE = Scope("aws", "123456789012", "us-east-1")


def node(id_: str, number: int = 0) -> m.Node:
    return m.Node(key=m.nodes.key(m.FLEET, id_), name=id_, number=number, address="", cpu=1, memory=1)


def hello(name: str = "n1") -> Hello:
    return Hello(
        protocol=1,
        name=name,
        address="192.0.2.1",
        cpu=2048,
        memory=1 << 30,
        architecture="x86_64",
        attributes={},
        agent="1",
        epoch=0,
        generation=0,
    )


def report(number: int, state: Any, workload: str = "w") -> WorkloadReport:
    key = m.workload_statuses.key(HERE, workload)
    return WorkloadReport(id=workload, report=number, status=m.WorkloadStatus(key=key, node="?", state=state))


@pytest.fixture
async def store() -> Store:
    made = Store(MemoryJournal(MemoryDisk()), m.TABLES, Sealer(b"k" * 32))
    made.open()
    with made.tx() as tx:
        tx.put(m.nodes, node("n1"))
        tx.put(m.nodes, node("n2", 1))
        tx.put(m.workloads, m.Workload(key=m.workloads.key(HERE, "w"), node="n1"))
        key = m.balancers.key(HERE, "b")
        tx.put(m.balancers, m.Balancer(key=key, node="n1", network="v", interfaces=(), groups=("g",)))
    await made.durable()
    return made


def status(store: Store, workload: str = "w") -> m.WorkloadStatus | None:
    return store.find(m.workload_statuses, HERE, workload)


@given(numbers=st.lists(st.integers(1, 6), min_size=1, max_size=12))
@settings(max_examples=100, deadline=None)
def test_whatever_the_order_the_highest_number_stands(numbers: list[int]) -> None:
    states = ["pending", "starting", "running", "stopping", "stopped", "stopped"]

    async def main() -> None:
        store = Store(MemoryJournal(MemoryDisk()), m.TABLES, Sealer(b"k" * 32))
        store.open()
        with store.tx() as tx:
            tx.put(m.workloads, m.Workload(key=m.workloads.key(HERE, "w"), node="n1"))
        highest = 0
        for number in numbers:
            seq = store.seq
            apply_reports(store, "n1", [report(number, states[number - 1])])
            assert (store.seq > seq) == (number > highest), "only what is new is written"
            highest = max(highest, number)
            found = status(store)
            assert found is not None
            assert (found.report, found.state, found.node) == (highest, states[highest - 1], "n1")

    run(main())


async def test_a_lost_node_that_returns_is_believed_again_but_not_its_past(store: Store) -> None:
    apply_reports(store, "n1", [report(5, "running")])
    node_lost(store, "n1")
    assert status(store).state == "lost"  # type: ignore[union-attr]
    apply_reports(store, "n1", [report(4, "starting")])  # late, and older than what we knew
    assert status(store).state == "lost"  # type: ignore[union-attr]
    apply_reports(store, "n1", [report(5, "running")])
    assert status(store).state == "running"  # type: ignore[union-attr]


async def test_losing_a_node_loses_what_it_never_spoke_of_and_keeps_what_had_stopped(store: Store) -> None:
    with store.tx() as tx:
        for id_ in ("silent", "over"):
            tx.put(m.workloads, m.Workload(key=m.workloads.key(HERE, id_), node="n1"))
        tx.put(m.workloads, m.Workload(key=m.workloads.key(HERE, "other"), node="n2"))
    apply_reports(store, "n1", [report(1, "running"), report(1, "stopped", "over")])
    apply_reports(store, "n2", [report(1, "running", "other")])
    node_lost(store, "n1")
    found = {id_: status(store, id_).state for id_ in ("w", "silent", "over", "other")}  # type: ignore[union-attr]
    assert found == {"w": "lost", "silent": "lost", "over": "stopped", "other": "running"}
    seq = store.seq
    node_lost(store, "n1")
    assert store.seq == seq
    assert {n.id: n.state for n in store.all(m.nodes)} == {"n1": "lost", "n2": "ready"}


async def test_a_node_speaks_only_of_its_own(store: Store) -> None:
    seq = store.seq
    key = m.balancer_statuses.key(m.FLEET, "b")
    target = m.TargetStatus(key=m.target_statuses.key(m.FLEET, "g|t"), group="g", target="t", state="healthy")
    apply_reports(
        store,
        "n2",
        [
            report(1, "running"),
            report(1, "running", "unheard of"),
            BalancerReport(id="b", report=1, status=m.BalancerStatus(key=key, node="n2", applied=1)),
            TargetReport(id="g|t", report=1, status=target),
        ],
    )
    assert store.seq == seq


async def test_an_older_balancer_report_changes_nothing(store: Store) -> None:
    key = m.balancer_statuses.key(m.FLEET, "b")
    for number, applied in ((2, 7), (1, 3), (2, 7)):
        told = m.BalancerStatus(key=key, node="", applied=applied)
        apply_reports(store, "n1", [BalancerReport(id="b", report=number, status=told)])
    (found,) = store.all(m.balancer_statuses)
    assert (found.applied, found.node, found.version) == (7, "n1", 1)


async def test_a_targets_last_word_stands_whatever_the_clock_says(store: Store) -> None:
    def said(number: int, state: str, at: float) -> TargetReport:
        key = m.target_statuses.key(m.FLEET, "g|t")
        return TargetReport(
            id="g|t", report=number, status=m.TargetStatus(key=key, group="g", target="t", state=state, at=at)
        )

    apply_reports(store, "n1", [said(1, "initial", 9.0), said(2, "healthy", 8.0), said(1, "initial", 9.0)])
    (found,) = store.all(m.target_statuses)
    assert (found.state, found.at, found.node) == ("healthy", 8.0, "n1")
    with store.tx() as tx:
        (carried,) = tx.all(m.balancers)
        tx.put(m.balancers, replace(carried, node="n2"))
    apply_reports(store, "n2", [said(1, "unhealthy", 1.0)])  # it moved: another node, another count
    apply_reports(store, "n1", [said(9, "healthy", 99.0)])
    (found,) = store.all(m.target_statuses)
    assert (found.state, found.node) == ("unhealthy", "n2")


async def test_a_workload_that_moved_is_its_new_nodes(store: Store) -> None:
    apply_reports(store, "n1", [report(5, "running")])
    with store.tx() as tx:
        record = tx.find(m.workloads, HERE, "w")
        assert record is not None
        tx.put(m.workloads, replace(record, node="n2"))
    apply_reports(store, "n1", [report(9, "stopped")])
    assert status(store).state == "running"  # type: ignore[union-attr]


async def test_an_unknown_node_cannot_connect(store: Store) -> None:
    with pytest.raises(Refused, match="never joined"):
        node_connected(store, "n9", hello("n9"), 5.0)
    node_lost(store, "n1")
    node_connected(store, "n1", hello(), 5.0)
    found = store.find(m.nodes, m.FLEET, "n1")
    assert found is not None
    assert (found.state, found.address, found.cpu, found.number, found.seen_at) == ("ready", "192.0.2.1", 2048, 0, 5.0)


def test_statuses_go_with_what_they_speak_of() -> None:
    async def main() -> None:
        disk = MemoryDisk()
        store = Store(MemoryJournal(disk), m.TABLES, Sealer(b"k" * 32))
        store.open()
        with store.tx() as tx:
            for id_ in ("w", "x"):
                tx.put(m.workloads, m.Workload(key=m.workloads.key(HERE, id_), node="n1"))
        apply_reports(store, "n1", [report(1, "running"), report(1, "running", "x")])
        await store.durable()
        StatusSweeper(store)
        with store.tx() as tx:
            tx.forget(m.workloads, m.workloads.key(HERE, "w"))
        await store.durable()
        await store.durable()
        assert [s.id for s in store.all(m.workload_statuses)] == ["x"]
        store.feed._subscribers.clear()  # a crash comes between the two
        with store.tx() as tx:
            tx.forget(m.workloads, m.workloads.key(HERE, "x"))
        StatusSweeper(store).sweep()
        assert store.all(m.workload_statuses) == []

    run(main())
