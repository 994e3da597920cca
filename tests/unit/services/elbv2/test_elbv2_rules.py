"""Regular expressions, transforms, and conditions as the proxy is told of them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.core.errors import AwsError
from hatoba.proxy import base as proxy
from hatoba.services.elbv2.plan import conditions, expressions, transforms

# Both engines take these; `test_proxy_rules` shows them to Envoy.
GOOD = (
    "a",
    r"^/v[0-9]+/(.*)\.json$",
    r"(?i)^agent-\d{2,3}\b",
    r"(?P<name>x+?)|(?:y|z)*",
    r"[^\]\\[a-z-]+[]a]",
    r"a{2,}b{0,3}c{1000}",
    r"\x41\.\*\?\+\(\)\[\]\{\}\|\^\$\/",
    r"(?s:.)x$",
    r"((((((((((a))))))))))",
)


@pytest.mark.parametrize("expression", GOOD)
def test_expressions_that_the_proxy_takes(expression: str) -> None:
    assert expressions.check(expression, 128) == re.compile(expression).groups


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("", "between 1 and 128"),
        ("é", "character that is not valid"),
        ("(a", "is not valid"),
        ("a**", "is not valid"),
        ("(?=a)", "lookaheads"),
        ("(?<!a)b", "lookaheads and lookbehinds"),
        (r"(a)\1", "backreferences"),
        (r"(?P<x>a)(?P=x)", "not supported"),
        ("(?>a)", "atomic groups"),
        ("a*+", "possessive quantifiers"),
        ("a(?#x)b", "not supported"),
        (r"(?x) a", "not supported"),
        (r"\pL", "is not valid"),
        (r"\Z", r"'\\Z' is not supported"),
        (r"é", "not valid"),
        (r"\07", r"'\\0' is not supported"),
        (r"[\b]", "in a class"),
        ("[[:alpha:]]", "in a class"),
        ("a{1001}", "more than 1000 times"),
        ("(a{100}){100}", "more than 1000 times"),
        ("(" * 128, "is not valid"),
    ],
)
def test_expressions_that_are_refused(expression: str, why: str) -> None:
    with pytest.raises(AwsError, match=why):
        expressions.check(expression, 128)


@given(st.text(alphabet=r"ab01()[]{}?*+|\^$.,:-<>=!PisZ", max_size=24))
def test_any_expression_is_taken_or_refused(text: str) -> None:
    try:
        expressions.check(text, 128)
    except AwsError:
        return
    assert not re.search(r"\(\?(=|!|<=|<!|>|P=|#|\()", re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "", text))


def url(expression: str, replacement: str, **more: Any) -> list[dict[str, Any]]:
    rewrite = {"Regex": expression, "Replace": replacement}
    return [{"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [rewrite]}, **more}]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ([*url("a", "b"), *url("a", "b")], "one transform of each type"),
        ([{"Type": "url-rewrite"}], "exactly one rewrite"),
        ([{"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": []}}], "exactly one rewrite"),
        (url("a", "b", HostHeaderRewriteConfig={}), "of another type"),
        (url("(", "b"), "is not valid"),
        (url("(a)", "$2"), r"names the group \$2"),
        (url("a", "b c"), "visible"),
        (url("a", "b" * 1025), "at most 1024"),
        (url("a" * 1025, "b"), "between 1 and 1024"),
    ],
)
def test_bad_transforms(given: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(AwsError, match=why):
        transforms.checked(given)


def test_replacements_in_the_proxys_words() -> None:
    checked = transforms.checked(url("^/(a)(b)", r"/$2$1\x$$0"))
    assert transforms.checked(checked) == checked
    assert transforms.proxied(checked, "url-rewrite") == proxy.Substitution(
        expression="^/(a)(b)", replacement=r"/\2\1\\x$\0"
    )
    assert transforms.proxied(checked, "host-header-rewrite") is None


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (
            {"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8", "2001:db8::/32"]}},
            proxy.SourceIn(values=("10.0.0.0/8", "2001:db8::/32")),
        ),
        ({"Field": "host-header", "RegexValues": ["^a"]}, proxy.HostIs(expressions=("^a",))),
        (
            {"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/a", "b$"]}},
            proxy.PathIs(expressions=("^/a", "b$")),
        ),
        (
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X", "RegexValues": ["a"]}},
            proxy.HeaderIs(name="X", expressions=("a",)),
        ),
    ],
)
def test_conditions_in_the_proxys_words(given: dict[str, Any], wanted: proxy.Condition) -> None:
    (complete,) = conditions.checked([given])
    assert conditions.checked([complete]) == (complete,)
    assert conditions.proxied(complete) == wanted
