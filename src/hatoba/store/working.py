"""The working set: every record in memory, in order within its scope, and found by its indexes.

Plain data structures with no notion of transactions; `Store` is their only user.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

from sortedcontainers import SortedDict

from hatoba.core.keys import Key, Scope
from hatoba.core.records import Record
from hatoba.store.tables import Table

R = TypeVar("R", bound=Record)


class Rows(Generic[R]):
    """One table's records."""

    def __init__(self, table: Table[R]) -> None:
        self.table = table
        self.by_key: dict[Key, R] = {}
        self._scopes: defaultdict[Scope, SortedDict[str, R]] = defaultdict(SortedDict)
        self._indexes: dict[str, dict[Hashable, SortedDict[Key, R]]] = {name: {} for name in table.indexes}
        self.tallies = {tally: tally() for tally in table.tallies}
        self.changes = 0  # writes so far, those that were taken back and their taking back included

    def load(self, records: Iterable[R]) -> None:
        """Fills an empty table: sorting once is several times faster than keeping order record by record."""
        self.by_key = {record.key: record for record in records}
        scopes: defaultdict[Scope, dict[str, R]] = defaultdict(dict)
        found: dict[str, defaultdict[Hashable, dict[Key, R]]] = {name: defaultdict(dict) for name in self._indexes}
        indexes = [(index, found[name]) for name, index in self.table.indexes.items()]
        for key, record in self.by_key.items():
            scopes[key.scope][key.id] = record
            for index, buckets in indexes:
                for value in index.values(record):
                    buckets[value][key] = record
            self._tell(None, record)
        self._scopes.update((scope, SortedDict(rows)) for scope, rows in scopes.items())
        for name, buckets in found.items():
            self._indexes[name] = {value: SortedDict(bucket) for value, bucket in buckets.items()}

    def set(self, record: R) -> R | None:
        """Insert or replace; the record that was there before. An index that cannot take the record changes nothing."""
        key = record.key
        before = self.by_key.get(key)
        found = {name: dict.fromkeys(index.values(record)) for name, index in self.table.indexes.items()}
        self.by_key[key] = record
        self._scopes[key.scope][key.id] = record
        for name, now in found.items():
            buckets = self._indexes[name]
            if before is not None:
                for value in self.table.indexes[name].values(before):
                    if value not in now:
                        self._leave(buckets, value, key)
            for value in now:
                bucket = buckets.get(value)
                if bucket is None:
                    bucket = buckets[value] = SortedDict()
                bucket[key] = record
        self._tell(before, record)
        return before

    def remove(self, key: Key) -> R | None:
        record = self.by_key.pop(key, None)
        if record is None:
            return None
        rows = self._scopes[key.scope]
        del rows[key.id]
        if not rows:
            del self._scopes[key.scope]
        for name, index in self.table.indexes.items():
            for value in index.values(record):
                self._leave(self._indexes[name], value, key)
        self._tell(record, None)
        return record

    def _tell(self, before: R | None, after: R | None) -> None:
        self.changes += 1
        for tally in self.tallies.values():
            tally.change(before, after)

    @staticmethod
    def _leave(buckets: dict[Hashable, SortedDict[Key, R]], value: Hashable, key: Key) -> None:
        bucket = buckets[value]
        del bucket[key]
        if not bucket:
            del buckets[value]

    def scan(self, scope: Scope, after: str | None) -> Iterator[R]:
        rows = self._scopes.get(scope)
        if rows is None:
            return iter(())
        if after is None:
            return iter(list(rows.values()))
        return (rows[id_] for id_ in list(rows.irange(after, inclusive=(False, True))))

    def onward(self, scope: Scope, first: str) -> Iterator[R]:
        rows = self._scopes.get(scope)
        if rows is not None:
            for id_ in rows.irange(first):
                yield rows[id_]

    def found(self, index: str, value: Hashable) -> list[R]:
        bucket = self._indexes[index].get(value)
        return list(bucket.values()) if bucket else []

    def size(self, scope: Scope) -> int:
        return len(self._scopes.get(scope, ()))

    def count(self, index: str, value: Hashable) -> int:
        return len(self._indexes[index].get(value, ()))
