"""Temporary credentials: who gets them, what they open, and when they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.services.sts.model import EVERYWHERE, sessions
from tests.conformance.ec2.networks import Platform, served
from tests.conformance.serving import fresh_account, refused


def trust(principal: Any, **rest: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **rest}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def role(iam: Any, account: str) -> str:
    """Trusts its own account."""
    document = trust({"AWS": f"arn:aws:iam::{account}:root"})
    arn: str = iam.create_role(RoleName="Worker", Path="/jobs/", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.attach_role_policy(RoleName="Worker", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    return arn


def client(platform: Platform, service: str, credentials: dict[str, Any], **changed: str) -> Any:
    given = {**credentials, **changed}
    key = (given["AccessKeyId"], given["SecretAccessKey"])
    return platform.client(service, key=key, token=given["SessionToken"])


def test_a_session_acts_as_the_role(platform: Platform, iam: Any, sts: Any, role: str, account: str) -> None:
    answer = sts.assume_role(RoleArn=role, RoleSessionName="one")
    arn = f"arn:aws:sts::{account}:assumed-role/Worker/one"  # without the path
    id_ = iam.get_role(RoleName="Worker")["Role"]["RoleId"]
    assert answer["AssumedRoleUser"] == {"AssumedRoleId": f"{id_}:one", "Arn": arn}
    credentials = answer["Credentials"]
    assert credentials["AccessKeyId"].startswith("ASIA")
    who = client(platform, "sts", credentials).get_caller_identity()
    assert (who["UserId"], who["Account"], who["Arn"]) == (f"{id_}:one", account, arn)
    assert client(platform, "iam", credentials).list_users()["Users"] == []


def test_a_wrong_token_or_secret_opens_nothing(platform: Platform, sts: Any, role: str) -> None:
    one, two = (sts.assume_role(RoleArn=role, RoleSessionName=name)["Credentials"] for name in ("one", "two"))
    for changed in ({"SessionToken": two["SessionToken"]}, {"SessionToken": "x" * 40}):
        refused("InvalidClientTokenId", client(platform, "sts", one, **changed).get_caller_identity)
    wrong = client(platform, "sts", one, SecretAccessKey=two["SecretAccessKey"])
    refused("SignatureDoesNotMatch", wrong.get_caller_identity)
    without = platform.client("sts", key=(one["AccessKeyId"], one["SecretAccessKey"]))
    refused("InvalidClientTokenId", without.get_caller_identity)


def test_who_may_not_assume_a_role(platform: Platform, iam: Any, sts: Any, role: str, account: str) -> None:
    stranger = fresh_account()
    words = refused(
        "AccessDenied", platform.client("sts", account=stranger).assume_role, RoleArn=role, RoleSessionName="one"
    )
    assert words == (
        f"User: arn:aws:iam::{stranger}:root is not authorized to perform: sts:AssumeRole on resource: {role}"
    )
    # One that does not exist looks the same, and so does one of another path.
    for absent in (f"arn:aws:iam::{account}:role/absent", f"arn:aws:iam::{account}:role/Worker"):
        refused("AccessDenied", sts.assume_role, RoleArn=absent, RoleSessionName="one")
    for wrong in (f"arn:aws:iam::{account}:user/Worker", "arn:aws:s3:::some-bucket"):
        assert refused("ValidationError", sts.assume_role, RoleArn=wrong, RoleSessionName="one") == (
            f"{wrong} is invalid"
        )


def test_another_account_is_let_in_by_its_name_and_a_shared_secret(platform: Platform, iam: Any, account: str) -> None:
    friend = fresh_account()
    condition = {"StringEquals": {"sts:ExternalId": "between-us"}}
    document = trust({"AWS": friend}, Condition=condition)
    role = iam.create_role(RoleName="Guest", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    assume = platform.client("sts", account=friend).assume_role
    refused("AccessDenied", assume, RoleArn=role, RoleSessionName="one")
    refused("AccessDenied", assume, RoleArn=role, RoleSessionName="one", ExternalId="a-guess")
    credentials = assume(RoleArn=role, RoleSessionName="one", ExternalId="between-us")["Credentials"]
    assert client(platform, "sts", credentials).get_caller_identity()["Account"] == account


def test_a_service_assumes_the_roles_of_its_tasks(platform: Platform, iam: Any, account: str) -> None:
    """With the conditions that the ECS developer guide recommends for them."""

    def made(name: str, source: str, source_account: str) -> str:
        condition = {"ArnLike": {"aws:SourceArn": source}, "StringEquals": {"aws:SourceAccount": source_account}}
        document = trust({"Service": "ecs-tasks.amazonaws.com"}, Condition=condition)
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        return arn

    scope, task = Scope("aws", account, "eu-west-1"), f"arn:aws:ecs:eu-west-1:{account}:task/default/1"
    ask = platform.door(scope, "ecs", source=task)
    ours = made("Ours", f"arn:aws:ecs:eu-west-1:{account}:*", account)
    assert ask("sts", "assume_role", RoleArn=ours, RoleSessionName="task", DurationSeconds=21600)["Credentials"]
    elsewhere = made("Elsewhere", f"arn:aws:ecs:us-east-1:{account}:*", account)
    others = made("Others", f"arn:aws:ecs:eu-west-1:{account}:*", fresh_account())
    for role in (elsewhere, others):
        with pytest.raises(Exception, match="is not authorized to perform: sts:AssumeRole"):
            ask("sts", "assume_role", RoleArn=role, RoleSessionName="task")
    for other in (platform.door(scope, "elbv2", source=task), platform.door(scope, "ecs")):  # who does not say for what
        with pytest.raises(Exception, match="is not authorized to perform: sts:AssumeRole"):
            other("sts", "assume_role", RoleArn=ours, RoleSessionName="task")


def test_how_long_a_session_lasts(platform: Platform, iam: Any, sts: Any, role: str, account: str) -> None:
    assert (
        refused("ValidationError", sts.assume_role, RoleArn=role, RoleSessionName="one", DurationSeconds=3601)
        == "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    )
    iam.update_role(RoleName="Worker", MaxSessionDuration=7200)
    credentials = sts.assume_role(RoleArn=role, RoleSessionName="one", DurationSeconds=7200)["Credentials"]
    chained = client(platform, "sts", credentials).assume_role
    words = refused("ValidationError", chained, RoleArn=role, RoleSessionName="two", DurationSeconds=7200)
    assert words.endswith("exceeds the 1 hour session limit for roles assumed by role chaining")
    chained(RoleArn=role, RoleSessionName="two", DurationSeconds=3600)


def test_sessions_end(platform: Platform, sts: Any, role: str) -> None:
    platform.clock.ahead = -600
    try:
        credentials = sts.assume_role(RoleArn=role, RoleSessionName="one", DurationSeconds=900)["Credentials"]
        session = client(platform, "sts", credentials)
        session.get_caller_identity()
        platform.clock.ahead = 310
        refused("ExpiredToken", session.get_caller_identity)
    finally:
        platform.clock.ahead = 0


def test_ended_sessions_are_swept_by_new_ones(platform: Platform, sts: Any) -> None:
    def age() -> None:
        with platform.store.tx() as tx:
            for session in tx.scan(sessions, EVERYWHERE):
                tx.put(sessions, replace(session, expires=0.0))

    for _ in range(30):
        sts.get_session_token()
    platform.run(age)
    dead = sum(1 for _ in platform.store.scan(sessions, EVERYWHERE))
    for _ in range(60):
        sts.get_session_token()
    left = [session for session in platform.store.scan(sessions, EVERYWHERE) if session.expires == 0.0]
    assert len(left) < dead / 2


def test_get_session_token_is_for_those_with_keys_of_their_own(
    platform: Platform, sts: Any, role: str, account: str
) -> None:
    credentials = sts.get_session_token()["Credentials"]
    who = client(platform, "sts", credentials).get_caller_identity()
    assert who["Arn"] == f"arn:aws:iam::{account}:root"
    session = sts.assume_role(RoleArn=role, RoleSessionName="one")["Credentials"]
    words = refused("AccessDenied", client(platform, "sts", session).get_session_token)
    assert words == "Cannot call GetSessionToken with session credentials"


def test_sessions_survive_a_restart(tmp_path: Path) -> None:
    with served(tmp_path) as first:
        document = trust({"AWS": "*"})
        role = first.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=document)["Role"]["Arn"]
        credentials = first.client("sts").assume_role(RoleArn=role, RoleSessionName="one")["Credentials"]
    with served(tmp_path) as second:
        assert client(second, "sts", credentials).get_caller_identity()["Arn"].endswith("assumed-role/r/one")
