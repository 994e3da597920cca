"""What the values of attributes may be. A test says why a value is refused, or nothing."""

from __future__ import annotations

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


def anything(value: str) -> str | None:
    return None


BOOLEAN = one_of("true", "false")
