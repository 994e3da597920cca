"""Where statements stand in a policy's text."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hatoba.services.iam.plan.spans import position, spans

VALUES = st.recursive(st.text(max_size=4) | st.booleans(), lambda inner: st.lists(inner, max_size=2), max_leaves=3)
STATEMENTS = st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=3), min_size=1, max_size=4)


@given(STATEMENTS, st.sampled_from([None, 1, 4]), st.booleans())
def test_each_statement_is_within_its_span(statements: list[dict[str, Any]], indent: int | None, first: bool) -> None:
    around = {"Version": '2012-10-17 "Statement": [', "Id": "}"}
    whole = {"Statement": statements, **around} if first else {**around, "Statement": statements}
    text = json.dumps(whole, indent=indent)
    found = spans(text)
    assert [json.loads(text[span.start : span.end].lstrip("[, \n")) for span in found] == statements
    for span in found:
        line, column = position(text, span.end)
        assert text.splitlines()[line - 1][column - 2] == "}"


def test_one_statement_without_a_list() -> None:
    text = '{"Statement": {"Effect": "Allow"}}'
    (span,) = spans(text)
    assert text[span.start - 1 : span.end] == '{"Effect": "Allow"}'


def test_what_is_no_policy_has_none() -> None:
    for text in ("", "{", "[]", '{"Statement": [', '{"Statement"', '{"Version": "2012-10-17"}', "nonsense", '{"a" 1}'):
        assert spans(text) == []
