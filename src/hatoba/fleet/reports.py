"""What nodes report, written down. Observed tables have no other writer.

A report is the whole state of one thing with a number that only rises, so reports may be repeated, merged and
delivered late: an older one changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from hatoba.core.errors import Refused
from hatoba.core.records import replace
from hatoba.fleet import model as m
from hatoba.fleet.messages import BalancerReport, Hello, Report, TargetReport, WorkloadReport
from hatoba.store import Change, Store, Table, Tx

S = TypeVar("S", m.BalancerStatus, m.TargetStatus)


def apply_reports(store: Store, node: str, reports: Iterable[Report]) -> None:
    """Writes reports in one transaction. What is not (or no longer) the node's is passed over."""
    with store.tx() as tx:
        for report in reports:
            match report:
                case WorkloadReport():
                    _workload(tx, node, report)
                case BalancerReport():
                    _balancer(tx, node, report)
                case TargetReport():
                    _target(tx, node, report)


def _workload(tx: Tx, node: str, report: WorkloadReport) -> None:
    key = report.status.key._replace(type=m.workload_statuses.name)
    workload = tx.get(m.workloads, key._replace(type=m.workloads.name))
    if workload is None or workload.node != node:
        return
    before = tx.get(m.workload_statuses, key)
    if before is not None and not _newer(report.report, before):
        return
    tx.write(m.workload_statuses, replace(report.status, key=key, node=node, report=report.report))


def _newer(number: int, before: m.WorkloadStatus) -> bool:
    """A node that was lost says the last thing once more: that counts again."""
    return number > before.report or (number == before.report and before.state == "lost")


def _balancer(tx: Tx, node: str, report: BalancerReport) -> None:
    if not any(balancer.node == node for balancer in tx.index(m.balancers, "id", report.id)):
        return
    _note(tx, m.balancer_statuses, report.id, node, report.report, report.status)


def _target(tx: Tx, node: str, report: TargetReport) -> None:
    status = report.status
    if not any(balancer.node == node for balancer in tx.index(m.balancers, "group", status.group)):
        return
    _note(tx, m.target_statuses, m.target_id(status.group, status.target), node, report.report, status)


def _note(tx: Tx, table: Table[S], id_: str, node: str, number: int, status: S) -> None:
    """Unless the node has said something newer; and what it says once more wakes nobody."""
    key = table.key(m.FLEET, id_)
    before = tx.get(table, key)
    if before is not None and before.node == node and before.report > number:
        return
    tx.renew(table, replace(status, key=key, node=node, report=number))


def node_connected(store: Store, node: str, hello: Hello, now: float) -> None:
    """A node opened a session: it is there, with what it says of itself."""
    with store.tx() as tx:
        known = tx.find(m.nodes, m.FLEET, node)
        if known is None:
            raise Refused(
                f"{node} has never joined, or was removed. It can come back as a new one: `hatoba down --purge` there, "
                "then `hatoba node` with a token or an activation."
            )
        after = replace(
            known,
            name=hello.name,
            address=hello.address,
            cpu=hello.cpu,
            memory=hello.memory,
            architecture=hello.architecture,
            attributes={**hello.attributes, **known.imposed},
            agent=hello.agent,
            protocol=hello.protocol,
            state="ready",
            seen_at=now,
        )
        tx.put(m.nodes, after)


def node_lost(store: Store, node: str) -> None:
    """Its lease ran out: whatever it ran counts as lost, until it says otherwise."""
    with store.tx() as tx:
        record = tx.find(m.nodes, m.FLEET, node)
        if record is None or record.state == "lost":
            return
        tx.put(m.nodes, replace(record, state="lost"))
        for status in tx.index(m.workload_statuses, "node", node):
            if status.state not in ("stopped", "lost"):
                tx.put(m.workload_statuses, replace(status, state="lost"))
        for workload in tx.index(m.workloads, "node", node):
            key = workload.key._replace(type=m.workload_statuses.name)
            if tx.get(m.workload_statuses, key) is None:  # it was never heard of: lost all the same
                tx.put(m.workload_statuses, m.WorkloadStatus(key=key, node=node, state="lost"))


def expel(store: Store, node: str) -> None:
    """It is no node any more: what it ran is lost, its certificate worth nothing, and its session ends."""
    node_lost(store, node)
    with store.tx() as tx:
        tx.forget(m.nodes, m.nodes.key(m.FLEET, node))


class StatusSweeper:
    """Forgets what was observed of things that are no longer wanted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.feed.subscribe(m.workloads, self._workload)
        store.feed.subscribe(m.balancers, self._balancer)

    def _workload(self, change: Change[m.Workload]) -> None:
        if change.after is None:
            with self._store.tx() as tx:
                tx.forget(m.workload_statuses, change.key._replace(type=m.workload_statuses.name))

    def _balancer(self, change: Change[m.Balancer]) -> None:
        if change.after is None:
            with self._store.tx() as tx:
                tx.forget(m.balancer_statuses, m.balancer_statuses.key(m.FLEET, change.key.id))

    def sweep(self) -> None:
        """Once at the start: what a crash between the two left."""
        wanted = {workload.key._replace(type="") for workload in self._store.all(m.workloads)}
        with self._store.tx() as tx:
            for status in self._store.all(m.workload_statuses):
                if status.key._replace(type="") not in wanted:
                    tx.forget(m.workload_statuses, status.key)
