"""An organisation's control policies in decisions: whose, of what, from which request on, and at what cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hatoba.gateway.access import anonymous, root, service_role
from hatoba.gateway.membership import Level, Membership
from hatoba.services.iam.authorizer import PolicyAuthorizer
from tests.unit.services.asked import SCOPE
from tests.unit.services.iam.authorising import ACCOUNT, FRIEND, TASK, Lab, allow, attached, deny, document

ROOT = root("aws", ACCOUNT)
KEY = f"arn:aws:kms:us-east-1:{FRIEND}:key/k"
FULL: tuple[str, str] = ("full", document(allow("*")))
OPEN: tuple[str, str] = ("open", attached(allow("*")))


class Members(Lab):
    """`lab.place(DEV, …)`: where an account is from now on."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[tuple[str, str], Membership] = {}
        self.authorizer = PolicyAuthorizer(self.store, self._encode, self)

    def of(self, partition: str, account: str) -> Membership | None:
        return self.known.get((partition, account))

    def place(self, account: str, *levels: Level, guard: tuple[Level, ...] = (), org: str = "o-1") -> None:
        where = Membership(organization=org, path=f"{org}/r-1/", service_control=levels, resource_control=guard)
        self.known["aws", account] = where


@pytest.fixture
def lab() -> Iterator[Members]:
    made = Members()
    yield made
    made.close()


def level(*statements: dict[str, Any]) -> Level:
    return (FULL, ("own", document(*statements)))


def test_a_deny_of_any_level_wins_and_every_level_has_to_allow(lab: Members) -> None:
    bob = lab.user("bob", allow("*"))
    for who in (bob, ROOT):
        lab.place(ACCOUNT, (FULL,), (FULL,))
        assert lab.may(who, "ecs:RunTask", TASK)
        lab.place(ACCOUNT, (FULL,), level(deny("ecs:RunTask")))
        assert lab.asks(who, "ecs:RunTask", TASK).endswith("with an explicit deny in a service control policy")
        assert lab.may(who, "ecs:StopTask", TASK)
        lab.place(ACCOUNT, (("only", document(allow("ecr:*"))),), (FULL,))
        assert lab.asks(who, "ecs:RunTask", TASK).endswith(
            "because no service control policy allows the ecs:RunTask action"
        )


def test_they_grant_nothing(lab: Members) -> None:
    lab.place(ACCOUNT, (FULL,))
    assert lab.asks(lab.user("eve"), "ecs:RunTask", TASK).endswith(
        "because no identity-based policy allows the ecs:RunTask action"
    )


def test_a_resources_policy_does_not_go_around_them(lab: Members) -> None:
    bob = lab.user("bob")
    own = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/app"
    given = attached(allow("ecr:*"), to={"AWS": bob.arn})
    assert lab.may(bob, "ecr:PutImage", own, policy=given)
    lab.place(ACCOUNT, level(deny("ecr:*")))
    assert not lab.may(bob, "ecr:PutImage", own, policy=given)


def test_those_of_the_callers_account_count_and_not_the_resources(lab: Members) -> None:
    bob = lab.user("bob", allow("*"))
    given = attached(allow("kms:*"), to={"AWS": ACCOUNT})
    asked: dict[str, Any] = {"policy": given, "trusts_account": False}
    lab.place(FRIEND, level(deny("*")))
    assert lab.may(bob, "kms:Decrypt", KEY, **asked)
    lab.place(ACCOUNT, level(deny("kms:*")))
    assert not lab.may(bob, "kms:Decrypt", KEY, **asked)


def test_services_roles_are_never_limited(lab: Members) -> None:
    lab.place(ACCOUNT, level(deny("*")), guard=(("all", attached(deny("*"))),))  # type: ignore[arg-type]
    assert lab.may(service_role(SCOPE, "ecs"), "elasticloadbalancing:RegisterTargets")
    assert not lab.may(lab.role("task", allow("*")), "elasticloadbalancing:RegisterTargets")


