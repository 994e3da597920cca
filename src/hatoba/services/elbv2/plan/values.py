"""What the values of attributes may be. A test says why a value is refused, or nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

Test = Callable[[str], str | None]


def one_of(*values: str) -> Test:
    listed = ", ".join(values)
    return lambda value: None if value in values else f"must be one of [{listed}]"


def _number(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 9 else None


def between(low: int, high: int, *also: int) -> Test:
    def test(value: str) -> str | None:
        number = _number(value)
        if number is not None and (low <= number <= high or number in also):
            return None
        return f"must be a number between {low} and {high}"

    return test


def or_(word: str, test: Test) -> Test:
    return lambda value: None if value == word else test(value)


def bucket(value: str) -> str | None:
    return None if re.fullmatch(r"([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?", value) else "must be the name of a bucket"


def prefix(value: str) -> str | None:
    if re.fullmatch(r"[A-Za-z0-9!_.*'()/-]{0,512}", value) and "AWSLogs" not in value and not value.startswith("/"):
        return None
    return "must be a prefix of object keys without 'AWSLogs'"


BOOLEAN = one_of("true", "false")
