"""Names that are not ours: asked of the host's own resolvers, from the host's own network.

The query leaves from the namespace of this process, not from the network of whoever asked: a task finds every name that
the host finds, whatever its subnet's routes are. Each query has a port and a number of its own; one that several ask at
the same time goes out once. A resolver that was silent is asked after the others.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import msgspec
from dns.message import Message

from hatoba.core.clock import Clock
from hatoba.core.tasks import TaskGroup
from hatoba.dns.base import Question
from hatoba.dns.cache import Cache
from hatoba.dns.replies import PAYLOAD

log = logging.getLogger(__name__)

_FILE = Path("/etc/resolv.conf")
_PERIOD = 1.0  # seconds between two looks at it
_SERVERS = 3  # as many as the C library asks
_ANSWERS = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)


class Server(NamedTuple):
    address: str
    port: int = 53


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    tries: int = 2  # of each server
    timeout: float = 1.5  # seconds for one try
    patience: float = 4.5  # for all of them: less than the five seconds after which clients ask again
    asking: int = 128  # questions under way; each has a socket


class HostResolvers:
    """The name servers of /etc/resolv.conf, read again when the file has changed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._looked: float | None = None
        self._state: tuple[int, int] | None = None
        self._servers: tuple[Server, ...] = ()

    def __call__(self) -> tuple[Server, ...]:
        now = self._clock.monotonic()
        if self._looked is None or now - self._looked >= _PERIOD:
            self._looked = now
            self._read()
        return self._servers

    def _read(self) -> None:
        try:
            found = _FILE.stat()
            if (found.st_mtime_ns, found.st_ino) == self._state:
                return
            self._state = (found.st_mtime_ns, found.st_ino)
            self._servers = name_servers(_FILE.read_text(errors="replace"))
        except OSError as error:
            log.warning("%s: %s; names that are not ours are not resolved", _FILE, error.strerror)
            self._servers, self._state = (), None


def name_servers(text: str) -> tuple[Server, ...]:
    """The servers that a resolv.conf(5) names, at most three."""
    servers: list[Server] = []
    for line in text.splitlines():
        match line.split():
            case ["nameserver", address, *_]:
                try:
                    ipaddress.ip_address(address)
                except ValueError:
                    continue
                servers.append(Server(address))
    return tuple(servers[:_SERVERS])


class Forwarder:
    """Implements `base.Upstream`. One for all networks of a node, so what one of them learned serves the others."""

    def __init__(self, servers: Callable[[], tuple[Server, ...]], clock: Clock, limits: Limits | None = None) -> None:
        self._servers = servers
        self._limits = limits or Limits()
        self._cache = Cache(clock)
        self._clock = clock
        self._asking: dict[Question, asyncio.Task[Message | None]] = {}
        self._silent: dict[Server, float] = {}  # since when
        self._tasks = TaskGroup("forward")

    def known(self, question: Question) -> Message | None:
        return self._cache.get(question)

    async def ask(self, question: Question) -> Message | None:
        task = self._asking.get(question)
        if task is None:
            if len(self._asking) >= self._limits.asking:
                return None
            task = self._tasks.start(self._ask(question), f"{question.name} {question.kind.name}")
            self._asking[question] = task
            task.add_done_callback(lambda _: self._asking.pop(question, None))
        # Whoever gives up waiting does not take the answer from the others.
        return await asyncio.shield(task)

    async def close(self) -> None:
        await self._tasks.close()

    async def _ask(self, question: Question) -> Message | None:
        refused: Message | None = None
        give_up = self._clock.monotonic() + self._limits.patience
        for _ in range(self._limits.tries):
            for server in sorted(self._servers(), key=lambda each: self._silent.get(each, 0.0)):
                left = give_up - self._clock.monotonic()
                if left <= 0:
                    return refused
                answer = await self._try(server, question, min(left, self._limits.timeout))
                if answer is not None and answer.rcode() in _ANSWERS:
                    self._cache.put(question, answer)
                    return answer
                refused = answer or refused
        return refused

    async def _try(self, server: Server, question: Question, timeout: float) -> Message | None:
        """One server's answer, over TCP when a datagram does not hold it."""
        query = dns.message.make_query(
            question.name, question.kind, use_edns=0, want_dnssec=question.signed, payload=PAYLOAD
        )
        if question.unchecked:
            query.flags |= dns.flags.CD
        try:
            async with asyncio.timeout(timeout):
                answer, _ = await dns.asyncquery.udp_with_fallback(
                    query, server.address, timeout=timeout, port=server.port, ignore_unexpected=True, ignore_errors=True
                )
        except (dns.exception.DNSException, OSError, EOFError, ValueError) as error:
            log.debug("%s does not answer for %s: %s", server.address, question.name, error)
            self._silent[server] = self._clock.monotonic()
            return None
        self._silent.pop(server, None)
        return answer
