"""Remembers what was made from a record, for as long as the record is the same object.

Records are immutable, so a shape that was made from one stays true. Whoever takes a shape out must not change it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from hatoba.core.keys import Key
from hatoba.core.records import Record

R = TypeVar("R", bound=Record)
V = TypeVar("V")


class Memo(Generic[R, V]):
    """Holds at most `most` shapes; when it is full it starts afresh."""

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        self._made: dict[Key, tuple[R, V]] = {}

    def of(self, record: R, make: Callable[[], V]) -> V:
        found = self._made.get(record.key)
        if found is not None and found[0] is record:
            return found[1]
        made = make()
        if len(self._made) >= self._most:
            self._made.clear()
        self._made[record.key] = (record, made)
        return made
