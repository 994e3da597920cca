"""Which capacity provider the next task is charged to: bases first, then in proportion to the weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def providers(strategy: Sequence[Mapping[str, Any]], there: Iterable[str], count: int) -> list[str]:
    """A provider for each of `count` tasks beside those in `there`; "" each when there is no strategy."""
    if not strategy:
        return [""] * count
    taken = Counter(there)
    chosen = []
    for _ in range(count):
        name = _next(strategy, taken)
        taken[name] += 1
        chosen.append(name)
    return chosen


def _next(strategy: Sequence[Mapping[str, Any]], taken: Mapping[str, int]) -> str:
    best: tuple[float, str] | None = None
    for item in strategy:
        name, base, weight = str(item["capacityProvider"]), int(item.get("base") or 0), int(item.get("weight") or 0)
        beyond = taken[name] - base
        if beyond < 0:
            return name
        if weight and (best is None or (beyond + 1) / weight < best[0]):
            best = ((beyond + 1) / weight, name)
    return best[1] if best is not None else str(strategy[0]["capacityProvider"])
