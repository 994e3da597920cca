"""Users, their keys and their groups."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.ec2.networks import Platform, served
from tests.conformance.serving import fresh_account, refused


@pytest.fixture
def alice(iam: Any) -> str:
    iam.create_user(UserName="Alice")
    return "Alice"


def test_a_user_is_made_found_and_deleted(iam: Any, account: str) -> None:
    made = iam.create_user(UserName="Bob", Path="/team/a/", Tags=[{"Key": "team", "Value": "a"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::{account}:user/team/a/Bob"
    assert made["UserId"].startswith("AIDA")
    assert len(made["UserId"]) == 21
    assert made["Tags"] == [{"Key": "team", "Value": "a"}]
    assert iam.get_user(UserName="bob")["User"] == made  # without regard to case
    assert refused("EntityAlreadyExists", iam.create_user, UserName="BOB") == "User with name BOB already exists."
    iam.delete_user(UserName="Bob")
    assert refused("NoSuchEntity", iam.get_user, UserName="Bob") == "The user with name Bob cannot be found."
    again = iam.create_user(UserName="Bob")["User"]
    assert again["UserId"] != made["UserId"]
    assert "Tags" not in again


def test_the_account_itself(iam: Any, account: str) -> None:
    root = iam.get_user()["User"]
    assert (root["UserId"], root["Arn"]) == (account, f"arn:aws:iam::{account}:root")
    assert refused("ValidationError", iam.list_access_keys) == (
        "Must specify userName when calling with non-User credentials"
    )


def test_users_page_by_page_and_by_path(iam: Any) -> None:
    for number in range(7):
        iam.create_user(UserName=f"user-{number}", Path="/a/" if number % 2 else "/b/")
    pages = list(iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["Users"]) for page in pages] == [3, 3, 1]
    assert [page["IsTruncated"] for page in pages] == [True, True, False]
    assert [user["UserName"] for page in pages for user in page["Users"]] == [f"user-{n}" for n in range(7)]
    assert [user["UserName"] for user in iam.list_users(PathPrefix="/a/")["Users"]] == ["user-1", "user-3", "user-5"]
    marker = pages[0]["Marker"]
    refused("ValidationError", iam.list_users, Marker=marker, PathPrefix="/a/")
    refused("ValidationError", iam.list_users, Marker="made-up")
    refused("ValidationError", iam.list_roles, Marker=marker)


def test_a_user_who_is_renamed_keeps_what_is_his(iam: Any, alice: str, account: str) -> None:
    iam.create_user(UserName="Carol")
    iam.create_group(GroupName="all")
    iam.add_user_to_group(GroupName="all", UserName=alice)
    iam.tag_user(UserName=alice, Tags=[{"Key": "team", "Value": "a"}])
    key = iam.create_access_key(UserName=alice)["AccessKey"]["AccessKeyId"]
    refused("EntityAlreadyExists", iam.update_user, UserName=alice, NewUserName="CAROL")
    iam.update_user(UserName=alice, NewUserName="Alicia", NewPath="/new/")
    user = iam.get_user(UserName="Alicia")["User"]
    assert user["Arn"] == f"arn:aws:iam::{account}:user/new/Alicia"
    assert user["Tags"] == [{"Key": "team", "Value": "a"}]
    (found,) = iam.list_access_keys(UserName="Alicia")["AccessKeyMetadata"]
    assert (found["AccessKeyId"], found["UserName"]) == (key, "Alicia")
    assert [user["UserName"] for user in iam.get_group(GroupName="all")["Users"]] == ["Alicia"]
    refused("NoSuchEntity", iam.get_user, UserName=alice)
    iam.update_user(UserName="Alicia", NewUserName="ALICIA")  # only its case
    assert iam.get_user(UserName="alicia")["User"]["Tags"] == [{"Key": "team", "Value": "a"}]


def test_a_user_with_something_stays(iam: Any, alice: str) -> None:
    def stays(words: str) -> None:
        assert (
            refused("DeleteConflict", iam.delete_user, UserName=alice) == f"Cannot delete entity, must {words} first."
        )

    key = iam.create_access_key(UserName=alice)["AccessKey"]["AccessKeyId"]
    stays("delete access keys")
    iam.delete_access_key(UserName=alice, AccessKeyId=key)
    policy = '{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
    iam.put_user_policy(UserName=alice, PolicyName="p", PolicyDocument=policy)
    stays("delete policies")
    iam.delete_user_policy(UserName=alice, PolicyName="p")
    iam.attach_user_policy(UserName=alice, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    stays("detach all policies")
    iam.detach_user_policy(UserName=alice, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.create_group(GroupName="all")
    iam.add_user_to_group(GroupName="all", UserName=alice)
    stays("remove users from group")
    iam.remove_user_from_group(GroupName="all", UserName=alice)
    iam.delete_user(UserName=alice)


def test_accounts_do_not_share_people(platform: Platform, alice: str) -> None:
    other = platform.client("iam", account=fresh_account())
    refused("NoSuchEntity", other.get_user, UserName=alice)
    assert other.list_users()["Users"] == []


def test_people_are_the_same_from_every_region(platform: Platform, alice: str, account: str) -> None:
    elsewhere = platform.client("iam", account=account, region="eu-west-1")
    assert elsewhere.get_user(UserName=alice)["User"]["UserName"] == alice


# --- access keys


def test_a_key_opens_the_gateway_until_it_does_not(platform: Platform, iam: Any, alice: str, account: str) -> None:
    made = iam.create_access_key(UserName=alice)["AccessKey"]
    assert made["Status"] == "Active"
    key = (made["AccessKeyId"], made["SecretAccessKey"])
    assert key[0].startswith("AKIA")
    assert (len(key[0]), len(key[1])) == (20, 40)
    sts = platform.client("sts", key=key)
    who = sts.get_caller_identity()
    assert (who["Account"], who["Arn"]) == (account, f"arn:aws:iam::{account}:user/{alice}")
    assert who["UserId"] == iam.get_user(UserName=alice)["User"]["UserId"]

    iam.update_access_key(UserName=alice, AccessKeyId=key[0], Status="Inactive")
    refused("InvalidClientTokenId", sts.get_caller_identity)
    iam.update_access_key(UserName=alice, AccessKeyId=key[0], Status="Active")
    sts.get_caller_identity()
    wrong = platform.client("sts", key=(key[0], "x" * 40))
    refused("SignatureDoesNotMatch", wrong.get_caller_identity)
    iam.delete_access_key(UserName=alice, AccessKeyId=key[0])
    refused("InvalidClientTokenId", sts.get_caller_identity)


def test_users_may_do_what_their_policies_say_from_the_next_request_on(
    platform: Platform, iam: Any, alice: str, account: str
) -> None:
    made = iam.create_access_key(UserName=alice)["AccessKey"]
    key = (made["AccessKeyId"], made["SecretAccessKey"])
    own = platform.client("iam", key=key)
    words = refused("AccessDenied", own.list_users)
    users = iam.get_user(UserName=alice)["User"]["Arn"].removesuffix(alice)
    assert words.endswith(
        f"is not authorized to perform: iam:ListUsers on resource: {users} "
        "because no identity-based policy allows the iam:ListUsers action"
    )
    ec2 = platform.client("ec2", key=key)
    words = refused("UnauthorizedOperation", ec2.describe_vpcs)
    assert words == (
        f"You are not authorized to perform this operation. User: arn:aws:iam::{account}:user/{alice} is not "
        "authorized to perform: ec2:DescribeVpcs because no identity-based policy allows the ec2:DescribeVpcs action"
    )
    statement = {"Effect": "Allow", "Action": ["iam:ListUsers", "ec2:Describe*"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    for _ in range(2):
        iam.put_user_policy(UserName=alice, PolicyName="looks", PolicyDocument=document)
        assert own.list_users()["Users"]
        ec2.describe_vpcs()
        iam.delete_user_policy(UserName=alice, PolicyName="looks")
        refused("AccessDenied", own.list_users)
    arn = iam.create_policy(PolicyName="looks", PolicyDocument=document)["Policy"]["Arn"]
    iam.create_group(GroupName="lookers")
    iam.attach_group_policy(GroupName="lookers", PolicyArn=arn)
    iam.add_user_to_group(GroupName="lookers", UserName=alice)
    own.list_users()
    refused("AccessDenied", own.create_user, UserName="eve")
    nothing = json.dumps({"Version": "2012-10-17", "Statement": {**statement, "Effect": "Deny"}})
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=nothing, SetAsDefault=True)
    assert "with an explicit deny in an identity-based policy" in refused("AccessDenied", own.list_users)


def test_two_keys_at_most_and_only_ones_own(iam: Any, alice: str) -> None:
    keys = [iam.create_access_key(UserName=alice)["AccessKey"]["AccessKeyId"] for _ in range(2)]
    assert refused("LimitExceeded", iam.create_access_key, UserName=alice) == (
        "Cannot exceed quota for AccessKeysPerUser: 2"
    )
    found = iam.list_access_keys(UserName=alice)["AccessKeyMetadata"]
    assert [key["AccessKeyId"] for key in found] == sorted(keys)
    assert all("SecretAccessKey" not in key for key in found)
    iam.create_user(UserName="Mallory")
    for operation, params in ((iam.delete_access_key, {}), (iam.update_access_key, {"Status": "Inactive"})):
        assert refused("NoSuchEntity", operation, UserName="Mallory", AccessKeyId=keys[0], **params) == (
            f"The Access Key with id {keys[0]} cannot be found."
        )


def test_keys_survive_a_restart_and_no_secret_is_in_clear(tmp_path: Path) -> None:
    with served(tmp_path) as first:
        iam = first.client("iam")
        iam.create_user(UserName="alice")
        made = iam.create_access_key(UserName="alice")["AccessKey"]
        session = first.client("sts").get_session_token()["Credentials"]
    secrets = [made["SecretAccessKey"], session["SecretAccessKey"], session["SessionToken"]]
    on_disk = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert made["AccessKeyId"].encode() in on_disk
    assert [secret for secret in secrets if secret.encode() in on_disk] == []
    with sqlite3.connect(tmp_path / "journal.db") as journal:
        tables = [name for (name,) in journal.execute("select name from sqlite_master where type = 'table'")]
        rows = b"".join(repr(row).encode() for table in tables for row in journal.execute(f"select * from {table}"))
    assert made["AccessKeyId"].encode() in rows
    assert [secret for secret in secrets if secret.encode() in rows] == []
    with served(tmp_path) as second:
        key = (made["AccessKeyId"], made["SecretAccessKey"])
        assert second.client("sts", key=key).get_caller_identity()["Arn"].endswith(":user/alice")


# --- groups


def test_groups_and_their_members(iam: Any, alice: str, account: str) -> None:
    group = iam.create_group(GroupName="Developers", Path="/team/")["Group"]
    assert group["Arn"] == f"arn:aws:iam::{account}:group/team/Developers"
    assert group["GroupId"].startswith("AGPA")
    assert refused("EntityAlreadyExists", iam.create_group, GroupName="developers") == (
        "Group with name developers already exists."
    )
    iam.create_user(UserName="bob")
    for name in (alice, "bob", alice):
        iam.add_user_to_group(GroupName="developers", UserName=name)
    members = iam.get_group(GroupName="Developers")
    assert [user["UserName"] for user in members["Users"]] == [alice, "bob"]
    first = iam.get_group(GroupName="Developers", MaxItems=1)
    assert first["IsTruncated"] is True
    assert [u["UserName"] for u in iam.get_group(GroupName="Developers", Marker=first["Marker"])["Users"]] == ["bob"]
    assert iam.list_groups_for_user(UserName=alice)["Groups"] == [group]
    assert refused("DeleteConflict", iam.delete_group, GroupName="Developers") == (
        "Cannot delete entity, must remove users from group first."
    )
    iam.update_group(GroupName="Developers", NewGroupName="Engineers", NewPath="/")
    assert [g["GroupName"] for g in iam.list_groups_for_user(UserName=alice)["Groups"]] == ["Engineers"]
    for name in (alice, "bob"):
        iam.remove_user_from_group(GroupName="Engineers", UserName=name)
    iam.attach_group_policy(GroupName="Engineers", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    refused("DeleteConflict", iam.delete_group, GroupName="Engineers")
    attached = iam.list_attached_group_policies(GroupName="Engineers")["AttachedPolicies"]
    assert attached == [{"PolicyName": "ReadOnlyAccess", "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]
    iam.detach_group_policy(GroupName="Engineers", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.delete_group(GroupName="Engineers")
    assert iam.list_groups()["Groups"] == []
    refused("NoSuchEntity", iam.add_user_to_group, GroupName="Engineers", UserName=alice)


def test_a_user_is_in_ten_groups_at_most(iam: Any, alice: str) -> None:
    for number in range(11):
        iam.create_group(GroupName=f"g{number}")
    for number in range(10):
        iam.add_user_to_group(GroupName=f"g{number}", UserName=alice)
    assert refused("LimitExceeded", iam.add_user_to_group, GroupName="g10", UserName=alice) == (
        "Cannot exceed quota for GroupsPerUser: 10"
    )


# --- the account


def test_aliases_are_one_an_account_and_one_for_all(platform: Platform, iam: Any, account: str) -> None:
    alias = f"shop-{account}"
    iam.create_account_alias(AccountAlias=f"old-{account}")
    iam.create_account_alias(AccountAlias=alias)
    assert iam.list_account_aliases()["AccountAliases"] == [alias]
    other = platform.client("iam", account=fresh_account())
    assert refused("EntityAlreadyExists", other.create_account_alias, AccountAlias=alias) == (
        f"The account alias {alias} already exists."
    )
    refused("NoSuchEntity", other.delete_account_alias, AccountAlias=alias)
    iam.delete_account_alias(AccountAlias=alias)
    other.create_account_alias(AccountAlias=alias)


def test_a_summary_counts(iam: Any, alice: str) -> None:
    before = iam.get_account_summary()["SummaryMap"]
    iam.create_user(UserName="bob")
    iam.create_group(GroupName="all")
    after = iam.get_account_summary()["SummaryMap"]
    assert (before["Users"], before["Groups"]) == (1, 0)
    assert (after["Users"], after["Groups"], after["Roles"]) == (2, 1, 0)
    assert after["AccessKeysPerUserQuota"] == 2
