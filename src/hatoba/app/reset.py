"""`POST /_hatoba/reset`: ends all tasks and forgets all AWS state. For test suites, with `--auth off` only.

What rooms store is forgotten first, so that nothing is started again; workloads are told to stop and forgotten once
their nodes have let go of them. Nodes, and the tokens they join with, stay; but for those of one account, whose
activations are forgotten.
"""

from __future__ import annotations

import asyncio
from typing import Any

from hatoba.app.rooms import tables
from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.services.logs import model as logs
from hatoba.store import Change, Store, Table, Tx

KEPT = {fleet.nodes.name, fleet.enrolments.name, logs.doomed.name}
# What nodes need to take a workload down in order, and what they say of it.
LAST = {table.name for table in (fleet.workloads, fleet.workload_statuses, fleet.interfaces, fleet.networks)}
PATIENCE = 60.0  # seconds for the nodes to stop everything


async def reset(store: Store) -> None:
    with store.tx() as tx:
        for stream in store.all(logs.streams):
            logs.delete_stream(tx, stream)  # its events are cleared away by and by
        for table in tables():
            if table.name not in KEPT | LAST:
                _forget_all(tx, table)
        for workload in store.all(fleet.workloads):
            tx.put(
                fleet.workloads,
                replace(
                    workload,
                    want="stopped",
                    containers=tuple(replace(c, stop_timeout=0.0) for c in workload.containers),
                ),
            )
    await _stopped(store)
    with store.tx() as tx:
        for table in tables():
            if table.name in LAST:
                _forget_all(tx, table)
        for node in store.all(fleet.nodes):
            if node.account:
                tx.forget(fleet.nodes, node.key)
    await store.durable()


def _forget_all(tx: Tx, table: Table[Any]) -> None:
    for record in tx.all(table):
        tx.forget(table, record.key)


async def _stopped(store: Store) -> None:
    """Every workload on a node that is there has stopped. Raises `TimeoutError`."""
    changed = asyncio.Event()

    def hear(change: Change[fleet.WorkloadStatus]) -> None:
        changed.set()

    unsubscribe = store.feed.subscribe(fleet.workload_statuses, hear)
    try:
        async with asyncio.timeout(PATIENCE):
            while _running(store):
                await changed.wait()
                changed.clear()
    finally:
        unsubscribe()


def _running(store: Store) -> list[Key]:
    found = []
    for workload in store.all(fleet.workloads):
        status = store.find(fleet.workload_statuses, workload.scope, workload.id)
        if status is None or status.state not in ("stopped", "lost"):
            found.append(workload.key)
    return found
