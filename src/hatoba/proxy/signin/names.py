"""What a provider's name means: asked of the VPC's resolver, and remembered.

The resolver is the node agent's. While that is away, what it answered last counts: an address that was right a while
ago is better than nobody who can sign in.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable

import dns.asyncquery
import dns.exception
import dns.message
import dns.rdatatype

from hatoba.proxy.signin.provider import Resolve

_PATIENCE = 2.0  # seconds for one question; it is asked twice
_LONGEST_KEPT = 300.0  # seconds, whatever the answer says
_REMEMBERED = 1024

Query = Callable[[str], Awaitable[tuple[str, float]]]  # (address, seconds that it counts); raises `OSError`


class Names:
    """`query` asks once."""

    def __init__(self, query: Query, now: Callable[[], float]) -> None:
        self._query = query
        self._now = now
        self._known: dict[str, tuple[str, float]] = {}

    async def __call__(self, name: str) -> str:
        """Raises `OSError` for a name that means nothing."""
        if (literal := _literal(name)) is not None:
            return literal
        known = self._known.get(name)
        if known is not None and self._now() < known[1]:
            return known[0]
        try:
            address, seconds = await self._query(name)
        except OSError:
            if known is None:
                raise
            return known[0]
        while len(self._known) >= _REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[name] = (address, self._now() + min(seconds, _LONGEST_KEPT))
        return address


def _literal(name: str) -> str | None:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return None


def at(resolver: str) -> Query:
    """Asks the resolver at that address."""

    async def query(name: str) -> tuple[str, float]:
        asked = dns.message.make_query(name, dns.rdatatype.A)
        for left in (1, 0):
            try:
                answer, _ = await dns.asyncquery.udp_with_fallback(asked, resolver, timeout=_PATIENCE)
            except (dns.exception.DNSException, OSError, EOFError) as error:
                if not left:
                    raise OSError(f"{resolver} does not say what {name} means: {error}") from error
                continue
            break
        for found in answer.answer:
            if found.rdtype == dns.rdatatype.A:
                return str(found[0].address), float(found.ttl)
        raise OSError(f"{name} has no IPv4 address")

    return query


def of_machine() -> Query:
    """Asks as every program of this machine does."""

    async def query(name: str) -> tuple[str, float]:
        found = await asyncio.get_running_loop().getaddrinfo(name, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
        return str(found[0][4][0]), 0.0

    return query


def resolve(resolver: str, now: Callable[[], float]) -> Resolve:
    """`resolver`: its address; "" for this machine's own way. `now` only rises."""
    return Names(at(resolver) if resolver else of_machine(), now)
