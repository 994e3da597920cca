"""Patterns that users write: RE2's, which no text can keep busy."""

from __future__ import annotations

import pytest

from hatoba.node.logs.lines import Grouper, Line
from hatoba.node.logs.patterns import BadPattern, finder


def test_a_pattern_that_pythons_own_would_never_finish_is_harmless() -> None:
    found = finder("^(a+)+$")
    assert not found("a" * 50_000 + "!")
    assert found("a" * 50_000)


def test_a_pattern_is_looked_for_anywhere() -> None:
    assert finder(r"\d{4}-\d{2}")("at 2026-11-20")
    assert not finder("^INFO")("an INFO")
    assert finder("(?i)error")("An ERROR: ß")


@pytest.mark.parametrize("pattern", ["(", "a{2,1}", r"(?<name", r"(a)\1", "[z-a]", "(?=ahead)"])
def test_what_is_no_pattern_says_why(pattern: str) -> None:
    with pytest.raises(BadPattern) as caught:
        finder(pattern)
    assert str(caught.value)


def test_a_pattern_that_would_take_too_much_is_refused() -> None:
    with pytest.raises(BadPattern):
        finder("((a{100}){100}){100}")


def test_lines_are_grouped_by_it() -> None:
    lines = [Line(n * 10, n * 10 + 10, text) for n, text in enumerate(("INFO a", "  more", "INFO b"))]
    grouper = Grouper("^INFO")
    assert [line.text for line in (*grouper.feed(lines), *grouper.finish())] == ["INFO a\n  more", "INFO b"]
