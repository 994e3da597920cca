"""Patterns: right, and never slow."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.policy import operators
from hatoba.policy.patterns import Template, arn_glob, glob, pattern

SIGNS = st.text("ab*?:", max_size=12)
TEXTS = st.text("ab:", max_size=12)


@given(SIGNS, TEXTS)
def test_a_pattern_matches_what_it_says(written: str, text: str) -> None:
    plain = "".join({"*": ".*", "?": "."}.get(sign) or re.escape(sign) for sign in written)
    assert glob(written).matches(text) == (re.fullmatch(plain, text, re.DOTALL) is not None)


@given(st.lists(SIGNS, min_size=1, max_size=7), st.lists(TEXTS, min_size=1, max_size=7))
def test_an_arn_is_matched_segment_by_segment(written: list[str], texts: list[str]) -> None:
    pattern_, text = ":".join(["arn", *written]), ":".join(["arn", *texts])
    wanted, found = pattern_.split(":", 5), text.split(":", 5)
    wanted += ["*"] * (6 - len(wanted))
    expected = len(found) == 6 and all(glob(one).matches(other) for one, other in zip(wanted, found, strict=True))
    assert arn_glob(pattern_).matches(text) == expected


@given(st.lists(SIGNS, min_size=5, max_size=5), st.lists(TEXTS, min_size=5, max_size=5))
def test_the_tail_never_hides_a_match(written: list[str], texts: list[str]) -> None:
    found, text = arn_glob(":".join(["arn", *written])), ":".join(["arn", *texts])
    if found.matches(text):
        assert text.split(":", 5)[5].startswith(found.tail)


def test_what_a_variable_resolves_to_has_no_wildcards() -> None:
    template = pattern("a/${x:y}/*", variables=True)
    assert isinstance(template, Template)
    found = template.resolve({"x:y": ("*",)}.get)
    assert found is not None
    assert found.matches("a/*/b")
    assert not found.matches("a/x/b")
    assert template.resolve({"x:y": ("1", "2")}.get) is None
    assert template.resolve({}.get) is None


@pytest.mark.parametrize(
    "written", ["*a" * 200 + "c", "a*" * 200 + "c", "*?" * 200 + "c", "arn:aws:s3:::" + "*a" * 200 + "c"]
)
def test_no_pattern_backtracks(written: str) -> None:
    """Or this would outlast all patience: the suite's, too."""
    assert not glob(written).matches("a" * 5000)
    assert not arn_glob(written).matches("arn:aws:s3:::" + "a" * 5000)


# --- values of conditions


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2020", 1577836800),
        ("2020-02", 1580515200),
        ("2020-02-29", 1582934400),
        ("2020-01-01T00:00Z", 1577836800),
        ("2020-01-01T00:00:01Z", 1577836801),
        ("2020-01-01T00:00:01.500Z", 1577836801.5),
        ("2020-01-01T02:00:00+02:00", 1577836800),
        ("2020-01-01T02:00:00+0200", 1577836800),
        ("1577836800", 1577836800),
        ("2020-02-30", None),
        ("0000", None),
        ("yesterday", None),
        ("2020-01-01T00:00:00+99:99", None),
        ("NaN", None),
        ("inf", None),
    ],
)
def test_dates(text: str, seconds: float | None) -> None:
    assert operators.date(text) == seconds


@pytest.mark.parametrize(
    "name", ["stringequals", "STRINGEQUALSIFEXISTS", "foranyvalue:StringLike", "ForAllValues:ArnNotLikeIfExists"]
)
def test_operators_have_no_case(name: str) -> None:
    assert operators.is_operator(name)


@pytest.mark.parametrize("name", ["", "String", "IfExists", "Null:Null", "ForAnyValue:", "ForAnyValue:Null", ":Bool"])
def test_what_is_no_operator(name: str) -> None:
    assert not operators.is_operator(name)
