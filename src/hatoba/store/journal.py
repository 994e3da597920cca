"""The interface between the store and the disk (or, later, a database shared by replicas).

An append is conditional on (epoch, sequence): whoever lost the lease finds out before writing anything. Nothing here
assumes that this process is the only reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, NamedTuple, Protocol

from hatoba.core.errors import HatobaError

KEPT = 20_000  # entries of the log that a replica may lag behind before it has to load a snapshot


class Fenced(HatobaError):
    """Another writer has taken over: its epoch is higher, or its sequence is not the one we know."""


class Write(NamedTuple):
    """One record written (`data`) or forgotten (`data` is None). `key` is the encoded key."""

    table: str
    key: bytes
    data: bytes | None


class Entry(NamedTuple):
    """One transaction."""

    seq: int
    writes: tuple[Write, ...]


def keep_last(entries: Iterable[Entry]) -> dict[tuple[str, bytes], bytes | None]:
    """What the entries come to, by (table, key)."""
    last: dict[tuple[str, bytes], bytes | None] = {}
    for entry in entries:
        for table, key, data in entry.writes:
            last[table, key] = data
    return last


class Row(NamedTuple):
    table: str
    key: bytes
    data: bytes


class Journal(Protocol):
    """`blocking`: the store calls `append` from its writer thread; otherwise from the loop."""

    blocking: ClassVar[bool]

    def written(self) -> Mapping[str, int]:
        """The schema each table was written with so far. Changes nothing.

        Raises `Refused` when the journal itself was written by a newer Hatoba.
        """
        ...

    def open(self, schemas: Mapping[str, int]) -> tuple[int, int]:
        """Takes the lease: (the new epoch, the last sequence). Tables not written before get these schemas."""
        ...

    def rows(self) -> Iterator[Row]:
        """Every live record, once, after `open`."""
        ...

    def migrated(self, rows: Iterator[Row], schemas: Mapping[str, int]) -> None:
        """Replaces rows by their migrated form and records the new schemas, in one step."""
        ...

    def append(self, epoch: int, after: int, entries: list[Entry]) -> None:
        """Durable when it returns. Raises `Fenced`; any other failure leaves the outcome unknown."""
        ...

    def tail(self, after: int) -> Iterator[Entry]:
        """Entries after a sequence, as far as the log reaches back; raises `Stale` when it does not."""
        ...

    def close(self) -> None: ...
