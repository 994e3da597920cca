"""Writers take whatever transactions have gathered and make them durable with one write.

`ThreadWriter` is for journals that block: while one write is under way the next batch gathers, so a busy store shares
each fsync among many transactions. `LoopWriter` is for journals in memory: no thread, so a simulation stays
deterministic. A write that fails ends the process: what it left on disk is unknown, and the next start reads the truth.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol

from hatoba.store.journal import Entry, Journal

log = logging.getLogger(__name__)


def end_process(error: BaseException) -> None:
    log.critical("the journal could not be written; ending now so that nothing is answered that is not kept: %s", error)
    logging.shutdown()
    os._exit(70)


class Writer(Protocol):
    def put(self, entry: Entry) -> None: ...

    def close(self) -> None:
        """Writes what has gathered, and ends."""
        ...


class ThreadWriter:
    def __init__(
        self,
        journal: Journal,
        epoch: int,
        seq: int,
        advanced: Callable[[int], None],
        failed: Callable[[BaseException], None] = end_process,
    ) -> None:
        """`advanced(seq)` is called from the writer thread after each durable write."""
        self._journal = journal
        self._epoch = epoch
        self._seq = seq
        self._advanced = advanced
        self._failed = failed
        self._waiting: SimpleQueue[Entry | None] = SimpleQueue()  # None: the end
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def put(self, entry: Entry) -> None:
        self._waiting.put(entry)

    def _run(self) -> None:
        more = True
        while more:
            batch, more = self._gathered()
            if not batch:
                return
            try:
                self._journal.append(self._epoch, self._seq, batch)
            except BaseException as error:  # noqa: BLE001  whatever it was: the outcome is unknown
                self._failed(error)
                return
            self._seq = batch[-1].seq
            self._advanced(self._seq)

    def _gathered(self) -> tuple[list[Entry], bool]:
        """Everything that waits, once there is something; and whether more may come."""
        batch = []
        entry = self._waiting.get()
        while entry is not None:
            batch.append(entry)
            if self._waiting.empty():  # nobody else takes from it
                return batch, True
            entry = self._waiting.get()
        return batch, False

    def close(self) -> None:
        self._waiting.put(None)
        self._thread.join()


class LoopWriter:
    """One write per turn of the loop."""

    def __init__(
        self,
        journal: Journal,
        epoch: int,
        seq: int,
        advanced: Callable[[int], None],
        failed: Callable[[BaseException], None] = end_process,
    ) -> None:
        self._journal = journal
        self._epoch = epoch
        self._seq = seq
        self._advanced = advanced
        self._failed = failed
        self._pending: list[Entry] = []
        self._loop = asyncio.get_running_loop()

    def put(self, entry: Entry) -> None:
        if not self._pending:
            self._loop.call_soon(self._write)
        self._pending.append(entry)

    def _write(self) -> None:
        batch, self._pending = self._pending, []
        if not batch:
            return
        try:
            self._journal.append(self._epoch, self._seq, batch)
        except Exception as error:  # noqa: BLE001  as above
            self._failed(error)
            return
        self._seq = batch[-1].seq
        self._advanced(self._seq)

    def close(self) -> None:
        self._write()
