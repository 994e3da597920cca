"""Passwords that conform, and services that a policy grants."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hatoba.services.iam.model import PasswordRules, password_rules
from hatoba.services.iam.plan import passwords
from hatoba.services.iam.plan.granting import grants, namespaces
from tests.unit.services.asked import SCOPE


def rules(**given: Any) -> PasswordRules:
    return PasswordRules(key=password_rules.key(SCOPE.everywhere(), "account"), **given)


@pytest.mark.parametrize(
    ("password", "asked", "fine"),
    [
        ("Abcdefg1", None, True),
        ("abcdefg1", None, False),  # two kinds
        ("Abcde1!", None, False),  # seven characters
        ("abcdef", rules(), True),
        ("abcde", rules(), False),
        ("abcdef", rules(numbers=True), False),
        ("abcde1", rules(numbers=True), True),
        ("abcdef", rules(upper=True), False),
        ("ABCDEF", rules(lower=True), False),
        ("abcdef", rules(symbols=True), False),
        ("abcde'", rules(symbols=True), True),
        ("abcde~", rules(symbols=True), False),  # none of IAM's symbols
        ("ÄÖÜabc", rules(upper=True), False),  # of the Latin alphabet, says IAM
    ],
)
def test_passwords(password: str, asked: PasswordRules | None, fine: bool) -> None:
    assert passwords.conforms(password, asked) is fine


def test_what_is_kept_of_a_password() -> None:
    kept = passwords.sealed("secret", b"s" * 16)
    assert "secret" not in kept
    assert passwords.matches("secret", kept)
    assert not passwords.matches("Secret", kept)
    assert passwords.sealed("secret", b"t" * 16) != kept
    assert passwords.used_before("secret", [passwords.sealed("x", b"u" * 16), kept])


@pytest.mark.parametrize(
    ("statement", "granted"),
    [
        ({"Effect": "Allow", "Action": "ecs:*"}, ["ecs"]),
        ({"Effect": "Allow", "Action": ["ECS:RunTask", "ecr:Get*"]}, ["ecr", "ecs"]),
        ({"Effect": "Allow", "Action": "*"}, ["ecr", "ecs", "s3"]),
        ({"Effect": "Allow", "Action": "e?s:*"}, ["ecs"]),
        ({"Effect": "Allow", "Action": "ec*"}, ["ecr", "ecs"]),
        ({"Effect": "Deny", "Action": "*"}, []),
        ({"Effect": "Allow", "NotAction": "ecs:*"}, ["ecr", "s3"]),
        ({"Effect": "Allow", "NotAction": "ecs:RunTask"}, ["ecr", "ecs", "s3"]),
        ({"Effect": "Allow", "NotAction": "*"}, []),
    ],
)
def test_which_services_a_policy_grants(statement: dict[str, Any], granted: list[str]) -> None:
    document = json.dumps({"Statement": {**statement, "Resource": "*"}})
    assert [name for name in ("ecr", "ecs", "s3") if grants(document, name)] == granted


def test_services_have_names() -> None:
    assert {"ecs", "ecr", "cloudwatch", "elasticloadbalancing", "sts"} <= namespaces().keys()
