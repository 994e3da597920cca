"""What is remembered for a while, and no more of it than there is room for."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Fading(Generic[T]):
    """When it is full, what was put in first goes first. Times are the caller's."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[str, tuple[T, float]] = {}

    def get(self, key: str, now: float) -> T | None:
        found = self._held.get(key)
        if found is None or found[1] <= now:
            return None
        return found[0]

    def put(self, key: str, value: T, until: float, now: float) -> None:
        self._held.pop(key, None)
        while self._held:
            oldest = next(iter(self._held))
            if len(self._held) < self._most and self._held[oldest][1] > now:
                break
            del self._held[oldest]
        self._held[key] = (value, until)

    def __len__(self) -> int:
        return len(self._held)
