"""`Filters` of the describe operations: each names a value of the record and patterns (`*` and `?`) to match.

A record passes when, for every filter, any of its values matches any of the patterns. `tag:<key>` and `tag-key` work
for everything. Source: "List and filter your resources" in the EC2 user guide.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from hatoba.services.ec2.model.errors import invalid

T = TypeVar("T")
Values = Callable[[T], Iterable[str | None]]


@lru_cache(1024)
def _pattern(text: str) -> re.Pattern[str]:
    # EC2 knows `*` and `?` only: brackets are ordinary characters, a backslash escapes.
    return re.compile(fnmatch.translate(text.replace("[", "[[]")))


def _matches(value: str, patterns: Sequence[str]) -> bool:
    return any(value == pattern or _pattern(pattern).match(value) for pattern in patterns)


def matching(
    records: Iterable[T],
    filters: Sequence[Mapping[str, Any]],
    known: Mapping[str, Values[T]],
    tags: Callable[[T], Mapping[str, str]],
) -> list[T]:
    """Raises InvalidParameterValue for a filter that the operation does not have."""
    for wanted in filters:
        name = wanted.get("Name", "")
        if name not in known and name != "tag-key" and not name.startswith("tag:"):
            raise invalid(f"The filter '{name}' is invalid")
    return [record for record in records if all(_passes(record, wanted, known, tags) for wanted in filters)]


def _passes(
    record: T, wanted: Mapping[str, Any], known: Mapping[str, Values[T]], tags: Callable[[T], Mapping[str, str]]
) -> bool:
    name, patterns = wanted["Name"], wanted.get("Values", ())
    if name.startswith("tag:"):
        value = tags(record).get(name[4:])
        return value is not None and _matches(value, patterns)
    values = tags(record) if name == "tag-key" else known[name](record)
    return any(value is not None and _matches(value, patterns) for value in values)


def flag(value: bool) -> tuple[str]:
    return ("true" if value else "false",)
