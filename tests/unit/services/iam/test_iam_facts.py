"""Condition keys: each with who has it, what it says, and who does not have it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hatoba.gateway.access import anonymous, root, service_role
from hatoba.gateway.call import SessionContext
from hatoba.gateway.way import Way
from tests.unit.services.asked import SCOPE
from tests.unit.services.iam.authorising import ACCOUNT, TASK, Lab, allow, attached, deny
from tests.unit.services.iam.authorising import lab as opened

ISSUED = 1_699_999_000.0  # a thousand seconds before the lab's time
LINKED = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"


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
    ("user", "aws:ViaAWSService", "false"),
    ("user", "aws:PrincipalIsAWSService", "false"),
    ("anonymous", "aws:PrincipalAccount", "anonymous"),
    ("anonymous", "aws:userid", "anonymous"),
    ("endpoint", "aws:SourceVpce", "vpce-1"),
    ("endpoint", "aws:SourceVpc", "vpc-1"),
    ("endpoint", "aws:VpceAccount", ACCOUNT),
    ("endpoint", "aws:VpcSourceIp", "203.0.113.7"),
    ("endpoint", "aws:SecureTransport", "false"),
    # Between rooms: a linked role, a service for a resource of its user's, a role it has assumed, its caller's own.
    ("linked", "aws:PrincipalArn", LINKED),
    ("linked", "aws:PrincipalIsAWSService", "false"),
    ("linked", "aws:ViaAWSService", "false"),
    ("linked", "aws:SecureTransport", "true"),
    ("service", "aws:PrincipalIsAWSService", "true"),
    ("service", "aws:PrincipalServiceName", "ecs.amazonaws.com"),
    ("service", "aws:SourceArn", TASK),
    ("service", "aws:SourceAccount", ACCOUNT),
    ("service", "aws:ViaAWSService", "false"),
    ("assumed", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/deploy"),
    ("assumed", "aws:PrincipalIsAWSService", "false"),
    ("assumed", "aws:ViaAWSService", "false"),
    ("assumed", "aws:SecureTransport", "true"),
    ("via", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:user/bob"),
    ("via", "aws:PrincipalIsAWSService", "false"),
    ("via", "aws:ViaAWSService", "true"),
    ("via", "aws:CalledViaFirst", "ecs.amazonaws.com"),
    ("via", "aws:CalledViaLast", "elasticloadbalancing.amazonaws.com"),
    ("via", "aws:SecureTransport", "true"),
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
    ("endpoint", "aws:SourceIp"),
    *(("user", f"aws:{key}") for key in ("SourceVpce", "SourceVpc", "VpceAccount", "VpcSourceIp")),
    *(("linked", f"aws:{key}") for key in ("SourceVpce", "VpcSourceIp")),
    ("linked", "aws:SourceIp"),
    ("linked", "aws:SourceArn"),
    ("linked", "aws:SourceAccount"),
    ("linked", "aws:PrincipalServiceName"),
    ("linked", "aws:CalledVia"),
    ("service", "aws:SourceIp"),
    ("service", "aws:CalledVia"),
    ("assumed", "aws:SourceIp"),
    ("assumed", "aws:SourceArn"),
    ("assumed", "aws:CalledVia"),
    ("assumed", "aws:CalledViaFirst"),
    ("via", "aws:SourceIp"),
    ("via", "aws:SourceArn"),
    ("user", "aws:PrincipalOrgID"),
    ("user", "aws:RequestTag/x"),
    ("user", "aws:ResourceTag/x"),
    ("user", "kms:ViaService"),
]


def who(lab: Lab, name: str) -> Any:
    match name:
        case "user" | "via" | "endpoint":
            lab.tag(f"arn:aws:iam::{ACCOUNT}:user/bob", Team="red")
            return lab.user("bob")
        case "role" | "assumed":
            lab.tag(f"arn:aws:iam::{ACCOUNT}:role/deploy", team="red", kind="robot")
            return lab.role("deploy", session=SESSION)
        case "plain":
            return lab.role("plain", session=session())
        case "root":
            return root("aws", ACCOUNT)
        case "anonymous":
            return anonymous(ACCOUNT)
    return service_role(SCOPE, "ecs")


def how(name: str) -> dict[str, Any]:
    """How somebody asks: a client, unless rooms ask each other."""
    between: dict[str, dict[str, Any]] = {
        "endpoint": {"way": Way(endpoint="vpce-1", vpc="vpc-1", account=ACCOUNT, service="ecs")},
        "linked": {"by": "ecs"},
        "service": {"by": "ecs", "source": TASK},
        "assumed": {"by": "ecs"},
        "via": {"by": "elbv2", "via": ("ecs", "elbv2")},
    }
    return {"user_agent": "aws-cli/2", **between.get(name, {})}


KEYS = {"ecs:cluster": "arn:of:cluster"}


@pytest.mark.parametrize(("name", "key", "value"), HAD)
def test_a_key_says(lab: Lab, name: str, key: str, value: str) -> None:
    lab.tag(TASK, Stage="beta")
    asks = who(lab, name)
    for right, expected in ((value, True), (f"{value}x", False)):
        assert lab.holds(asks, "StringEquals", key, right, keys=KEYS, **how(name)) is expected, right


@pytest.mark.parametrize(("name", "key"), NOT_HAD)
def test_a_key_is_not_there(lab: Lab, name: str, key: str) -> None:
    asks = who(lab, name)
    given = attached(deny("ecs:RunTask", Condition={"Null": {key: "false"}}), allow("ecs:RunTask"))
    # What nobody can tell is neither there nor not: a Deny applies either way.
    unknown = attached(deny("ecs:RunTask", Condition={"Null": {key: "true"}}), allow("ecs:RunTask"))
    found = [lab.may(asks, "ecs:RunTask", TASK, policy=policy, **how(name)) for policy in (given, unknown)]
    assert found == [True, False]


def test_all_services_on_the_way_are_named(lab: Lab) -> None:
    bob = who(lab, "via")
    for operator, services, expected in (
        ("ForAnyValue:StringEquals", ["ecs.amazonaws.com"], True),
        ("ForAnyValue:StringEquals", ["kms.amazonaws.com"], False),
        ("ForAllValues:StringEquals", ["ecs.amazonaws.com"], False),
        ("ForAllValues:StringEquals", ["ecs.amazonaws.com", "elasticloadbalancing.amazonaws.com"], True),
    ):
        assert lab.holds(bob, operator, "aws:CalledVia", services, **how("via")) is expected, services


def test_addresses_are_of_who_asks_directly(lab: Lab) -> None:
    bob = who(lab, "user")
    assert lab.holds(bob, "IpAddress", "aws:SourceIp", "203.0.113.0/24")
    assert not lab.holds(bob, "IpAddress", "aws:SourceIp", "198.51.100.0/24")
    assert not lab.holds(bob, "IpAddress", "aws:SourceIp", "0.0.0.0/0", by="ssm", via=("ssm",))
    for secure in ({"source_ip": "127.0.0.1"}, {"source_ip": "203.0.113.7", "secure": True}):
        assert lab.holds(bob, "Bool", "aws:SecureTransport", "true", **secure)


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


def test_a_user_agent_counts_as_far_as_it_is_kept(lab: Lab) -> None:
    """Heads may have 64 KiB, and patterns are looked for in all of it."""
    bob = who(lab, "user")
    assert lab.holds(bob, "StringEquals", "aws:UserAgent", "a" * 1024, user_agent="a" * 60_000)
