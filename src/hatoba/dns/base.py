"""The values and seams of name resolution.

Names are text, lower case, without the trailing dot ("db.example.com"; the root is ""). Kinds are DNS's own words
("A", "AAAA", "PTR"). Times to live are seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import msgspec
from dns.message import Message
from dns.name import Name
from dns.rdatatype import RdataType


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What one name has: addresses (IPv4, IPv6 or both), or the name that it points to (reverse lookups)."""

    addresses: tuple[str, ...] = ()
    pointer: str = ""
    ttl: int = 60


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be said about a name. Without values: the name has nothing of that kind, or does not exist."""

    kind: str = ""
    values: tuple[str, ...] = ()
    ttl: int = 0
    exists: bool = True
    zone: str = ""  # whose start of authority goes with a negative answer


Find = Callable[[str, str], Found | None]
"""(name, kind) → what is to be said, or None: the name is not ours, and others are to be asked."""


class Question(NamedTuple):
    """What upstream is asked; equal whatever the case of the name."""

    name: Name
    kind: RdataType
    signed: bool = False  # with signatures (DNSSEC OK)
    unchecked: bool = False  # checking disabled


class Upstream(Protocol):
    """Those who know the names that are not ours."""

    def known(self, question: Question) -> Message | None:
        """An answer that is still good, at once."""
        ...

    async def ask(self, question: Question) -> Message | None:
        """None: nobody answered, or too much is being asked already."""
        ...
