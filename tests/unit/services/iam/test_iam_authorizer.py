"""Whose policies count, that a change counts in the very next request, and how refusals are worded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from hatoba.gateway.access import anonymous, root, service_role
from hatoba.gateway.call import Principal, SessionContext
from hatoba.services.iam import model
from tests.unit.services.asked import SCOPE
from tests.unit.services.iam.authorising import ACCOUNT, FRIEND, TASK, Lab, allow, attached, deny, document
from tests.unit.services.iam.authorising import lab as opened

ROOT = root("aws", ACCOUNT)
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k"
THEIRS = f"arn:aws:ecr:us-east-1:{FRIEND}:repository/app"


@pytest.fixture
def lab() -> Iterator[Lab]:
    with opened() as made:
        yield made


def session(**more: Any) -> SessionContext:
    return SessionContext(issued=1_699_999_000.0, **more)


# --- whose policies


def test_a_user_has_their_own_and_their_groups_policies(lab: Lab) -> None:
    lab.group("ops", allow("ecs:StopTask"), attached=(lab.policy("P", document(allow("ecs:ListTasks"))),))
    own = lab.policy("Q", document(allow("ecr:*")))
    bob = lab.user("bob", allow("ecs:RunTask"), groups=("ops",), attached=(own,))
    for action in ("ecs:RunTask", "ecs:StopTask", "ecs:ListTasks", "ecr:PutImage"):
        assert lab.may(bob, action), action
    assert not lab.may(bob, "ecs:DeleteService")
    assert not lab.may(lab.user("eve"), "ecs:RunTask")


def test_policies_of_aws_count_too(lab: Lab) -> None:
    assert lab.may(lab.user("bob", attached=(ADMINISTRATOR,)), "ecs:RunTask", TASK)
    assert not lab.may(lab.user("eve", attached=("arn:aws:iam::aws:policy/NoSuchThing",)), "ecs:RunTask", TASK)


def test_the_policies_of_another_account_of_the_same_name_are_not_ones_own(lab: Lab) -> None:
    lab.policy("P", document(allow("*")))
    stranger = lab.user("bob", account=FRIEND, attached=(f"arn:aws:iam::{ACCOUNT}:policy/P",))
    assert not lab.may(stranger, "ecs:RunTask", scope=SCOPE._replace(account=FRIEND))
    elsewhere = lab.user("eve", attached=(f"arn:aws:iam::{ACCOUNT}:policy/other/path/P",))
    assert not lab.may(elsewhere, "ecs:RunTask")


def test_a_boundary_limits_and_one_that_is_gone_allows_nothing(lab: Lab) -> None:
    boundary = lab.policy("B", document(allow("ecs:RunTask")))
    bob = lab.user("bob", allow("*"), boundary=boundary)
    assert lab.may(bob, "ecs:RunTask")
    assert lab.asks(bob, "ecs:StopTask", TASK).endswith(
        "because no permissions boundary allows the ecs:StopTask action"
    )
    lab.gone(model.policies, "b")
    assert not lab.may(bob, "ecs:RunTask")


def test_a_role_gives_exactly_its_permissions(lab: Lab) -> None:
    task = lab.role("task", allow("ecr:GetAuthorizationToken"))
    assert lab.may(task, "ecr:GetAuthorizationToken")
    assert not lab.may(task, "ecs:ListTasks")
    lab.role("other", allow("*"))
    assert not lab.may(task, "ecs:ListTasks")


def test_a_session_does_what_role_and_session_policies_allow_both(lab: Lab) -> None:
    further = lab.policy("S", document(allow("ecs:StopTask")))
    given = session(policy=document(allow("ecs:RunTask", "iam:*")), policy_arns=(further,))
    who = lab.role("deploy", allow("ecs:*"), session=given)
    assert lab.may(who, "ecs:RunTask")
    assert lab.may(who, "ecs:StopTask")
    assert lab.asks(who, "ecs:ListTasks").endswith("because no session policy allows the ecs:ListTasks action")
    assert not lab.may(who, "iam:ListUsers")
    assert lab.may(lab.role("free", allow("ecs:*"), session=session()), "ecs:ListTasks")


def test_the_session_of_a_deleted_role_may_nothing_nor_what_a_new_one_of_the_name_may(lab: Lab) -> None:
    who = lab.role("deploy", allow("*"))
    assert lab.may(who, "ecs:RunTask")
    lab.gone(model.roles, "deploy")
    assert not lab.may(who, "ecs:RunTask")
    lab.role("deploy", allow("*"), unique="AROANEW")
    assert not lab.may(who, "ecs:RunTask")


def test_a_federated_user_may_what_the_session_says_and_its_maker_may(lab: Lab) -> None:
    maker = lab.user("maker", allow("ecs:*"))

    def federated(by: str, **more: Any) -> Principal:
        arn = f"arn:aws:sts::{ACCOUNT}:federated-user/f"
        return Principal(
            kind="federated", account=ACCOUNT, arn=arn, id=f"{ACCOUNT}:f", session=session(user=by, **more)
        )

    assert not lab.may(federated(maker.arn), "ecs:RunTask"), "without a policy nothing"
    limited = federated(maker.arn, policy=document(allow("ecs:RunTask", "iam:*")))
    assert lab.may(limited, "ecs:RunTask")
    assert not lab.may(limited, "iam:ListUsers")
    assert not lab.may(limited, "ecs:StopTask")
    of_root = federated(ROOT.arn, policy=document(allow("iam:*")))
    assert lab.may(of_root, "iam:ListUsers")
    assert not lab.may(of_root, "ecs:RunTask")


def test_iam_wants_more_than_a_session(lab: Lab) -> None:
    """As STS's reference has it: a second factor from users and roots, and nothing will do for the federated."""

    def may(kind: str, **more: Any) -> bool:
        return lab.may(replace(who[kind], session=session(user=ROOT.arn, **more)), "iam:ListUsers", service="iam")

    federated = Principal(kind="federated", account=ACCOUNT, arn="arn:aws:sts::1:federated-user/f", id="1:f")
    who = {"user": lab.user("bob", allow("*")), "root": ROOT, "role": lab.role("r", allow("*")), "federated": federated}
    everything = document(allow("*"))
    assert [kind for kind in who if may(kind, policy=everything)] == ["role"]
    assert [kind for kind in who if may(kind, policy=everything, mfa_at=1.0)] == ["user", "root", "role"]
    assert lab.may(who["user"], "iam:ListUsers", service="iam")
    assert lab.may(replace(who["user"], session=session()), "ecs:RunTask")


