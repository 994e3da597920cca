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


class Appender:
    """Writes one batch after the other, until one fails."""

    def __init__(
        self,
        journal: Journal,
        epoch: int,
        seq: int,
        advanced: Callable[[int], None],
        failed: Callable[[BaseException], None] = end_process,
    ) -> None:
        """`advanced(seq)` is called after each durable write, in the thread that made it."""
        self._journal = journal
        self._epoch = epoch
        self._seq = seq
        self.advanced = advanced
        self._failed = failed

    def append(self, batch: list[Entry]) -> bool:
        """False when nothing may be written any more."""
        try:
            self._journal.append(self._epoch, self._seq, batch)
        except BaseException as error:  # noqa: BLE001  whatever it was: the outcome is unknown
            self._failed(error)
            return False
        self._seq = batch[-1].seq
        self.advanced(self._seq)
        return True


class ThreadWriter:
    def __init__(self, appender: Appender) -> None:
        self._appender = appender
        self._waiting: SimpleQueue[Entry | None] = SimpleQueue()  # None: the end
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def put(self, entry: Entry) -> None:
        self._waiting.put(entry)

    def _run(self) -> None:
        more = True
        while more:
            batch, more = self._gathered()
            if not batch or not self._appender.append(batch):
                return

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

    def __init__(self, appender: Appender) -> None:
        self._appender = appender
        self._pending: list[Entry] = []
        self._loop = asyncio.get_running_loop()

    def put(self, entry: Entry) -> None:
        if not self._pending:
            self._loop.call_soon(self._write)
        self._pending.append(entry)

    def _write(self) -> None:
        batch, self._pending = self._pending, []
        if batch:
            self._appender.append(batch)

    def close(self) -> None:
        self._write()
