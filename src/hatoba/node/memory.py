"""What the agent knows across its own restarts, in a small store of its own (`DIR/node/state.db`).

    items     what the control plane wants here, as last heard: enough to carry on without it
    held      each workload's state machine, with the number of the last report that was acknowledged
    identity  epoch and generation of the items

The same store as the control plane's, with the journal's `normal` synchronisation: after a power cut no container is
left whose state could be lost. Item bodies may hold secrets and are kept sealed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from hatoba.core.keys import Scope
from hatoba.core.records import Record, replace
from hatoba.core.secret import Sealer
from hatoba.fleet.messages import Delta, Gone, Item, Kind, Snapshot
from hatoba.node.held import Held
from hatoba.store import Store, Table
from hatoba.store.journal import Journal
from hatoba.store.sqlite import SqliteJournal
from hatoba.store.writer import end_process

_HERE = Scope("", "", "")


class ItemRecord(Record, frozen=True, kw_only=True):
    kind: Kind
    name: str
    sealed: bytes


class HeldRecord(Record, frozen=True, kw_only=True):
    held: Held
    acknowledged: int = 0


class Position(Record, frozen=True, kw_only=True):
    epoch: int = 0
    generation: int = 0
    registry: str = ""  # of the platform, as "host:port"


item_table = Table("node.items", ItemRecord)
held_table = Table("node.held", HeldRecord)
position_table = Table("node.position", Position)

_POSITION = position_table.key(_HERE, "position")


class Memory:
    """One writer: the agent."""

    def __init__(
        self,
        folder: Path,
        journal: Journal | None = None,
        failed: Callable[[BaseException], None] = end_process,
    ) -> None:
        """The simulator hands in a journal in memory, and does not want to end with the agent that it kills."""
        self._sealer = Sealer.from_file(folder / "state.key")
        journal = journal or SqliteJournal(folder / "state.db", synchronous="NORMAL")
        self._store = Store(journal, [item_table, held_table, position_table], self._sealer, failed=failed)

    def open(self) -> None:
        self._store.open()

    def close(self) -> None:
        self._store.close()

    async def durable(self) -> None:
        """Returns once everything noted so far outlives this process."""
        await self._store.durable()

    # --- items

    @property
    def position(self) -> tuple[int, int]:
        """Epoch and generation of the items held; (0, 0) when there are none."""
        record = self._store.get(position_table, _POSITION)
        return (record.epoch, record.generation) if record else (0, 0)

    @property
    def registry(self) -> str:
        """Where the platform's is, as last heard; "" before that."""
        record = self._store.get(position_table, _POSITION)
        return record.registry if record else ""

    def keep_registry(self, registry: str) -> None:
        if registry != self.registry:
            with self._store.tx() as tx:
                position = tx.get(position_table, _POSITION) or Position(key=_POSITION)
                tx.put(position_table, replace(position, registry=registry))

    def items(self) -> list[Item]:
        return [Item(kind=r.kind, id=r.name, body=self._sealer.unseal(r.sealed)) for r in self._store.all(item_table)]

    def keep_snapshot(self, snapshot: Snapshot) -> tuple[list[Item], list[Gone]]:
        """Makes the snapshot what is held; answers what that changed."""
        before = {(item.kind, item.id): item for item in self.items()}
        after = {(item.kind, item.id): item for item in snapshot.items}
        put = [item for name, item in after.items() if before.get(name) != item]
        gone = [Gone(kind=kind, id=id_) for kind, id_ in before if (kind, id_) not in after]
        self._write(put, gone, snapshot.epoch, snapshot.generation)
        return put, gone

    def keep_delta(self, delta: Delta) -> None:
        self._write(delta.put, delta.gone, delta.epoch, delta.generation)

    def _write(self, put: Iterable[Item], gone: Iterable[Gone], epoch: int, generation: int) -> None:
        with self._store.tx() as tx:
            for item in put:
                key = item_table.key(_HERE, f"{item.kind}/{item.id}")
                sealed = self._sealer.seal(item.body)
                tx.write(item_table, ItemRecord(key=key, kind=item.kind, name=item.id, sealed=sealed))
            for name in gone:
                tx.forget(item_table, item_table.key(_HERE, f"{name.kind}/{name.id}"))
            position = tx.get(position_table, _POSITION) or Position(key=_POSITION)
            tx.put(position_table, replace(position, epoch=epoch, generation=generation))

    # --- workloads

    def held(self) -> list[HeldRecord]:
        return self._store.all(held_table)

    def keep(self, id_: str, held: Held) -> None:
        key = held_table.key(_HERE, id_)
        with self._store.tx() as tx:
            known = tx.get(held_table, key) or HeldRecord(key=key, held=held)
            tx.put(held_table, replace(known, held=held))

    def acknowledged(self, id_: str, report: int) -> None:
        with self._store.tx() as tx:
            known = tx.find(held_table, _HERE, id_)
            if known is not None and known.acknowledged < report:
                tx.put(held_table, replace(known, acknowledged=report))

    def forget(self, id_: str) -> None:
        with self._store.tx() as tx:
            tx.forget(held_table, held_table.key(_HERE, id_))