def test_rooms_ask_each_other_under_their_linked_roles_policies(lab: Lab) -> None:
    ecs = service_role(SCOPE, "ecs")
    assert lab.may(ecs, "elasticloadbalancing:RegisterTargets")
    assert not lab.may(ecs, "iam:CreateUser")
    assert not lab.may(ecs, "secretsmanager:GetSecretValue")
    assert not lab.may(service_role(SCOPE, "nobody"), "ecs:ListTasks")


def test_the_root_of_the_account_may_all_but_what_a_resource_denies_and_what_is_of_others(lab: Lab) -> None:
    assert lab.may(ROOT, "ecs:RunTask", TASK)
    assert lab.may(ROOT, "iam:CreateUser")
    assert not lab.may(ROOT, "ecr:PutImage", policy=attached(deny("ecr:PutImage")))
    assert not lab.may(ROOT, "ecr:PutImage", THEIRS)


def test_the_anonymous_may_what_is_open_to_everybody(lab: Lab) -> None:
    nobody = anonymous(ACCOUNT)
    assert not lab.may(nobody, "ecr:BatchGetImage")
    assert lab.may(nobody, "ecr:BatchGetImage", THEIRS, policy=attached(allow("ecr:BatchGetImage")))


# --- policies of resources


def test_within_an_account_a_resources_policy_may_grant_and_deny(lab: Lab) -> None:
    bob = lab.user("bob")
    repository = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/app"
    ours = attached(allow("ecr:PutImage"), to={"AWS": bob.arn})
    assert lab.may(bob, "ecr:PutImage", repository, policy=ours)
    assert not lab.may(lab.user("eve"), "ecr:PutImage", repository, policy=ours)
    refusing = attached(deny("ecr:PutImage"), to={"AWS": bob.arn})
    lab.user("bob", allow("*"))
    assert lab.asks(bob, "ecr:PutImage", repository, policy=refusing).endswith(
        "with an explicit deny in a resource-based policy"
    )


