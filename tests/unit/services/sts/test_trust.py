"""Trust policies: who may assume a role."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.core.keys import Scope
from hatoba.gateway.access import anonymous, root, service_role
from hatoba.gateway.call import Principal
from hatoba.services.sts.plan.trust import allows, guarded

ACCOUNT, OTHER = "123456789012", "210987654321"
ROOT = root("aws", ACCOUNT)
ROLE = Principal(
    kind="role",
    account=ACCOUNT,
    arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/jobs/one",
    id="AROA:one",
    role=f"arn:aws:iam::{ACCOUNT}:role/jobs",
)
USER = Principal(kind="user", account=ACCOUNT, arn=f"arn:aws:iam::{ACCOUNT}:user/alice", id="AIDA")
SERVICE = service_role(Scope("aws", ACCOUNT, "us-east-1"), "ecs")
EVERYBODY = (ROOT, ROLE, USER, SERVICE)


def ask(
    *statements: dict[str, Any],
    principal: Principal = ROLE,
    services: tuple[str, ...] = (),
    action: str = "sts:AssumeRole",
    **context: str | None,
) -> bool:
    keys = {name.replace("_", ":"): value for name, value in context.items()}
    return allows(json.dumps({"Statement": list(statements)}), action, principal, services, keys)


def allow(principal: Any, **rest: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **rest}


def deny(principal: Any = "*", **rest: Any) -> dict[str, Any]:
    return {**allow(principal, **rest), "Effect": "Deny"}


@pytest.mark.parametrize(
    ("principal", "who"),
    [
        ("*", EVERYBODY),
        ({"AWS": "*"}, EVERYBODY),
        ({"AWS": ACCOUNT}, (ROOT, ROLE, USER)),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, (ROOT, ROLE, USER)),
        ({"AWS": ["x", f"arn:aws:iam::{ACCOUNT}:role/jobs"]}, (ROLE,)),
        ({"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/jobs/one"}, (ROLE,)),
        ({"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/jobs/two"}, ()),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"}, (USER,)),
        ({"AWS": f"arn:aws:iam::{OTHER}:root"}, ()),
        ({"AWS": OTHER}, ()),
        ({"AWS": f"arn:aws-cn:iam::{ACCOUNT}:root"}, ()),
        ({"AWS": f"arn:aws:evil:iam::{ACCOUNT}:root"}, ()),
        ({"AWS": SERVICE.role}, ()),
        ({"Service": "ecs-tasks.amazonaws.com"}, (SERVICE,)),
        ({"Service": ["lambda.amazonaws.com", "ecs-tasks.amazonaws.com"]}, (SERVICE,)),
        ({"Service": "lambda.amazonaws.com"}, ()),
        ({"Federated": "accounts.example.com"}, ()),
        ({"Service": "lambda.amazonaws.com", "AWS": ACCOUNT}, (ROOT, ROLE, USER)),
        ("everybody", ()),
    ],
)
def test_whom_a_statement_names(principal: Any, who: tuple[Principal, ...]) -> None:
    found = tuple(
        each
        for each in EVERYBODY
        if ask(allow(principal), principal=each, services=("ecs-tasks.amazonaws.com",) if each is SERVICE else ())
    )
    assert found == who


def test_nobody_is_nobody() -> None:
    assert not ask(allow({"AWS": "*"}), principal=anonymous(ACCOUNT))
    assert not ask()
    assert not allows("{}", "sts:AssumeRole", ROLE, (), {})


@pytest.mark.parametrize(
    ("statement", "answer"),
    [
        ({"Action": "sts:AssumeRole"}, True),
        ({"Action": "STS:assumerole"}, True),
        ({"Action": ["sts:TagSession", "sts:Assume*"]}, True),
        ({"Action": "sts:?ssumeRole"}, True),
        ({"Action": "*"}, True),
        ({"Action": "sts:[A]ssumeRole"}, False),
        ({"Action": "sts:AssumeRoleWithSAML"}, False),
        ({"NotAction": "sts:TagSession"}, True),
        ({"NotAction": "sts:*"}, False),
        ({}, False),
    ],
)
def test_which_action_a_statement_names(statement: dict[str, Any], answer: bool) -> None:
    assert ask({"Effect": "Allow", "Principal": "*", **statement}) is answer


@pytest.mark.parametrize(
    ("operator", "values", "found", "answer"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", ["b", "a"], "a", True),
        ("StringEquals", "A", "a", False),
        ("StringEqualsIgnoreCase", "A", "a", True),
        ("StringNotEquals", ["b", "c"], "a", True),
        ("StringNotEquals", ["b", "a"], "a", False),
        ("StringLike", "a*c", "abbc", True),
        ("StringLike", "a?c", "abbc", False),
        ("StringLike", "[a]", "a", False),
        ("StringNotLike", "a*", "abc", False),
        ("ArnLike", "arn:aws:ecs:*:1:*", "arn:aws:ecs:eu-west-1:1:x", True),
        ("ArnEquals", "arn:aws:ecs:*:*:*", "arn:aws:ecs:r:1:x", True),
        ("ArnNotLike", "arn:aws:ecs:*:*:*", "arn:aws:ecs:r:1:x", False),
        ("Bool", "True", "true", True),
        ("Bool", True, "true", True),
        ("Bool", "false", "true", False),
        ("Null", "true", "a", False),
        ("Null", "false", "a", True),
        # The key is known not to be there.
        ("StringEquals", "a", None, False),
        ("StringEqualsIfExists", "a", None, True),
        ("StringNotEquals", "a", None, True),
        ("StringNotLikeIfExists", "a", None, True),
        ("Bool", "true", None, False),
        ("BoolIfExists", "true", None, True),
        ("Null", "true", None, True),
        ("IpAddress", "10.0.0.0/8", "10.0.0.1", True),
        ("NotIpAddress", "10.0.0.0/8", "10.0.0.1", False),
        ("DateLessThan", "2030-01-01", None, False),
        ("ForAnyValue:StringEquals", "a", "a", True),
        # Nobody can tell.
        ("IpAddress", "10.0.0.0/8", "home", None),
        ("StringResembles", "a", "a", None),
    ],
)
def test_conditions(operator: str, values: Any, found: str | None, answer: bool | None) -> None:
    condition = {"Condition": {operator: {"AWS:Key": values}}}
    assert ask(allow("*", **condition), aws_key=found) is (answer is True)
    # What nobody can tell keeps a denial in force.
    assert ask(allow("*"), deny(**condition), aws_key=found) is (answer is False)


def test_a_key_that_nobody_knows_fails_closed() -> None:
    for operator in ("StringEquals", "StringNotEquals", "StringEqualsIfExists", "Null"):
        condition = {"Condition": {operator: {"aws:unheard-of": "true"}}}
        assert not ask(allow("*", **condition))
        assert not ask(allow("*"), deny(**condition))


def test_all_conditions_are_needed() -> None:
    def both(outcome: str) -> dict[str, Any]:
        return {"Condition": {"StringEquals": {"aws:a": "1", "aws:b": outcome}, "Bool": {"aws:c": "true"}}}

    context = {"aws_a": "1", "aws_b": "2", "aws_c": "true"}
    assert ask(allow("*", **both("2")), **context)
    assert not ask(allow("*", **both("3")), **context)
    # One that certainly does not hold is enough, whatever the others are.
    odd = {"Condition": {"StringEquals": {"aws:a": "7", "aws:unheard-of": "1"}}}
    assert ask(allow("*"), deny(**odd), **context)


def test_a_denial_of_all_but_some() -> None:
    rest = {"Effect": "Deny", "Action": "*", "NotPrincipal": {"AWS": [ROLE.arn, ROLE.role, ACCOUNT]}}
    assert ask(allow("*"), rest, principal=ROLE)
    assert not ask(allow("*"), rest, principal=USER)


@pytest.mark.parametrize("condition", ["never", ["x"], {"StringEquals": "x"}, {"StringEquals": None}])
def test_a_condition_that_is_none_fails_closed(condition: Any) -> None:
    assert not ask(allow("*", Condition=condition))
    assert not ask(allow("*"), deny(Condition=condition))


STATEMENTS = st.lists(
    st.fixed_dictionaries(
        {
            "Effect": st.sampled_from(["Allow", "Deny"]),
            "Principal": st.sampled_from(["*", {"AWS": ACCOUNT}, {"AWS": OTHER}, {"Service": "ecs.amazonaws.com"}]),
            "Action": st.sampled_from(["sts:AssumeRole", "sts:*", "sts:TagSession"]),
        },
        optional={
            "Condition": st.dictionaries(
                st.sampled_from(["StringEquals", "StringNotEquals", "Bool", "Null", "DateLessThan"]),
                st.dictionaries(st.sampled_from(["aws:a", "aws:b"]), st.sampled_from(["x", "true"]), max_size=2),
                max_size=2,
            )
        },
    ),
    max_size=4,
)


@given(STATEMENTS, st.sampled_from(EVERYBODY), st.permutations(range(4)))
def test_deny_wins_and_order_does_not_matter(
    statements: list[dict[str, Any]], principal: Principal, order: list[int]
) -> None:
    answer = ask(*statements, principal=principal, aws_a="x")
    shuffled = [statements[index] for index in order if index < len(statements)]
    assert ask(*shuffled, principal=principal, aws_a="x") is answer
    assert not ask(*statements, deny(), principal=principal, aws_a="x")
    if answer:  # somebody allows, alone
        assert any(ask(each, principal=principal, aws_a="x") for each in statements)
    if not any(each["Effect"] == "Allow" for each in statements):
        assert not answer


@given(STATEMENTS, st.sampled_from(EVERYBODY))
def test_what_is_not_known_never_lets_anybody_in(statements: list[dict[str, Any]], principal: Principal) -> None:
    """Whoever gets in while a key is unknown gets in whatever that key is."""
    if ask(*statements, principal=principal, aws_a="x"):
        for value in ("x", "true", "other", None):
            assert ask(*statements, principal=principal, aws_a="x", aws_b=value)


# --- what guards the roles of an organisation


def test_every_level_above_a_role_has_to_let_a_stranger_take_it() -> None:
    """Whoever a provider vouches for is decided here alone: no authorizer sees them."""
    action, role = "sts:AssumeRoleWithWebIdentity", "arn:aws:iam::123456789012:role/deploy"
    everything = _policy(Effect="Allow", Principal="*", Action="*", Resource="*")
    sub = {"StringNotLike": {"id.test:sub": "repo:ours/*"}}
    ours = _policy(Effect="Deny", Principal="*", Action="sts:*", Resource="*", Condition=sub)
    elsewhere = _policy(Effect="Deny", Principal="*", Action="sts:*", Resource="arn:aws:iam::123456789012:role/other")

    def may(*texts: str, subject: str = "repo:theirs/x") -> bool:
        levels = [(("full", everything), *((text, text) for text in texts))]
        return guarded(
            levels, action, role, "arn:aws:iam::123456789012:oidc-provider/id.test", {"id.test:sub": subject}
        )

    assert may()
    assert not may(ours)
    assert may(ours, subject="repo:ours/x")
    assert may(elsewhere)
    assert guarded((), action, role, "p", {}), "outside of any organisation"
    assert not guarded([(("nothing", ours),)], action, role, "p", {"id.test:sub": "repo:ours/x"})


def _policy(**statement: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statement})