def test_a_change_counts_in_the_very_next_request(lab: Members) -> None:
    bob = lab.user("bob", allow("*"))
    assert lab.may(bob, "ecs:RunTask")
    lab.place(ACCOUNT, level(deny("ecs:*")))
    assert not lab.may(bob, "ecs:RunTask")
    lab.place(ACCOUNT, (FULL,))
    assert lab.may(bob, "ecs:RunTask")
    lab.user("bob", allow("ecr:*"))
    assert not lab.may(bob, "ecs:RunTask")
    lab.known.clear()
    lab.user("bob", allow("*"))
    assert lab.may(bob, "ecs:RunTask")


def test_nothing_is_compiled_again_until_something_changes(lab: Members, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.place(ACCOUNT, level(deny("ecr:*")))
    bob = lab.user("bob", allow("ecs:*"))
    assert lab.may(bob, "ecs:RunTask")

    def never(*named: Any) -> Any:
        raise AssertionError("compiled again")

    monkeypatch.setattr(lab.authorizer._compiler, "bundle", never)
    assert lab.may(bob, "ecs:RunTask")


# --- resources


def test_resources_of_guarded_services_are_guarded_against_everybody(lab: Members) -> None:
    outside = {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}
    guard: Level = (OPEN, ("perimeter", attached(deny("*", Condition=outside))))
    lab.place(FRIEND, guard=(guard,))
    bob, given = lab.user("bob", allow("*")), attached(allow("*"), to={"AWS": ACCOUNT})
    said = lab.asks(bob, "kms:Decrypt", KEY, policy=given)
    assert said.endswith("with an explicit deny in a resource control policy")
    assert lab.may(
        bob, "elasticloadbalancing:RegisterTargets", KEY.replace("kms", "elasticloadbalancing"), policy=given
    )
    assert not lab.may(anonymous(ACCOUNT), "s3:GetObject", KEY.replace("kms", "s3"), policy=attached(allow("*")))
    lab.place(ACCOUNT, (FULL,))
    assert lab.may(bob, "kms:Decrypt", KEY, policy=given), "of the same organisation"
    lab.place(ACCOUNT, (FULL,), org="o-2")
    assert not lab.may(bob, "kms:Decrypt", KEY, policy=given)


# --- condition keys


def test_who_is_in_which_organisation(lab: Members) -> None:
    bob, ecs = lab.user("bob", allow("*")), service_role(SCOPE, "ecs")
    for key in ("aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:ResourceOrgID", "aws:ResourceOrgPaths"):
        assert lab.holds(bob, "Null", key, "true"), key
    lab.place(ACCOUNT, (FULL,))
    lab.place(FRIEND, (FULL,), org="o-2")
    assert lab.holds(bob, "StringEquals", "aws:PrincipalOrgID", "o-1")
    assert lab.holds(bob, "ForAnyValue:StringLike", "aws:PrincipalOrgPaths", "o-1/*")
    assert lab.holds(bob, "StringEquals", "aws:ResourceOrgID", "o-1")
    theirs = TASK.replace(ACCOUNT, FRIEND)
    assert lab.holds(bob, "StringEquals", "aws:ResourceOrgID", "o-2", resource=theirs)
    assert lab.holds(bob, "ForAnyValue:StringEquals", "aws:ResourceOrgPaths", "o-2/r-1/", resource=theirs)
    assert lab.holds(ecs, "StringEquals", "aws:PrincipalOrgID", "o-1"), "a linked role is one of the account"
    for key in ("aws:PrincipalOrgID", "aws:PrincipalOrgPaths"):
        assert lab.holds(ecs, "Null", key, "true", source=theirs), "a service is nobody of an account"
    assert lab.holds(ecs, "StringEquals", "aws:SourceOrgID", "o-2", source=theirs)
    assert lab.holds(ecs, "ForAnyValue:StringEquals", "aws:SourceOrgPaths", "o-2/r-1/", source=theirs)
    assert lab.holds(bob, "Null", "aws:SourceOrgID", "true")