def test_in_another_account_both_sides_have_to_allow(lab: Lab) -> None:
    bob = lab.user("bob")
    theirs = attached(allow("ecr:PutImage"), to={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    assert not lab.may(bob, "ecr:PutImage", THEIRS, policy=theirs)
    lab.user("bob", allow("ecr:*"))
    assert lab.may(bob, "ecr:PutImage", THEIRS, policy=theirs)
    assert lab.asks(bob, "ecr:PutImage", THEIRS).endswith(
        "because no resource-based policy allows the ecr:PutImage action"
    )


def test_a_key_decides_itself_whether_identities_policies_count(lab: Lab) -> None:
    bob = lab.user("bob", allow("kms:*"))
    account = attached(allow("kms:*"), to={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    only_root_of_another = attached(allow("kms:*"), to={"AWS": f"arn:aws:iam::{FRIEND}:root"})
    asked: dict[str, Any] = {"trusts_account": False}
    assert lab.may(bob, "kms:Decrypt", KEY, policy=account, **asked)
    assert not lab.may(bob, "kms:Decrypt", KEY, policy=only_root_of_another, **asked)
    assert not lab.may(ROOT, "kms:Decrypt", KEY, policy=only_root_of_another, **asked)
    assert not lab.may(lab.user("eve"), "kms:Decrypt", KEY, policy=account, **asked)
    assert lab.may(bob, "kms:Decrypt", KEY, trusts_account=True)
    assert not lab.may(bob, "kms:Decrypt", KEY, **asked), "a key that says nothing lets nobody in"


def test_a_resources_policy_may_name_the_service_that_asks(lab: Lab) -> None:
    """Where it asks for a resource of its user's; not as its linked role, which is a role like any other."""
    logs = service_role(SCOPE, "logs")
    key = attached(allow("kms:Encrypt"), to={"Service": "logs.amazonaws.com"})
    group = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:web"
    asked: dict[str, Any] = {"policy": key, "trusts_account": False}
    assert lab.may(logs, "kms:Encrypt", KEY, by="logs", source=group, **asked)
    assert not lab.may(logs, "kms:Encrypt", KEY, by="logs", **asked)
    assert not lab.may(service_role(SCOPE, "ecr"), "kms:Encrypt", KEY, by="ecr", source=group, **asked)


def test_what_is_stored_and_cannot_be_read_allows_nothing(lab: Lab) -> None:
    assert not lab.may(ROOT, "ecr:PutImage", policy="{")
    bob = lab.user("bob", inline={"broken": '{"Statement": [{"Effect": "Allow"}]}', "good": document(allow("ecs:*"))})
    assert lab.may(bob, "ecs:RunTask")
    assert not lab.may(bob, "ecr:PutImage")


# --- at once


def test_every_change_counts_in_the_very_next_request(lab: Lab) -> None:
    def may() -> bool:
        return lab.may(bob, "ecs:RunTask")

    bob = lab.user("bob")
    assert not may()
    lab.user("bob", allow("ecs:*"))
    assert may()
    lab.user("bob")
    assert not may()
    lab.user("bob", groups=("ops",))
    assert not may()
    lab.group("ops", allow("ecs:RunTask"))
    assert may(), "a group that comes to be"
    lab.group("ops")
    assert not may()
    arn = lab.policy("P", document(deny("*")), document(allow("*")))
    lab.group("ops", attached=(arn,))
    assert not may()
    lab.policy("P", document(deny("*")), document(allow("*")), default="v2")
    assert may(), "another version of a policy of a group"
    lab.user("bob", allow("*"), boundary=arn)
    assert may()
    lab.policy("P", document(allow("ecr:*")))
    assert not may(), "another text of a boundary"
    lab.gone(model.users, "bob")
    assert not may()
    lab.user("bob", allow("*"), unique="AIDANEW")
    assert not may(), "another one of that name"


def test_a_sessions_managed_policy_counts_as_it_is_now(lab: Lab) -> None:
    further = lab.policy("S", document(allow("ecs:*")))
    who = lab.role("deploy", allow("*"), session=session(policy_arns=(further,)))
    assert lab.may(who, "ecs:RunTask")
    lab.policy("S", document(allow("ecr:*")))
    assert not lab.may(who, "ecs:RunTask")
    lab.gone(model.policies, "s")
    assert not lab.may(who, "ecr:PutImage")


def test_nothing_is_looked_for_again_until_somebody_writes(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    bob = lab.user("bob", allow("ecs:*"), groups=("ops",))
    assert lab.may(bob, "ecs:RunTask")
    looked: list[str] = []
    find = lab.store.find

    def counting(table: Any, scope: Any, id_: str) -> Any:
        looked.append(table.name)
        return find(table, scope, id_)

    monkeypatch.setattr(lab.store, "find", counting)
    assert lab.may(bob, "ecs:RunTask")
    assert looked == []
    lab.user("eve", allow("*"))
    looked.clear()
    assert lab.may(bob, "ecs:RunTask")
    assert "iam.users" in looked
    looked.clear()
    assert lab.may(bob, "ecs:RunTask")
    assert looked == []


def test_what_a_transaction_took_back_was_never_allowed(lab: Lab) -> None:
    bob = lab.user("bob")

    def write() -> None:
        with lab.store.tx() as tx:
            user = tx.get(model.users, model.users.key(SCOPE.everywhere(), "bob"))
            assert user is not None
            tx.put(model.users, type(user)(**{**_fields(user), "inline": {"own": document(allow("*"))}}))
            assert lab.may(bob, "ecs:RunTask"), "within the transaction it is so"
            raise RuntimeError("taken back")

    with pytest.raises(RuntimeError, match="taken back"):
        write()
    assert not lab.may(bob, "ecs:RunTask")


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


# --- words


WHO = f"User: arn:aws:iam::{ACCOUNT}:user/bob is not authorized to perform: "


@pytest.mark.parametrize(
    ("operation", "action", "resource", "words"),
    [
        (("ecs", "RunTask"), "ecs:RunTask", TASK, f"ecs:RunTask on resource: {TASK} because no identity-based policy"),
        (
            ("ecr", "GetAuthorizationToken"),
            "ecr:GetAuthorizationToken",
            "*",
            "ecr:GetAuthorizationToken on resource: *",
        ),
        (("iam", "ListUsers"), "iam:ListUsers", "*", "iam:ListUsers because no identity-based policy allows the iam:"),
    ],
)
def test_a_refusal_says_who_may_not_do_what_and_why(
    lab: Lab, operation: tuple[str, str], action: str, resource: str, words: str
) -> None:
    bob = lab.user("bob")
    assert lab.asks(bob, action, resource, operation=operation).startswith(WHO + words)


def test_an_explicit_deny_is_told(lab: Lab) -> None:
    bob = lab.user("bob", allow("*"), deny("ecs:RunTask"))
    assert lab.asks(bob, "ecs:RunTask", TASK) == (
        f"{WHO}ecs:RunTask on resource: {TASK} with an explicit deny in an identity-based policy"
    )


def test_ec2_tells_more_in_secret(lab: Lab) -> None:
    bob = lab.user("bob", allow("*"), deny("ec2:CreateVpc", Sid="NoNetworks"))
    words = lab.asks(bob, "ec2:CreateVpc", operation=("ec2", "CreateVpc"), keys={"aws:RequestTag/team": "a"})
    assert words == (
        f"You are not authorized to perform this operation. {WHO}ec2:CreateVpc with an explicit deny in an "
        "identity-based policy. Encoded authorization failure message: sealed"
    )
    ((account, verdict),) = lab.encoded
    assert account == ACCOUNT
    assert (verdict["allowed"], verdict["explicitDeny"]) == (False, True)
    (statement,) = verdict["matchedStatements"]["items"]
    assert (statement["statementId"], statement["effect"]) == ("NoNetworks", "DENY")
    context = verdict["context"]
    assert context["principal"] == {"id": bob.id, "name": "bob", "arn": bob.arn}
    assert (context["action"], context["resource"]) == ("ec2:CreateVpc", "*")
    keys = {item["key"]: item["values"]["items"] for item in context["conditions"]["items"]}
    assert keys["aws:RequestTag/team"] == [{"value": "a"}]
    looking = lab.asks(lab.user("eve"), "ec2:DescribeVpcs", operation=("ec2", "DescribeVpcs"))
    assert looking.endswith("because no identity-based policy allows the ec2:DescribeVpcs action")
