"""The spooler: one small process per node that owns the reading ends of all containers' output.

    python -m hatoba.node.logs.spooler ROOT [READY_FD]

It moves bytes from FIFOs into spools and tells the agent. It outlives the agent: output goes on being spooled while
there is none. It can be killed at any moment: what is not spooled yet waits in the FIFO, which the container's shim
keeps open, and the agent starts another spooler that goes on. It ends by itself when it has neither agent nor spools.

In blocking mode a full spool leaves the FIFO alone, which soon stops the container's writes. Imports as little as it
can: one of these runs on every node, for good.
"""

from __future__ import annotations

import fcntl
import os
import resource
import select
import socket
import sys
import time

from hatoba.node.logs import feed as feeds
from hatoba.node.logs import protocol
from hatoba.node.logs.feed import Feed

LONELY_SECONDS = 10.0  # how long it waits for its first agent
DISK_SECONDS = 0.5  # how long it waits for room on a full disk: nothing tells of that


class Spooler:
    """Works below the current directory, which is its root."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._feeds: dict[str, Feed] = {}
        self._by_pipe: dict[int, Feed] = {}
        self._poll = select.epoll()
        self._poll.register(listener, select.EPOLLIN)
        self._agent: socket.socket | None = None
        self._unsent: list[bytes] = []
        self._met = False  # there has been an agent
        self._short: set[str] = set()  # spools that the disk had no room for
        self._stopping = False

    def run(self) -> None:
        while not self._stopping:
            patience = DISK_SECONDS if self._short else (LONELY_SECONDS if not self._met else -1)
            happened = self._poll.poll(patience)
            for descriptor, events in happened:
                self._handle(descriptor, events)
            for key in list(self._short):
                self._short.discard(key)
                if (feed := self._feeds.get(key)) is not None and feed.ending:
                    self._end(feed)
                elif feed is not None:
                    self._watch(feed)
            if self._agent is None and not self._feeds and (self._met or not happened):
                return

    def _handle(self, descriptor: int, events: int) -> None:
        if descriptor == self._listener.fileno():
            self._welcome(self._listener.accept()[0])
        elif self._agent is not None and descriptor == self._agent.fileno():
            if events & select.EPOLLOUT:
                self._send_unsent()
            if events & ~select.EPOLLOUT:
                self._listen()
        elif (feed := self._by_pipe.get(descriptor)) is not None:
            self._turn(feed)

    # --- the FIFOs

    def _turn(self, feed: Feed) -> None:
        found = feed.turn(_now())
        if found == feeds.FULL:
            self._unwatch(feed)
        elif found == feeds.NO_DISK:
            self._unwatch(feed)
            self._short.add(feed.key)
            feed.spool.free()
        elif found == feeds.END:
            self._end(feed)
        elif found == feeds.MOVED:
            self._tell(feed)

    def _watch(self, feed: Feed) -> None:
        if not feed.watched and not feed.ended:
            feed.watched = True
            self._by_pipe[feed.pipe] = feed
            self._poll.register(feed.pipe, select.EPOLLIN)

    def _unwatch(self, feed: Feed) -> None:
        if feed.watched:
            feed.watched = False
            del self._by_pipe[feed.pipe]
            self._poll.unregister(feed.pipe)

    def _end(self, feed: Feed) -> None:
        if not feed.ended:
            self._unwatch(feed)
            if not feed.drain(_now()):
                self._short.add(feed.key)
                return
            feed.close()
        self._send("ended", feed.key, feed.spool.end, feed.dropped)

    # --- the agent

    def _welcome(self, agent: socket.socket) -> None:
        # The newest one counts: an older one is dead, or should be.
        self._part()
        agent.setblocking(False)
        self._agent, self._met = agent, True
        self._poll.register(agent, select.EPOLLIN)

    def _part(self) -> None:
        if self._agent is not None:
            self._poll.unregister(self._agent)
            self._agent.close()
            self._agent = None
        self._unsent.clear()
        for feed in self._feeds.values():
            feed.told = True  # until the next agent has asked for it by `add`

    def _listen(self) -> None:
        assert self._agent is not None
        try:
            message = self._agent.recv(protocol.MESSAGE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:
            self._part()
            return
        verb, *fields = protocol.unpack(message)
        if verb == "stop":
            self._stopping = True
        elif verb == "add":
            self._add(*fields)
        elif (feed := self._feeds.get(fields[0])) is None:
            if verb == "remove":
                self._send("removed", fields[0])
        elif verb == "ack":
            self._acknowledged(feed, int(fields[1]), int(fields[2]))
        elif verb == "end":
            self._end(feed)
        elif verb == "remove":
            self._remove(feed)

    def _add(self, key: str, fifo: str, limit: str, mode: str) -> None:
        feed = self._feeds.get(key)
        if feed is None:
            try:
                feed = Feed(key, key, fifo, int(limit), mode)
            except OSError as error:
                self._send("failed", key, str(error))
                return
            self._feeds[key] = feed
        feed.told = True
        self._send("state", key, feed.spool.stored, feed.spool.end)
        if feed.ended:
            self._end(feed)
        else:
            self._watch(feed)

    def _acknowledged(self, feed: Feed, stored: int, read: int) -> None:
        feed.spool.store(stored)
        feed.told = False
        if feed.spool.end > read:
            self._tell(feed)
        if feed.key in self._short:
            feed.spool.free()  # it is tried again with all that wait for the disk
        elif feed.spool.held < feed.limit:
            self._watch(feed)

    def _remove(self, feed: Feed) -> None:
        self._unwatch(feed)
        feed.close()
        feed.spool.remove()
        del self._feeds[feed.key]
        self._short.discard(feed.key)
        self._send("removed", feed.key)

    def _tell(self, feed: Feed) -> None:
        if not feed.told:
            feed.told = True
            self._send("data", feed.key, feed.spool.end, feed.dropped)

    def _send(self, *fields: str | int) -> None:
        if self._agent is None:
            return
        self._unsent.append(protocol.pack(*fields))
        if len(self._unsent) == 1:
            self._send_unsent()

    def _send_unsent(self) -> None:
        """An agent that does not listen is told later. One `data` per feed is all that can pile up."""
        assert self._agent is not None
        while self._unsent:
            try:
                self._agent.send(self._unsent[0])
            except BlockingIOError:
                self._poll.modify(self._agent, select.EPOLLIN | select.EPOLLOUT)
                return
            except OSError:
                return  # it is gone: reading will say so
            self._unsent.pop(0)
        self._poll.modify(self._agent, select.EPOLLIN)


def _now() -> int:
    # Not core's clock, which would bring asyncio into this process.
    return time.time_ns() // 1_000_000


def main(root: str, ready: int | None = None) -> int:
    """Returns the exit code: 3 when the root has a spooler already."""
    os.chdir(root)  # relative names keep the socket's within its limit
    lock = os.open(protocol.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 3
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.setblocking(False)
    if os.path.exists(protocol.SOCKET):
        os.unlink(protocol.SOCKET)
    os.umask(0o077)
    listener.bind(protocol.SOCKET)
    listener.listen(4)
    if ready is not None:
        os.close(ready)
    # Each container takes eight descriptors.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    Spooler(listener).run()
    os.unlink(protocol.SOCKET)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None))
