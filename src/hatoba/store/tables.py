"""What is stored: a table is a name, a record type, its indexes and the history of its schema.

    clusters = Table("ecs.clusters", Cluster)
    tasks = Table("ecs.tasks", Task, indexes=(
        Index("service", lambda task: task.service),                      # None: not in the index
        Index("targets", lambda task: task.target_groups, many=True)))   # in the index once per value

A change of a record's fields that old rows cannot be read with (a new optional field needs nothing) raises `schema` by
one and adds a migration: a function from the old row, as plain data, to the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from hatoba.core.keys import Key, Scope
from hatoba.core.records import Record

R = TypeVar("R", bound=Record)
R_contra = TypeVar("R_contra", bound=Record, contravariant=True)
Migration = Callable[[dict[str, Any]], dict[str, Any]]


class Index(Generic[R]):
    """A way to find records: `of(record)` is the value (or, with `many`, the values) it is found under."""

    def __init__(self, name: str, of: Callable[[R], Any], *, many: bool = False) -> None:
        self.name = name
        self._of = of
        self._many = many

    def values(self, record: R) -> Iterable[Hashable]:
        value = self._of(record)
        if self._many:
            return dict.fromkeys(value or ())
        return () if value is None else (value,)


class Tally(Protocol[R_contra]):
    """A figure over all of a table's records, or a ledger, kept change by change: as true inside a transaction, and
    after one that was rolled back, as adding everything up would be.
    """

    def change(self, before: R_contra | None, after: R_contra | None) -> None:
        """A record came (no `before`), went (no `after`) or was replaced. Must not fail."""
        ...


class Table(Generic[R]):
    """Declared once, at import; the store that serves it is handed in elsewhere.

    `tallies` are made anew by each store that serves the table.
    """

    def __init__(
        self,
        name: str,
        type_: type[R],
        indexes: tuple[Index[R], ...] = (),
        *,
        schema: int = 1,
        migrations: Mapping[int, Migration] | None = None,
        tallies: tuple[type[Tally[R]], ...] = (),
    ) -> None:
        self.name = name
        self.type = type_
        self.indexes = {index.name: index for index in indexes}
        self.schema = schema
        self.tallies = tallies
        self.migrations = dict(migrations or {})
        missing = set(range(1, schema)) - self.migrations.keys()
        if missing:
            raise TypeError(f"table {name}: no migration from schema {sorted(missing)}")

    def key(self, scope: Scope, id_: str) -> Key:
        return Key(scope.partition, scope.account, scope.region, self.name, id_)

    def __repr__(self) -> str:
        return f"Table({self.name})"
