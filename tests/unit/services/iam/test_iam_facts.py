"""Condition keys: each with who has it, what it says, and who does not have it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hatoba.gateway.access import root, service_role
from hatoba.gateway.call import SessionContext
from tests.unit.services.asked import SCOPE
from tests.unit.services.iam.authorising import ACCOUNT, TASK, Lab, allow, attached, deny
from tests.unit.services.iam.authorising import lab as opened

ISSUED = 1_699_999_000.0  # a thousand seconds before the lab's time


@pytest.fixture
def lab() -> Iterator[Lab]:
    with opened() as made:
        yield made


def session(**more: Any) -> SessionContext:
    return SessionContext(issued=ISSUED, **more)


SESSION = session(
    mfa_at=ISSUED - 100.0,
    source_identity="alice",
    provider="accounts.example.com",
    claims=(("accounts.example.com:sub", "42"),),
    tags=(("Team", "blue"),),
)

HAD = [  # who, key, value
    ("user", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:user/bob"),
    ("role", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/deploy"),
    ("root", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:root"),
    ("user", "aws:PrincipalType", "User"),
    ("role", "aws:PrincipalType", "AssumedRole"),
    ("root", "aws:PrincipalType", "Account"),
    ("user", "aws:PrincipalAccount", ACCOUNT),
    ("user", "aws:username", "bob"),
    ("user", "aws:userid", "AIDABOB"),
    ("role", "aws:userid", "AROADEPLOY:s"),
    ("root", "aws:userid", ACCOUNT),
    ("user", "aws:PrincipalTag/team", "red"),
    ("role", "aws:PrincipalTag/TEAM", "blue"),
    ("role", "aws:PrincipalTag/kind", "robot"),
    ("user", "aws:ResourceTag/stage", "beta"),
    ("user", "ecs:ResourceTag/stage", "beta"),
    ("user", "aws:ResourceAccount", ACCOUNT),
    ("user", "aws:RequestedRegion", "us-east-1"),
    ("user", "aws:SecureTransport", "false"),
    ("service", "aws:SecureTransport", "true"),
    ("user", "aws:ViaAWSService", "false"),
    ("user", "aws:PrincipalIsAWSService", "false"),
    ("service", "aws:PrincipalIsAWSService", "true"),
    ("service", "aws:PrincipalServiceName", "ecs.amazonaws.com"),
    ("service", "aws:SourceAccount", ACCOUNT),
    ("role", "aws:TokenIssueTime", "2023-11-14T21:56:40Z"),
    ("role", "aws:MultiFactorAuthPresent", "true"),
    ("role", "aws:MultiFactorAuthAge", "1100"),
    ("plain", "aws:MultiFactorAuthPresent", "false"),
    ("role", "aws:SourceIdentity", "alice"),
    ("role", "aws:FederatedProvider", "accounts.example.com"),
    ("role", "accounts.example.com:sub", "42"),
    ("user", "aws:UserAgent", "aws-cli/2"),
    ("user", "aws:EpochTime", "1700000000"),
    ("user", "aws:CurrentTime", "2023-11-14T22:13:20Z"),
    ("user", "ecs:cluster", "arn:of:cluster"),
    ("user", "ECS:Cluster", "arn:of:cluster"),
]
NOT_HAD = [
    ("role", "aws:username"),
    ("root", "aws:username"),
    ("user", "aws:TokenIssueTime"),
    ("user", "aws:MultiFactorAuthPresent"),
    ("plain", "aws:MultiFactorAuthAge"),
    ("user", "aws:PrincipalServiceName"),
    ("user", "aws:SourceAccount"),
    ("user", "aws:SourceArn"),
    ("role", "aws:SourceArn"),
    ("user", "aws:CalledVia"),
    ("service", "aws:SourceIp"),
    ("user", "aws:PrincipalOrgID"),
    ("user", "aws:RequestTag/x"),
    ("user", "aws:ResourceTag/x"),
    ("user", "kms:ViaService"),
]


def who(lab: Lab, name: str) -> Any:
    match name:
        case "user":
            lab.tag(f"arn:aws:iam::{ACCOUNT}:user/bob", Team="red")
            return lab.user("bob")
        case "role":
            lab.tag(f"arn:aws:iam::{ACCOUNT}:role/deploy", team="red", kind="robot")
            return lab.role("deploy", session=SESSION)
        case "plain":
            return lab.role("plain", session=session())
        case "root":
            return root("aws", ACCOUNT)
    return service_role(SCOPE, "ecs")


ASKED: dict[str, Any] = {"user_agent": "aws-cli/2", "keys": {"ecs:cluster": "arn:of:cluster"}}


@pytest.mark.parametrize(("name", "key", "value"), HAD)
def test_a_key_says(lab: Lab, name: str, key: str, value: str) -> None:
    lab.tag(TASK, Stage="beta")
    asks = who(lab, name)
    for right, expected in ((value, True), (f"{value}x", False)):
        assert lab.holds(asks, "StringEquals", key, right, **ASKED) is expected, right


@pytest.mark.parametrize(("name", "key"), NOT_HAD)
def test_a_key_is_not_there(lab: Lab, name: str, key: str) -> None:
    asks = who(lab, name)
    given = attached(deny("ecs:RunTask", Condition={"Null": {key: "false"}}), allow("ecs:RunTask"))
    # What nobody can tell is neither there nor not: a Deny applies either way.
    unknown = attached(deny("ecs:RunTask", Condition={"Null": {key: "true"}}), allow("ecs:RunTask"))
    assert (lab.may(asks, "ecs:RunTask", TASK, policy=given), lab.may(asks, "ecs:RunTask", TASK, policy=unknown)) == (
        True,
        False,
    )


def test_for_which_resource_a_service_acts_nobody_can_tell(lab: Lab) -> None:
    """So a policy that wants to know lets nobody in, and one that shuts somebody out does."""
    ecs = service_role(SCOPE, "ecs")
    for operator, value in (("ArnLike", "arn:aws:*"), ("ArnNotLike", "arn:x"), ("Null", "true"), ("Null", "false")):
        condition = {operator: {"aws:SourceArn": value}}
        assert not lab.holds(ecs, operator, "aws:SourceArn", value)
        shut = attached(deny("ecs:RunTask", Condition=condition), allow("ecs:RunTask"))
        assert not lab.may(ecs, "ecs:RunTask", TASK, policy=shut)
    said = {"aws:SourceArn": "arn:aws:ecs:us-east-1:1:task/t"}
    assert lab.holds(ecs, "ArnLike", "aws:SourceArn", "arn:aws:ecs:*", keys=said), "unless the room says it"


def test_addresses_are_of_who_asks_directly(lab: Lab) -> None:
    bob = who(lab, "user")
    assert lab.holds(bob, "IpAddress", "aws:SourceIp", "203.0.113.0/24")
    assert not lab.holds(bob, "IpAddress", "aws:SourceIp", "198.51.100.0/24")
    assert not lab.holds(bob, "IpAddress", "aws:SourceIp", "0.0.0.0/0", via="ssm")
    assert lab.holds(bob, "Bool", "aws:SecureTransport", "true", source_ip="127.0.0.1")


def test_a_service_that_asks_for_somebody_is_named(lab: Lab) -> None:
    bob = who(lab, "user")
    asked: dict[str, Any] = {"via": "ssm", "source_ip": ""}
    assert lab.holds(bob, "Bool", "aws:ViaAWSService", "true", **asked)
    assert lab.holds(bob, "ForAnyValue:StringEquals", "aws:CalledVia", "ssm.amazonaws.com", **asked)
    for key in ("aws:CalledViaFirst", "aws:CalledViaLast"):
        assert lab.holds(bob, "StringEquals", key, "ssm.amazonaws.com", **asked)


def test_tags_that_differ_in_case_only_are_no_answer(lab: Lab) -> None:
    lab.tag(TASK, stage="beta", Stage="prod")
    bob = who(lab, "user")
    assert not lab.holds(bob, "StringEquals", "aws:ResourceTag/stage", ["beta", "prod"])


def test_what_the_room_says_comes_first(lab: Lab) -> None:
    bob = who(lab, "user")
    keys = {"aws:ResourceTag/stage": "prod", "aws:TagKeys": ["a", "b"]}
    lab.tag(TASK, stage="beta")
    assert lab.holds(bob, "StringEquals", "aws:ResourceTag/Stage", "prod", keys=keys)
    assert lab.holds(bob, "ForAllValues:StringEquals", "aws:TagKeys", ["a", "b", "c"], keys=keys)
    assert not lab.holds(bob, "ForAllValues:StringEquals", "aws:TagKeys", ["a"], keys=keys)


def test_variables_are_filled_in_from_the_same_keys(lab: Lab) -> None:
    own = "arn:aws:ecs:us-east-1:*:task/default/${aws:username}"
    bob = lab.user("bob", allow("ecs:StopTask", on=own))
    assert lab.may(bob, "ecs:StopTask", TASK.replace("/t", "/bob"))
    assert not lab.may(bob, "ecs:StopTask", TASK)
