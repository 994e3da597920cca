"""`Filters` of the describe operations: each names a value of the record and patterns (`*` and `?`) to match.

A record passes when, for every filter, any of its values matches any of the patterns. `tag:<key>` and `tag-key` work
for everything. Source: "List and filter your resources" in the EC2 user guide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

from hatoba.aws.shapes import ec2 as t
from hatoba.policy.patterns import ANY, STAR, Glob
from hatoba.services.ec2.model.errors import invalid

_LONGEST = 255  # characters of a pattern that is remembered

T = TypeVar("T")
Values = Callable[[T], Iterable[str | None]]


def _pattern(text: str) -> Glob:
    return _remembered(text) if len(text) <= _LONGEST else _made(text)


def _made(text: str) -> Glob:
    """`*` is any text, and so are several; `?` any character; a backslash takes the meaning from what follows it."""
    wild = {"*": STAR, "?": ANY}
    return Glob(tuple(wild.get(part[0]) or part[-1] for part in re.findall(r"\\.|\*+|.", text, re.DOTALL)))


_remembered = lru_cache(1024)(_made)


def matches(value: str, pattern: str) -> bool:
    return value == pattern or _pattern(pattern).matches(value)


def is_pattern(text: str) -> bool:
    """Whether it may match something else than itself."""
    return any(sign in text for sign in "*?\\")


def matching(
    records: Iterable[T],
    filters: Sequence[t.Filter],
    known: Mapping[str, Values[T]],
    tags: Callable[[T], Mapping[str, str]],
) -> list[T]:
    """Raises InvalidParameterValue for a filter that the operation does not have."""
    check(filters, known)
    return [record for record in records if all(_passes(record, wanted, known, tags) for wanted in filters)]


def check(filters: Iterable[t.Filter], known: Container[str]) -> None:
    """Raises InvalidParameterValue."""
    for wanted in filters:
        name = wanted.get("Name", "")
        if name not in known and name != "tag-key" and not name.startswith("tag:"):
            raise invalid(f"The filter '{name}' is invalid")


def _passes(
    record: T, wanted: t.Filter, known: Mapping[str, Values[T]], tags: Callable[[T], Mapping[str, str]]
) -> bool:
    name, patterns = wanted["Name"], wanted.get("Values", ())
    values: Iterable[str | None]
    if name.startswith("tag:"):
        values = (tags(record).get(name[4:]),)
    else:
        values = tags(record) if name == "tag-key" else known[name](record)
    return any(value is not None and any(matches(value, pattern) for pattern in patterns) for value in values)


def flag(value: bool) -> tuple[str]:
    return ("true" if value else "false",)
