"""Policies of keys and secrets: what deciders could not read is refused, and nobody locks themselves out of a key."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from hatoba.aws.models import Operation
from hatoba.aws.shapes import kms, secretsmanager
from hatoba.gateway.access import denied
from hatoba.gateway.call import Call, Principal
from hatoba.gateway.needs import Need
from hatoba.policy.compiler import Compiler
from hatoba.policy.decision import Applicable, decide
from hatoba.policy.principals import Caller
from hatoba.policy.request import Keys, Request
from hatoba.policy.rules import Bundle
from hatoba.services.kms.plan import policies as of_keys
from hatoba.services.secretsmanager.plan import policies as of_secrets
from tests.unit.services.keeping.world import SCOPE, World, refusal

GOOD = {"Effect": "Allow", "Principal": {"AWS": SCOPE.account}, "Action": "*", "Resource": "*"}
ALICE = Principal(kind="user", account=SCOPE.account, arn=f"arn:aws:iam::{SCOPE.account}:user/alice", id="AIDA")
ROOT = f"arn:aws:iam::{SCOPE.account}:root"


def text(*statements: dict[str, Any], version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


@pytest.mark.parametrize(
    "policy",
    [
        "{",
        "[]",
        "{}",
        text(),
        text(version="2020-01-01"),
        text(without("Effect")),
        text(without("Principal")),
        text(without("Action")),
        text(without("Resource")),
        text(GOOD | {"Resource": []}),
        text(GOOD | {"Effect": "allow"}),
        text(GOOD | {"Actions": "*"}),
        text(GOOD | {"NotAction": "*"}),
        text(GOOD | {"Principal": {"Aws": "*"}}),
        text(GOOD | {"Principal": "me"}),
        text(GOOD | {"Condition": {"StringEqual": {"aws:x": "y"}}}),
        text(GOOD | {"Sid": "a"}, GOOD | {"Sid": "a"}),
        '{"Statement": [], "Statement": ' + json.dumps([GOOD]) + "}",
    ],
)
def test_what_deciders_could_not_read_is_no_policy(policy: str) -> None:
    """A Deny with a misspelt condition would deny everything, to everybody, for ever."""
    with pytest.raises(kms.MalformedPolicyDocumentException):
        of_keys.check(policy)
    (fault,) = of_secrets.faults(policy)
    assert fault.check == "POLICY_SYNTAX"
    with pytest.raises(secretsmanager.MalformedPolicyDocumentException):
        of_secrets.check(policy, block_public=False)


def test_good_ones_pass() -> None:
    conditions = {"Condition": {"Null": {"aws:PrincipalOrgID": False}, "NumericLessThan": {"aws:x": 5}}}
    for policy in (text(GOOD), text(GOOD | conditions), json.dumps({"Statement": GOOD}), of_keys.default(SCOPE)):
        of_keys.check(policy)
        assert of_secrets.faults(policy) == []


@pytest.mark.parametrize(
    ("change", "public"),
    [
        ({}, False),
        ({"Principal": "*"}, True),
        ({"Principal": {"AWS": ["123456789012", "*"]}}, True),
        ({"Principal": "*", "Effect": "Deny"}, False),
        ({"Principal": "*", "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}, False),
    ],
)
def test_who_is_everybody(change: dict[str, Any], public: bool) -> None:
    assert of_secrets.is_public(text(GOOD | change)) is public


def test_all_but_some_are_everybody() -> None:
    assert of_secrets.is_public(text(without("Principal") | {"NotPrincipal": {"AWS": ROOT}}))


# --- the lockout safety check


class Judge:
    """Decides by the policies of resources, and by one of all users of the account."""

    def __init__(self) -> None:
        self.compiler = Compiler()
        self.users = text({"Effect": "Allow", "Action": "*", "Resource": "*"})

    def decide(self, call: Call, operation: Operation, needs: Iterable[Need]) -> None:
        who = call.principal
        caller = Caller(account=who.account, arn=who.arn, id=who.id, root=who.kind == "root")
        for need in needs:
            own = None if need.policy is None else Bundle([("own", self.compiler.policy(need.policy))])
            applicable = Applicable(
                identity=Bundle([("users", self.compiler.policy(self.users))]),
                resource=own,
                trusts_account=need.trusts_account,
            )
            found = decide(Request(need.action, need.resource, caller, Keys(dict(need.keys))), applicable)
            if who.kind != "service" and not found.allowed:
                raise denied(who, operation, need, found.why(need.action))


LOCKED = text(GOOD | {"Principal": {"AWS": f"arn:aws:iam::{SCOPE.account}:user/bob"}})
OPEN = text(GOOD | {"Principal": {"AWS": [ALICE.arn, ROOT]}})
DENIED = text(GOOD, GOOD | {"Effect": "Deny", "Action": "kms:PutKeyPolicy"})
FOR_ALICE = text(GOOD | {"Principal": {"AWS": ALICE.arn}})


async def test_nobody_locks_themselves_out_of_a_key() -> None:
    world = World(authorizer=Judge())
    root, alice = (world.plane.door(SCOPE, "test", who).kms for who in (None, ALICE))
    key = (await root.create_key(MultiRegion=True))["KeyMetadata"]["KeyId"]
    before = (await root.get_key_policy(KeyId=key))["Policy"]
    for policy in (LOCKED, DENIED):
        for changed in (
            alice.put_key_policy(KeyId=key, Policy=policy),
            alice.create_key(Policy=policy),
            alice.replicate_key(KeyId=key, ReplicaRegion="eu-west-1", Policy=policy),
        ):
            assert await refusal(changed) == "MalformedPolicyDocumentException"
    assert (await root.get_key_policy(KeyId=key))["Policy"] == before
    assert len((await root.list_keys())["Keys"]) == 1
    await alice.put_key_policy(KeyId=key, Policy=OPEN)
    await alice.put_key_policy(KeyId=key, Policy=FOR_ALICE)
    await alice.put_key_policy(KeyId=key, Policy=LOCKED, BypassPolicyLockoutSafetyCheck=True)
    assert await refusal(alice.put_key_policy(KeyId=key, Policy=OPEN)) == "AccessDeniedException"


async def test_whoever_may_not_change_policies_may_make_keys_with_the_default_one() -> None:
    judge = Judge()
    judge.users = text({"Effect": "Allow", "Action": "kms:CreateKey", "Resource": "*"})
    alice = World(authorizer=judge).plane.door(SCOPE, "test", ALICE).kms
    assert await alice.create_key()
    assert await refusal(alice.create_key(Policy=of_keys.default(SCOPE))) == "MalformedPolicyDocumentException"
