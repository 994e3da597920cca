"""Filter patterns, by the examples of the user guide and by what must not happen."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.services.logs.plan.pattern import BadPattern, compile

TRAIL = (
    '{"eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111", "arrayKey": ["value", "another value"],'
    '"objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}], "SomeObject": null, "cluster.name": "c",'
    '"status": 404, "latency": 50.5, "ok": true, "code": "1234"}'
)
ACCESS = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


def matches(pattern: str, message: str) -> bool:
    match = compile(pattern)
    return match is None or match(message) is not None


@pytest.mark.parametrize(
    ("pattern", "hits", "misses"),
    [
        ("", ["anything", ""], []),
        ("ERROR", ["[ERROR 400] BAD REQUEST", "xERRORx"], ["error", ""]),
        ("ERROR ARGUMENTS", ["[ERROR 419] MISSING ARGUMENTS"], ["[ERROR 400] BAD REQUEST"]),
        ('"INTERNAL SERVER ERROR"', ["[ERROR 500] INTERNAL SERVER ERROR"], ["INTERNAL ERROR SERVER"]),
        ("?ERROR ?ARGUMENTS", ["ERROR 1", "ARGUMENTS 2"], ["WARN 3"]),
        ("ERROR -ARGUMENTS", ["[ERROR 400] BAD REQUEST"], ["[ERROR 419] MISSING ARGUMENTS", "fine"]),
        ('-"not found"', ["all fine"], ["page not found"]),
        ("?ERROR ?WARN fatal", ["fatal"], ["ERROR"]),  # beside other terms a question mark is ignored
        ("a-b", ["xa-bx"], ["ab"]),
        ('"say \\"hi\\""', ['they say "hi"'], ["they say hi"]),
        ("%AUTHORIZED%", ["UNAUTHORIZED REQUEST"], ["authorized"]),
        ("%4[0-9]{2}% -403", ["status 404"], ["status 403", "status 4x"]),
    ],
)
def test_terms(pattern: str, hits: list[str], misses: list[str]) -> None:
    assert [message for message in hits if not matches(pattern, message)] == []
    assert [message for message in misses if matches(pattern, message)] == []


@pytest.mark.parametrize(
    ("pattern", "hit"),
    [
        ('{ $.eventType = "UpdateTrail" }', True),
        ("{ $.eventType = UpdateTrail }", True),
        ("{$.eventType=Update*}", True),
        ('{ $.eventType = "*Trail" }', True),
        ('{ $.eventType != "UpdateTrail" }', False),
        ("{ $.missing != 1 }", False),
        ("{ $.missing NOT EXISTS }", True),
        ("{ $.eventType NOT EXISTS }", False),
        ("{ $.sourceIPAddress != 123.123.* }", True),
        ("{ $.sourceIPAddress = 111.111.111.111 }", True),
        ('{ $.arrayKey[0] = "value" }', True),
        ('{ $.arrayKey[1] = "value" }', False),
        ('{ $.arrayKey[*] = "another*" }', True),
        ("{ $.objectList[1].id = 2 }", True),
        ("{ $.objectList[9].id = 2 }", False),
        ("{ $.SomeObject IS NULL }", True),
        ("{ $.ok IS TRUE }", True),
        ("{ $.ok IS FALSE }", False),
        ("{ $.['cluster.name'] = \"c\" }", False),  # not a way to write it
        ("{ $['cluster.name'] = \"c\" }", True),
        ("{ $.status = 404 }", True),
        ("{ $.status = 4* }", True),
        ("{ $.latency > 50 && $.latency <= 50.5 }", True),
        ("{ $.latency >= 5.05e1 }", True),
        ("{ $.eventType > 5 }", False),
        ("{ $.code = 1234 }", True),
        ("{ ($.status = 500 || $.status = 404) && $.ok IS TRUE }", True),
        ("{ $.status = 500 || $.status = 404 && $.ok IS FALSE }", False),
        ("{ $.eventType = %Trail$% }", True),
        ("{ $.arrayKey = value }", False),  # a list is not a value
    ],
)
def test_json(pattern: str, hit: bool) -> None:
    if "$.[" in pattern:
        with pytest.raises(BadPattern):
            compile(pattern)
    else:
        assert matches(pattern, TRAIL) is hit
    for other in ("not json", "[1]", '{"a":', "", "{" * 5000, '{"eventType": {"a": 1}}'):
        if "NOT EXISTS" not in pattern and "$.[" not in pattern:
            assert not matches(pattern, other)


@pytest.mark.parametrize(
    ("pattern", "hit"),
    [
        ("[ip, user, username, timestamp, request, status_code, bytes]", True),
        ("[ip, user, username, timestamp, request, status_code]", False),
        ("[ip, user, username, timestamp, request, status_code = 4*, bytes]", True),
        ("[ip, user, username, timestamp, request = *.html*, status_code = 4*, bytes > 1000]", True),
        ("[..., status_code >= 400 && status_code < 500, bytes]", True),
        ("[ip, ..., bytes = 1534]", True),
        ("[ip, ..., bytes = 1]", False),
        ("[ip=%127\\.0\\.0\\.[1-9]%, ...]", True),
        ("[..., size != 1534]", False),
        ("[, , name = frank, ...]", True),
        ("[..., (status_code = 403 || status_code = 404), bytes]", True),
        ("[a, b, c, d, e, f, g, ..., h]", False),
    ],
)
def test_columns(pattern: str, hit: bool) -> None:
    assert matches(pattern, ACCESS) is hit


def test_columns_and_selectors_are_extracted() -> None:
    columns = compile("[ip, user, ..., request, status, bytes]")
    assert columns is not None
    assert columns(ACCESS) == {
        "$ip": "127.0.0.1",
        "$user": "Prod",
        "$request": "GET /index.html HTTP/1.0",
        "$status": "404",
        "$bytes": "1534",
    }
    selectors = compile("{ $.status = 404 && $.ok IS TRUE || $.missing = 1 }")
    assert selectors is not None
    assert selectors(TRAIL) == {"$.status": "404", "$.ok": "true"}


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.a = 1",
        "{ }",
        "{ a = 1 }",
        "{ $.a }",
        "{ $.a = }",
        "{ $.a == 1 }",
        "{ $.a > b }",
        "{ ($.a = 1 }",
        "{ $.a IS MAYBE }",
        "{ $.a = 1 } x",
        "{ " + "(" * 100 + "$.a = 1" + ")" * 100 + " }",
        "[a, b",
        "[a = 1 && b = 2]",
        "[..., a, ...]",
        '"not closed',
        "%(a+)+%",
        "%[%",
        "%a+b+c+d+e+%",
        "-",
        "? x",
    ],
)
def test_what_cannot_be_read_is_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        compile(pattern)


@given(st.text('{}[]()$.,=<>!&|%"\\*?- \n01ab', max_size=40), st.text('{}[]":,.ab01 ', max_size=40))
def test_no_pattern_and_no_message_breaks_anything(pattern: str, message: str) -> None:
    try:
        match = compile(pattern)
    except BadPattern:
        return
    assert match is None or match(message) is None or isinstance(match(message), dict)


def test_no_pattern_takes_long() -> None:
    """Whoever may try a pattern (TestMetricFilter) says the message, too."""
    message = "a" * 20_000
    for pattern in ("{ $.x = " + "a*" * 400 + "b }", "[x = " + "*a" * 400 + "b]", "%a*a*a*b%", "%" + "a?" * 40 + "ab%"):
        began = time.process_time()
        document = f'{{"x": "{message}"}}' if pattern.startswith("{") else message
        assert not matches(pattern, document)
        assert time.process_time() - began < 20  # and not for ever


@given(
    st.lists(st.sampled_from([*"ab.^$|", "[ab]", "[^a]", "\\w"]), min_size=1, max_size=6),
    st.sampled_from(["", "*", "+", "?", "{2}", "{1,2}"]),
    st.text("ab1", max_size=6),
)
def test_regular_expressions_find_what_they_find_elsewhere(parts: list[str], often: str, message: str) -> None:
    repeated = "".join(part + (often if part not in "^$|" and number == 1 else "") for number, part in enumerate(parts))
    assert matches(f"%{repeated}%", message) == (re.search(repeated, message) is not None)
