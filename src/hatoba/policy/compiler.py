"""Policies by their texts, each compiled once, within a bounded memory. Pure.

A text always means the same: nothing here is ever out of date. What was not used for longest is forgotten first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from hatoba.policy.document import read
from hatoba.policy.rules import Bundle, Policy, compile_document

CHARACTERS = 2 * 1024 * 1024  # of the texts that are remembered; compiled they take some twelve times that
_LEAST = 512  # what a text counts at least
_LEAST_TOGETHER = 4096  # what texts together count at least, for what a bundle remembers beside them

K = TypeVar("K")
V = TypeVar("V")


class Latest(Generic[K, V]):
    """What was made for keys, those used latest, as far as they have room together."""

    def __init__(self, room: int, size: Callable[[K], int] = lambda key: 1) -> None:
        self._room = room
        self._size = size
        self._taken = 0
        self._known: dict[K, V] = {}  # in the order of use, the latest last

    def get(self, key: K) -> V | None:
        found = self._known.pop(key, None)
        if found is not None:
            self._known[key] = found
        return found

    def put(self, key: K, value: V) -> V:
        if self._known.pop(key, None) is None:
            self._taken += self._size(key)
        self._known[key] = value
        while self._taken > self._room and len(self._known) > 1:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._taken -= self._size(oldest)
        return value

    def __len__(self) -> int:
        return len(self._known)


class Compiler:
    def __init__(self, characters: int = CHARACTERS) -> None:
        self._policies: Latest[str, Policy] = Latest(characters, lambda text: max(len(text), _LEAST))
        self._bundles: Latest[tuple[tuple[str, str], ...], Bundle] = Latest(
            characters, lambda named: max(sum(len(text) for _, text in named), _LEAST_TOGETHER)
        )

    def policy(self, text: str) -> Policy:
        return self._policies.get(text) or self._policies.put(text, compile_document(read(text)))

    def bundle(self, *named: tuple[str, str]) -> Bundle:
        """Policies that count together, each with what it is called and its text."""
        found = self._bundles.get(named)
        if found is None:
            found = Bundle([(name, self.policy(text)) for name, text in named])
            self._bundles.put(named, found)
        return found

    def __len__(self) -> int:
        return len(self._policies)
