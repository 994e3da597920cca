"""The writer thread: takes whatever transactions have gathered and makes them durable with one write.

While one write is under way the next batch gathers, so a busy store shares each fsync among many transactions. A write
that fails ends the process: what it left on disk is unknown, and the next start reads the truth.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from hatoba.store.journal import Entry, Journal

log = logging.getLogger(__name__)


def end_process(error: BaseException) -> None:
    log.critical("the journal could not be written; ending now so that nothing is answered that is not kept: %s", error)
    logging.shutdown()
    os._exit(70)


class Writer:
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
        self._pending: list[Entry] = []
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def put(self, entry: Entry) -> None:
        with self._wake:
            self._pending.append(entry)
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._pending and not self._closing:
                    self._wake.wait()
                batch, self._pending = self._pending, []
            if not batch:
                return
            try:
                self._journal.append(self._epoch, self._seq, batch)
            except BaseException as error:  # noqa: BLE001  whatever it was: the outcome is unknown
                self._failed(error)
                return
            self._seq = batch[-1].seq
            self._advanced(self._seq)

    def close(self) -> None:
        """Writes what has gathered, then ends the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
