"""Policies by their texts, each compiled once, within a bounded memory. Pure.

A text always means the same: nothing here is ever out of date. What was not used for longest is forgotten first.
"""

from __future__ import annotations

from hatoba.policy.document import read
from hatoba.policy.rules import Policy, compile_document

CHARACTERS = 4 * 1024 * 1024  # of the texts that are remembered; compiled they take some twenty times that
_LEAST = 512  # what a text counts at least


class Compiler:
    def __init__(self, characters: int = CHARACTERS) -> None:
        self._room = characters
        self._taken = 0
        self._known: dict[str, Policy] = {}  # in the order of use, the latest last

    def policy(self, text: str) -> Policy:
        found = self._known.pop(text, None)
        if found is None:
            found = compile_document(read(text))
            self._taken += max(len(text), _LEAST)
        self._known[text] = found
        while self._taken > self._room and len(self._known) > 1:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._taken -= max(len(oldest), _LEAST)
        return found

    def __len__(self) -> int:
        return len(self._known)
