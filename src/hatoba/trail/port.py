"""What is kept of a call, and what can be asked of many. An entry's document is opaque here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec


class Thing(NamedTuple):
    """What a call was about."""

    kind: str
    name: str

    @property
    def short(self) -> str:
        """By which it is found as well: `blue` of `arn:…:cluster/blue`."""
        return self.name.rpartition("/")[2].rpartition(":")[2]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One call. `id` is its own for good: an entry that is added twice is kept once."""

    id: str
    time: float  # seconds since the epoch
    account: str
    region: str
    name: str  # of the operation
    source: str  # of whose operation
    user: str
    access_key: str
    read_only: bool
    things: tuple[Thing, ...] = ()
    document: bytes


class Place(NamedTuple):
    """Where an entry stands: by time, then in the order of arrival."""

    time: float
    row: int


Attribute = Literal["id", "name", "source", "user", "access_key", "read_only", "kind", "thing"]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Entries of an account and region, the newest first."""

    account: str
    region: str
    since: float = 0.0
    until: float = float("inf")
    where: tuple[Attribute, str] | None = None  # `read_only` is "true" or "false"
    after: Place | None = None  # the last one of the page before
    limit: int = 50


class Trail(Protocol):
    async def add(self, entries: Sequence[Entry]) -> None:
        """Returns once they are on disk."""
        ...

    async def find(self, question: Question) -> list[tuple[Place, Entry]]: ...

    async def forget(self, *, before: float, most_bytes: int) -> None:
        """What is older than `before`, and of the rest the oldest until no more than `most_bytes` are used."""
        ...

    async def close(self) -> None: ...
