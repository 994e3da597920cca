"""Capacity provider strategies: which are valid, and which provider the next task is charged to.

Bases come first, then tasks are shared out in proportion to the weights, as the model's documentation of
CapacityProviderStrategyItem has it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hatoba.aws.shapes import ecs as t

MOST_ITEMS = 20


def checked(strategy: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Every item with its weight and base. Raises `InvalidParameterException`."""
    items = tuple({"weight": 0, "base": 0, **item} for item in strategy)
    names = [item["capacityProvider"] for item in items]
    if len(items) > MOST_ITEMS:
        raise t.InvalidParameterException(
            f"A capacity provider strategy can have at most {MOST_ITEMS} capacity providers."
        )
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise t.InvalidParameterException(
            f"The capacity provider {twice[0]} is in the capacity provider strategy twice."
        )
    if sum(item["base"] > 0 for item in items) > 1:
        raise t.InvalidParameterException(
            "Only one capacity provider in a capacity provider strategy can have a base defined."
        )
    return items


def usable(strategy: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """`checked`, for a strategy that tasks are to be run by now."""
    items = checked(strategy)
    if len(items) > 1 and not any(item["weight"] for item in items):
        raise t.InvalidParameterException(
            "At least one of the capacity providers of a capacity provider strategy must have a weight greater than 0."
        )
    return items


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
    """The first whose base is not filled; then whoever would have the least for its weight, with one more."""
    best: tuple[int, int, str] | None = None  # tasks beyond the base with one more, weight, name
    for item in strategy:
        name, base, weight = str(item["capacityProvider"]), int(item.get("base") or 0), int(item.get("weight") or 0)
        beyond = taken[name] - base + 1
        if beyond <= 0:
            return name
        if weight and (best is None or beyond * best[1] < best[0] * weight):
            best = (beyond, weight, name)
    return best[2] if best is not None else str(strategy[0]["capacityProvider"])
