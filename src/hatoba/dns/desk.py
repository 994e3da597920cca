"""One message in, one message out: from the names we know, or from upstream.

Clients ask the same few questions again and again, in the same bytes but for the two of the message's number. So an
answer is written once for each order of its addresses and found by those bytes from then on, until the names change.
"""

from __future__ import annotations

import logging

import dns.exception
import dns.rcode

from hatoba.dns import replies
from hatoba.dns.base import Find, Found, Upstream
from hatoba.dns.replies import Query
from hatoba.dns.zone import turned

log = logging.getLogger(__name__)

REMEMBERED = 256  # questions whose answers are kept written
LONGEST_REMEMBERED = 320  # bytes of such a question: any name, and the usual options
ORDERS = 16  # of a name's addresses


class _Written:
    """The answers to one question, one for each order of the addresses; they are written as they are needed."""

    __slots__ = ("_found", "_next", "_orders", "_tails")

    def __init__(self, found: Found, first: int) -> None:
        self._found = found
        self._orders = min(max(1, len(found.values)), ORDERS)
        self._next = first % self._orders
        self._tails: list[bytes] = [b""] * self._orders

    def tail(self, wire: bytes, query: Query | None = None) -> bytes:
        """The answer but for the message's number. Raises `DNSException` when a value is not what its kind says."""
        order, self._next = self._next, (self._next + 1) % self._orders
        if not self._tails[order]:
            query = query or replies.expect(wire)
            found = turned(self._found, order * len(self._found.values) // self._orders) if order else self._found
            self._tails[order] = replies.render(query, found)[2:]
        return self._tails[order]


class Desk:
    """`find` is asked first, then `upstream`. No sockets here."""

    def __init__(self, find: Find, upstream: Upstream) -> None:
        self._find = find
        self._upstream = upstream
        self._written: dict[bytes, _Written] = {}  # of datagrams only: what goes over TCP is rare, and may be long
        self._turn = 0

    def changed(self) -> None:
        """The names are not what they were."""
        self._written.clear()

    def answer(self, wire: bytes, *, stream: bool) -> bytes | Query | None:
        """The reply; or the query, if upstream has to be asked (`relayed`); or None: nothing is to be sent."""
        written = None if stream else self._written.get(wire[2:])
        if written is not None:
            return wire[:2] + written.tail(wire)
        query = replies.read(wire, stream=stream)
        if not isinstance(query, Query):
            return query
        found = self._find(query.name, query.kind)
        if found is None:
            known = self._upstream.known(query.question)
            return replies.relay(query, known) if known is not None else query
        self._turn += 1
        written = _Written(found, self._turn)
        try:
            tail = written.tail(wire, query)
        except (dns.exception.DNSException, ValueError) as error:
            log.error("the name %s has values that cannot be told: %s", query.name, error)
            return replies.error(query.message, dns.rcode.SERVFAIL)
        if not stream and len(wire) <= LONGEST_REMEMBERED:
            if len(self._written) >= REMEMBERED:
                self._written.clear()
            self._written[wire[2:]] = written
        return wire[:2] + tail

    async def relayed(self, query: Query) -> bytes:
        answer = await self._upstream.ask(query.question)
        if answer is None:
            return replies.error(query.message, dns.rcode.SERVFAIL)
        return replies.relay(query, answer)
