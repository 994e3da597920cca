"""Objects' bytes: the engine, and which of its files records want. Made once by the composition root.

    files = open_bodies(folder, store, sealer, ids)
    await files.prepare()
    plane.provide(Files, files)
    tasks.start(files.sweep(), …)                     # what a crash has left

A record that goes, or is replaced, lets go of its files once that is durable: by the store's feed, whoever removed it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatoba.core.ids import Ids
from hatoba.core.secret import Sealer
from hatoba.objects.files import Files
from hatoba.services.s3 import model
from hatoba.store import Change, Store, Table

HOLDING: tuple[Table[Any], ...] = (model.objects, model.versions, model.parts)  # tables whose records want files


def open_bodies(folder: Path, store: Store, sealer: Sealer, ids: Ids) -> Files:
    """The store must be open."""

    def wanted(body: str) -> bool:
        return any(store.count(table, "body", body) for table in HOLDING)

    files = Files(folder, sealer, ids, wanted)

    def hear(change: Change[Any]) -> None:
        if change.before is not None:
            files.release(change.table.indexes["body"].values(change.before))  # type: ignore[arg-type]

    for table in HOLDING:
        store.feed.subscribe(table, hear)
    return files
