"""Does a query hold of an instance?"""

from __future__ import annotations

import datetime
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any as Anything

from hatoba.core import regular as pattern
from hatoba.services.ecs.plan.query.parse import All, Any, Not, Query, Test

Facts = Callable[[str], Iterable[str]]  # a subject's values: none, one, or (of `task:group`) many
_COMPARED: dict[str, Callable[[Anything, Anything], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_VERSION = re.compile(r"v?\d+(\.\d+)*")


def holds(query: Query, facts: Facts) -> bool:
    match query:
        case Not(of):
            return not holds(of, facts)
        case All(of):
            return all(holds(one, facts) for one in of)
        case Any(of):
            return any(holds(one, facts) for one in of)
        case Test():
            return _passes(query, facts(query.subject)) is query.wanted


def _passes(test: Test, found: Iterable[str]) -> bool:
    match test.operator:
        case "exists":
            return any(True for _ in found)
        case "in":
            return any(value in test.values for value in found)
        case "=~":
            matches = pattern.compiled(test.values[0]).matches
            return any(matches(value) for value in found)
        case "==":
            (wanted,) = test.values
            return any(value == wanted or _same(test.subject, value, wanted) for value in found)
        case _:
            (limit,) = test.values
            compare = _COMPARED[test.operator]
            return any(_compared(compare, test.subject, value, limit) for value in found)


def _same(subject: str, value: str, wanted: str) -> bool:
    """Times and counts are the same when they are written differently; whatever else is compared as text."""
    return subject in ("registeredAt", "runningTasksCount") and _compared(operator.eq, subject, value, wanted)


def _compared(compare: Callable[[Anything, Anything], bool], subject: str, value: str, limit: str) -> bool:
    """Whatever is not of a kind that has an order is neither greater nor less."""
    found, bound = _ordered(subject, value), _ordered(subject, limit)
    return found is not None and bound is not None and compare(found, bound)


def _ordered(subject: str, text: str) -> Anything:
    if subject == "registeredAt":
        return moment(text)
    if subject == "agentVersion":
        return _version(text)
    return float(text) if _NUMBER.fullmatch(text) else None


def _version(text: str) -> tuple[int, ...] | None:
    """1.2 is the same version as 1.2.0."""
    if not _VERSION.fullmatch(text):
        return None
    parts = [int(part) for part in text.removeprefix("v").split(".")]
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def moment(text: str) -> float | None:
    """`2026-11-20`, `2026-11-20T08:00:00Z`, `2026-11-20T08:00:00.5+01:00`: seconds since the epoch; UTC is assumed."""
    try:
        when = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=datetime.UTC)).timestamp()
