"""The grammar: what is refused, what is read all the same and how it fails closed, what is written back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hatoba.policy.compiler import Compiler
from hatoba.policy.document import Malformed, parse, read, render
from hatoba.policy.principals import Caller
from hatoba.policy.request import Keys, Request
from hatoba.policy.rules import Bundle, compile_document

BOB = Caller(account="123456789012", arn="arn:aws:iam::123456789012:user/Bob", id="AIDA")
GOOD: dict[str, Any] = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}


def policy(*statements: Any, **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)} | more)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "json"),
        ("{", "json"),
        ("[" * 100_000, "json"),
        ('{"Statement": [], "Statement": []}', "json"),
        ('{"Statement": [{"Effect": "Deny", "Effect": "Allow", "Action": "*", "Resource": "*"}]}', "json"),
        ('{"Statement": [{"Effect": "Allow", "Action": "*", "Condition": {"NumericEquals": {"x:y": NaN}}}]}', "json"),
        ("[]", "statement"),
        ("{}", "statement"),
        (policy(), "statement"),
        (policy("s3:*"), "statement"),
        (policy(GOOD, Version="2020-01-01"), "version"),
        (policy(GOOD, Version=None), "version"),
        (policy(GOOD, version="2012-10-17"), "element"),
        (policy(GOOD, Id=7), "element"),
        (policy(GOOD | {"Effects": "Deny"}), "element"),
        (policy(GOOD | {"NotAction": "*"}), "element"),
        (policy(GOOD | {"NotResource": "*"}), "element"),
        (policy(GOOD | {"Principal": "*", "NotPrincipal": "*"}), "element"),
        (policy(GOOD | {"Sid": 1}), "sid"),
        (policy(GOOD | {"Sid": "A"}, GOOD | {"Sid": "A"}), "same sid"),
        (policy(GOOD | {"Effect": "allow"}), "effect"),
        (policy({"Action": "*", "Resource": "*"}), "effect"),
        (policy({"Effect": "Allow", "Resource": "*"}), "action"),
        (policy(GOOD | {"Action": []}), "action"),
        (policy(GOOD | {"Action": [1]}), "action"),
        (policy(GOOD | {"Resource": {"a": "b"}}), "resource"),
        (policy(GOOD | {"Principal": "Bob"}), "principal"),
        (policy(GOOD | {"Principal": {}}), "principal"),
        (policy(GOOD | {"Principal": {"User": "Bob"}}), "principal"),
        (policy(GOOD | {"Principal": {"AWS": 7}}), "principal"),
        (policy(GOOD | {"Condition": []}), "condition"),
        (policy(GOOD | {"Condition": {"StringEquals": "x"}}), "condition"),
        (policy(GOOD | {"Condition": {"StringSame": {"aws:x": "y"}}}), "condition"),
        (policy(GOOD | {"Condition": {"NullIfExists": {"aws:x": "true"}}}), "condition"),
        (policy(GOOD | {"Condition": {"ForSomeValues:StringEquals": {"aws:x": "true"}}}), "condition"),
        (policy(GOOD | {"Condition": {"StringEquals": {"aws:x": {}}}}), "condition"),
        (policy(GOOD | {"Condition": {"StringEquals": {"aws:x": None}}}), "condition"),
    ],
)
def test_what_is_no_policy_is_refused(text: str, fault: str) -> None:
    with pytest.raises(Malformed) as refused:
        parse(text)
    assert refused.value.fault == fault


def test_one_statement_needs_no_list_and_no_version() -> None:
    document = parse(json.dumps({"Statement": GOOD}))
    assert (document.version, document.variables, len(document.statements)) == ("2008-10-17", False, 1)


def test_values_of_conditions_are_texts() -> None:
    tests = {"Bool": {"a:b": True}, "NumericEquals": {"a:n": [1, 2.5]}, "StringEquals": {"a:s": "x"}}
    conditions = parse(policy(GOOD | {"Condition": tests})).statements[0].conditions
    assert [condition.values for condition in conditions] == [("true",), ("1", "2.5"), ("x",)]


# --- what cannot be understood


def decides(text: str) -> str:
    bundle = Bundle([("it", compile_document(read(text)))])
    request = Request("s3:GetObject", "arn:aws:s3:::b/k", BOB, Keys())
    return "deny" if bundle.deny(request) else "allow" if bundle.allow(request) else "nothing"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (policy(GOOD), "allow"),
        ("nonsense", "deny"),
        ("{}", "deny"),
        (policy(GOOD, {"Effect": "Allow", "Action": 7}), "allow"),
        (policy({"Effect": "Allow", "Resource": "*"}), "nothing"),
        (policy(GOOD, {"Effect": "Deny", "Resource": "*"}), "deny"),
        (policy(GOOD, {"Effect": "Deny", "Action": "ec2:*", "Condition": {"Odd": {"a:b": "c"}}}), "deny"),
        (policy(GOOD | {"Condition": {"Odd": {"a:b": "c"}}}), "nothing"),
        (policy(GOOD | {"Condition": {"NumericEquals": {"a:b": "many"}}}), "nothing"),
        (policy(GOOD | {"NotResource": "arn:aws:s3:::x/${aws:username}", "Resource": None}), "nothing"),
    ],
)
def test_what_cannot_be_understood_fails_closed(text: str, verdict: str) -> None:
    assert decides(text) == verdict


@pytest.mark.parametrize(("effect", "applies"), [("Allow", False), ("Deny", True)])
@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        ({"NumericLessThan": {"s3:n": "5"}}, {"s3:n": "few"}),
        ({"NumericNotEquals": {"s3:n": "many"}}, {"s3:n": "5"}),
        ({"DateLessThan": {"s3:n": "2020-13-01"}}, {"s3:n": "2019-01-01"}),
        ({"Bool": {"s3:n": "perhaps"}}, {"s3:n": "true"}),
        ({"IpAddress": {"s3:n": "300.0.0.0/8"}}, {"s3:n": "10.0.0.1"}),
        ({"NotIpAddress": {"s3:n": "10.0.0.0/8"}}, {"s3:n": "ecs.amazonaws.com"}),
        ({"BinaryEquals": {"s3:n": "%%%"}}, {"s3:n": "AAAA"}),
        ({"StringEquals": {"s3:n": "a"}}, {"s3:n": ["a", "b"]}),
        ({"StringNotEquals": {"s3:n": "c"}}, {"s3:n": ["a", "b"]}),
        ({"ForAllValues:NumericEquals": {"s3:n": "1"}}, {"s3:n": ["1", "x"]}),
        ({"ForAnyValue:NumericEquals": {"s3:n": "1"}}, {"s3:n": ["2", "x"]}),
    ],
)
def test_what_cannot_be_decided_keeps_an_allow_from_applying_and_no_deny(
    condition: dict[str, Any], keys: dict[str, Any], effect: str, applies: bool
) -> None:
    rules = compile_document(parse(policy(GOOD | {"Effect": effect, "Condition": condition}))).rules
    assert rules[0].applies(Request("s3:GetObject", "arn:aws:s3:::b/k", BOB, Keys(keys))) is applies


def test_an_exception_without_a_value_excepts_nothing_of_a_deny_and_all_of_an_allow() -> None:
    exception = {"NotResource": "arn:aws:s3:::b/${aws:PrincipalTag/home}/*"}
    for effect, applies in (("Allow", False), ("Deny", True)):
        statement = {"Effect": effect, "Action": "s3:*"} | exception
        rule = compile_document(parse(policy(statement))).rules[0]
        assert rule.applies(Request("s3:GetObject", "arn:aws:s3:::b/x/y", BOB, Keys())) is applies


def test_a_resources_statement_that_names_nobody_grants_nothing_and_denies() -> None:
    request = Request("s3:GetObject", "arn:aws:s3:::b/k", BOB, Keys())
    assert Bundle([("it", compile_document(parse(policy(GOOD))))]).grant(request)[1] is None
    assert Bundle([("it", compile_document(parse(policy(GOOD | {"Effect": "Deny"}))))]).deny(request) is not None


# --- writing, remembering


def test_written_as_read() -> None:
    text = policy(
        {"Sid": "A", "Effect": "Deny", "NotPrincipal": {"AWS": ["1", "2"], "Service": "x"}, "NotAction": ["a:b"]},
        {"Effect": "Allow", "Principal": "*", "Action": "*", "NotResource": ["*"], "Condition": {"Bool": {"a:b": 1}}},
        Id="it",
    )
    document = parse(text)
    assert parse(render(document)) == document


def test_a_text_is_compiled_once_and_memory_is_bounded() -> None:
    compiler = Compiler(characters=2048)
    first = compiler.policy(policy(GOOD))
    assert compiler.policy(policy(GOOD)) is first
    for name in "abcdefgh":
        compiler.policy(policy(GOOD | {"Sid": name}))
    assert len(compiler) == 4
    assert compiler.policy(policy(GOOD)) is not first


def test_policies_together_are_compiled_once_and_forgotten_with_the_longest_unused() -> None:
    statements = [{"Effect": "Allow", "Action": f"a:{number}", "Resource": "*"} for number in range(40)]
    texts = [json.dumps({"Statement": statement}) for statement in statements]
    compiler = Compiler(characters=16 * 4096)  # room for sixteen bundles of the least size
    first = compiler.bundle(("p", texts[0]))
    assert compiler.bundle(("p", texts[0])) is first
    assert compiler.bundle(("q", texts[0])) is not first, "what a policy is called is told where it decides"
    for text in texts[1:]:
        compiler.bundle(("p", text))
        compiler.bundle(("p", texts[0]))
    assert compiler.bundle(("p", texts[0])) is first, "used all the time"
    assert compiler.bundle(("q", texts[0])) is not compiler.bundle(("p", texts[0]))


def test_what_a_bundle_remembers_of_actions_is_bounded() -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    bundle = Compiler().bundle(("p", json.dumps({"Statement": [statement] * 100})))
    most = 0
    for number in range(500):
        request = Request(f"s:Action{number}", "*", Caller(account="1"), Keys())
        assert bundle.allow(request) is not None
        most = max(most, len(bundle._found))
    assert 10 < most < 50
