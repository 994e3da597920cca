"""The cluster query language: what is read, what is refused, and what holds."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hatoba.core import regular as pattern
from hatoba.services.ecs.plan.query import BadQuery, holds, parse

INSTANCE = {
    "agentConnected": ("true",),
    "agentVersion": ("1.9.3",),
    "attribute:ecs.instance-type": ("g2.2xlarge",),
    "attribute:ecs.availability-zone": ("us-east-1b",),
    "attribute:slots": ("12",),
    "attribute:empty": ("",),
    "ec2InstanceId": ("i-0123",),
    "registeredAt": ("2026-11-20T08:00:00+00:00",),
    "runningTasksCount": ("3",),
    "task:group": ("service:web", "family:batch"),
}


def facts(subject: str) -> Iterable[str]:
    return INSTANCE.get(subject, ())


def asked(text: str) -> bool:
    return holds(parse(text), facts)


@pytest.mark.parametrize(
    "text",
    [
        "attribute:ecs.instance-type == g2.2xlarge",
        "attribute:ecs.instance-type equals 'g2.2xlarge'",
        "attribute:ecs.availability-zone in [us-east-1a, us-east-1b]",
        "attribute:ecs.availability-zone !in [us-east-1a,'us-east-1c']",
        "attribute:ecs.availability-zone not_in [us-east-1a]",
        "attribute:ecs.instance-type =~ g2.* and attribute:ecs.availability-zone != us-east-1d",
        "attribute:ecs.instance-type matches '(g2|p3)[.].*'",
        "attribute:ecs.instance-type !~ t2.*",
        "attribute:ecs.instance-type not_matches g2",
        "attribute:slots > 9",
        "attribute:slots less_than_equal 12.0",
        "attribute:slots exists",
        "attribute:stack !exists",
        "attribute:stack not_exists",
        "attribute:stack != blue",
        "attribute:empty == ''",
        "task:group == service:web",
        "task:group =~ family:.*",
        "not(task:group == database)",
        "!(task:group == database) && agentConnected==true",
        "runningTasksCount==3 and runningTasksCount>=3 and runningTasksCount<4",
        "registeredAt > 2026-11-20T07:59:59Z and registeredAt < 2026-11-21",
        "registeredAt == 2026-11-20T09:00:00+01:00",
        "agentVersion < 1.10.0 and agentVersion >= 1.9 and agentVersion >= 1.9.3.0",
        "ec2InstanceId in ['i-0123', 'i-9876']",
        "runningTasksCount == 9 or runningTasksCount == 3 and agentConnected == true",
        "  ( runningTasksCount == 3 )  ",
        "not not agentConnected == true",
    ],
)
def test_what_holds(text: str) -> None:
    assert asked(text)
    assert not asked(f"not ({text})")


@pytest.mark.parametrize(
    "text",
    [
        "(runningTasksCount == 3 or runningTasksCount == 9) and agentConnected == false",
        "attribute:slots > twelve",
        "attribute:ecs.instance-type > a",
        "attribute:stack == blue",
        "attribute:stack in [blue]",
        "attribute:stack =~ .*",
        "registeredAt > yesterday",
        "attribute:ecs.instance-type =~ g2",
        "attribute:slots == 12.0",
    ],
)
def test_what_does_not(text: str) -> None:
    assert not asked(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a subject was expected at character 1"),
        ("color == red", "color is not a subject at character 1"),
        ("attribute: == red", "attribute: is not a subject at character 1"),
        ("agentConnected", "an operator was expected at character 15"),
        ("agentConnected is true", "an operator was expected at character 16"),
        ("agentConnected ==", "a value was expected at character 18"),
        ("agentConnected == true agentConnected == true", "the end was expected at character 24"),
        ("(agentConnected == true", "a closing parenthesis was expected at character 24"),
        ("agentConnected == true)", "the end was expected at character 23"),
        ("ec2InstanceId in i-1", "a list was expected at character 18"),
        ("ec2InstanceId in [i-1", "a closing bracket was expected at character 22"),
        ("ec2InstanceId in []", "a value was expected at character 19"),
        ("ec2InstanceId == 'i-1", "a value was expected at character 18"),
        ("agentConnected == true and", "a subject was expected at character 27"),
        ("attribute:x =~ a**b[", "a**b[ is not a pattern (a repetition is repeated) at character 16"),
        ("attribute:x =~ *", "* is not a pattern (there is nothing to repeat before *) at character 16"),
        ("(" * 60 + "agentConnected == true" + ")" * 60, "the expression is nested too deeply at character 52"),
        ("attribute:x == " + "a" * 2000, "the expression has more than 2000 characters"),
    ],
)
def test_what_is_refused_and_where(text: str, why: str) -> None:
    with pytest.raises(BadQuery) as refused:
        parse(text)
    assert str(refused.value) == why


# --- properties ----------------------------------------------------------------------------------------------------

values = st.sampled_from(["true", "3", "1.9.3", "g2.2xlarge", "'service:web'", '"two words"', "us-east-1b", "''"])
subjects = st.sampled_from([*INSTANCE, "attribute:missing"])
tests = st.one_of(
    st.builds(
        lambda subject, operator, value: (f"{subject} {operator} {value}", subject, operator, value),
        subjects,
        st.sampled_from(["==", ">", ">=", "<", "<="]),
        values,
    ),
    st.builds(lambda subject: (f"{subject} exists", subject, "exists", ""), subjects),
).map(lambda made: made[0])
trees: st.SearchStrategy[Any] = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or", "&&", "||"]), inner, inner),
    ),
    max_leaves=8,
)


def written(tree: Any) -> str:
    if isinstance(tree, str):
        return tree
    if tree[0] == "not":
        return f"not ({written(tree[1])})"
    return f"({written(tree[1])}) {tree[0]} ({written(tree[2])})"


def expected(tree: Any) -> bool:
    if isinstance(tree, str):
        return asked(tree)
    if tree[0] == "not":
        return not expected(tree[1])
    return (all if tree[0] in ("and", "&&") else any)([expected(tree[1]), expected(tree[2])])


@given(trees)
@settings(deadline=None)
def test_words_mean_what_they_say(tree: Any) -> None:
    assert asked(written(tree)) is expected(tree)


@given(tests, tests, tests)
@settings(deadline=None)
def test_and_binds_more_closely_than_or(a: str, b: str, c: str) -> None:
    assert parse(f"{a} or {b} and {c}") == parse(f"{a} or ({b} and {c})")
    assert parse(f"not {a} and {b}") == parse(f"(not {a}) and {b}")


@given(
    subjects,
    st.sampled_from([("==", "!="), ("in", "!in"), ("=~", "!~"), ("equals", "not_equals"), ("matches", "not_matches")]),
    values,
)
@settings(deadline=None)
def test_a_denial_is_the_opposite(subject: str, pair: tuple[str, str], value: str) -> None:
    argument = f"[{value}]" if pair[0] == "in" else value
    assert asked(f"{subject} {pair[0]} {argument}") is not asked(f"{subject} {pair[1]} {argument}")


@given(st.text(max_size=60))
@settings(deadline=None)
def test_anything_else_is_refused_in_words(text: str) -> None:
    with suppress(BadQuery):
        asked(text)


pieces = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "[a-c-]", "\\.", "\\d", "\\W", "-", "1"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda some: f"({'|'.join(some)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{1,}"])).map(
            lambda it: f"(?:{it[0]}){it[1]}"
        ),
    ),
    max_leaves=8,
)


@given(pieces, st.text("ab.1-_c", max_size=8))
@settings(max_examples=500, deadline=None)
def test_patterns_match_as_everybody_elses(text: str, against: str) -> None:
    assert pattern.compiled(text).matches(against) is (re.fullmatch(text, against, re.ASCII) is not None)


@given(st.text("ab()[]{}|*+?.^$\\-,12&", max_size=12))
@settings(max_examples=500, deadline=None)
def test_no_pattern_is_read_otherwise_than_by_everybody_else(text: str) -> None:
    try:
        mine = pattern.compiled(text)
    except pattern.BadPattern:
        return
    assume("{" not in text and "^" not in text[:1] and "$" not in text[-1:])  # read more strictly by one of the two
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of what `--` and `||` in a class may once mean
            theirs = re.compile(text, re.ASCII)
    except re.error:
        return
    for against in ("", "a", "b", "ab", "aa", "-", "1", "a1"):
        assert mine.matches(against) is (theirs.fullmatch(against) is not None), (text, against)


def test_a_hostile_pattern_costs_nothing() -> None:
    query = parse("attribute:x =~ '(a*)*(a|a)*(a+)+b'")
    began = time.process_time()
    assert not holds(query, lambda subject: ["a" * 128])
    assert time.process_time() - began < 1
    with pytest.raises(BadQuery, match="it is too long"):
        parse("attribute:x =~ '((a{100}){100}){100}'")
