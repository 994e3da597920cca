"""The trail in memory, for simulations and tests: the same answers, nothing kept."""

from __future__ import annotations

from collections.abc import Sequence

from hatoba.trail.port import Entry, Place, Question


class MemoryTrail:
    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._known: set[str] = set()

    async def add(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if entry.id not in self._known:
                self._known.add(entry.id)
                self.entries.append(entry)

    async def find(self, question: Question) -> list[tuple[Place, Entry]]:
        placed = [(Place(entry.time, row), entry) for row, entry in enumerate(self.entries, start=1)]
        found = [pair for pair in placed if _fits(question, *pair)]
        return sorted(found, key=lambda pair: pair[0], reverse=True)[: question.limit]

    async def forget(self, *, before: float, most_bytes: int) -> None:
        kept = [entry for entry in self.entries if entry.time >= before]
        while kept and sum(len(entry.document) for entry in kept) > most_bytes:
            kept.remove(min(kept, key=lambda entry: entry.time))
        self.entries = kept

    async def close(self) -> None:
        return


def _fits(question: Question, place: Place, entry: Entry) -> bool:
    if (entry.account, entry.region) != (question.account, question.region):
        return False
    if not question.since <= entry.time <= question.until:
        return False
    if question.after is not None and place >= question.after:
        return False
    if question.where is None:
        return True
    attribute, value = question.where
    match attribute:
        case "kind":
            return any(thing.kind == value for thing in entry.things)
        case "thing":
            return any(value in (thing.name, thing.short) for thing in entry.things)
        case "read_only":
            return value == str(entry.read_only).lower()
    return bool(getattr(entry, attribute) == value)
