"""One FIFO and its spool, as the spooler sees them: when to take bytes, when to wait, when to let them go."""

from __future__ import annotations

import fcntl
import os

from hatoba.node.logs import protocol
from hatoba.node.logs.spool import Spool

PIPE_BYTES = 256 << 10
TURN_BYTES = 1 << 20  # moved for one container before the next has its turn

_F_SETPIPE_SZ = 1031

# What a turn found. Whatever the disk has against it is tried again later: one bad spool must not end them all.
MOVED, EMPTY, FULL, NO_DISK, END = "moved", "empty", "full", "no disk", "end"


class Feed:
    """`told` and `watched` belong to the spooler: the agent knows of unread bytes; the pipe is being polled."""

    def __init__(self, key: str, folder: str, fifo: str, limit: int, mode: str) -> None:
        self.key = key
        self.limit = limit
        self.mode = mode
        # For writing too, so that there always is a writer: one that leaves is not the end. When the agent dies while a
        # container is being made, its runtime gives it up with the FIFO open already, and it is made again later.
        self.pipe = os.open(fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self.spool = Spool(folder)
        except OSError:
            os.close(self.pipe)
            raise
        try:  # noqa: SIM105  (contextlib would be one more import)
            fcntl.fcntl(self.pipe, _F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            pass  # the user's allowance for pipes is used up: the default size does, with more turns
        self.told = False
        self.watched = False
        self.ending = self.ended = False
        self.dropped = 0  # bytes, in all
        self._gap = 0  # bytes dropped since the last one that was kept

    def turn(self, now: int) -> str:
        """Moves what there is, up to a turn's worth."""
        room = self.limit - self.spool.held
        try:
            if room > 0:
                self._mark_gap(now)
                return MOVED if self.spool.take(self.pipe, min(TURN_BYTES, room), now) else END
            if self.mode == protocol.BLOCK:
                return FULL
            return MOVED if self._discard() else END
        except BlockingIOError:
            return EMPTY
        except OSError:
            return NO_DISK

    def _discard(self) -> int:
        sink = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        try:
            lost = os.splice(self.pipe, sink, TURN_BYTES)
        finally:
            os.close(sink)
        self.dropped += lost
        self._gap += lost
        return lost

    def _mark_gap(self, now: int) -> None:
        if self._gap:
            self.spool.mark(now, self._gap)
            self._gap = 0

    def drain(self, now: int) -> bool:
        """Spools what the FIFO still holds, over the limit if need be (a FIFO holds little). For when nobody will
        write any more. False when the disk has no room for it."""
        if not self.ending:
            self.ending = True
            self.limit += PIPE_BYTES
        while (found := self.turn(now)) == MOVED:
            pass
        self.ended = found != NO_DISK
        return self.ended

    def close(self) -> None:
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1
