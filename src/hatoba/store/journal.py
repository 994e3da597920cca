"""The interface between the store and the disk (or, later, a database shared by replicas).

An append is conditional on (epoch, sequence): whoever lost the lease finds out before writing anything. Nothing here
assumes that this process is the only reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from hatoba.core.errors import HatobaError


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


class Row(NamedTuple):
    table: str
    key: bytes
    data: bytes


class Journal(Protocol):
    """Blocking: the store calls `append` from its writer thread."""

    def open(self, schemas: Mapping[str, int]) -> tuple[int, int, Mapping[str, int]]:
        """Takes the lease: (the new epoch, the last sequence, the schema each table was written with so far).

        Raises `Refused` when the data was written by a newer Hatoba.
        """
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
