"""Secrets Manager, used by boto3: values, versions and their labels, lookup, lists, deletion, and the words of it."""

from __future__ import annotations

import json
import string
from typing import Any
from uuid import uuid4

import pytest

from hatoba.core.keys import Scope
from hatoba.gateway.access import root
from tests.conformance.keeping.rooms import Platform
from tests.conformance.serving import refused


def token(letter: str) -> str:
    return letter * 32


# --- values and versions


def test_what_is_created_can_be_read(secrets: Any, account: str) -> None:
    made = secrets.create_secret(Name="db/prod", SecretString="hunter2", Description="d", ClientRequestToken=token("a"))
    assert made["ARN"].startswith(f"arn:aws:secretsmanager:us-east-1:{account}:secret:db/prod-")
    assert len(made["ARN"].rpartition("-")[2]) == 6
    found = secrets.get_secret_value(SecretId="db/prod")
    assert found["CreatedDate"].timestamp() > 1_700_000_000
    del found["CreatedDate"], found["ResponseMetadata"]
    assert found == {
        "ARN": made["ARN"],
        "Name": "db/prod",
        "VersionId": token("a"),
        "SecretString": "hunter2",
        "VersionStages": ["AWSCURRENT"],
    }


def test_a_secret_is_found_by_name_and_by_each_form_of_its_arn(secrets: Any) -> None:
    arn = secrets.create_secret(Name="app-abcdef", SecretString="x")["ARN"]
    for text in ("app-abcdef", arn, arn.rpartition("-")[0]):
        assert secrets.get_secret_value(SecretId=text)["ARN"] == arn, text
    refused("ResourceNotFoundException", secrets.get_secret_value, SecretId=arn[:-1] + "!")
    refused("ResourceNotFoundException", secrets.get_secret_value, SecretId="app")
    refused("ResourceNotFoundException", secrets.get_secret_value, SecretId=arn.replace("us-east-1", "eu-west-1"))
    refused("AccessDeniedException", secrets.get_secret_value, SecretId=arn.replace(arn.split(":")[4], "000000000042"))
    refused("InvalidParameterException", secrets.get_secret_value, SecretId="arn:aws:ssm:us-east-1::parameter/x")


def test_bytes_stay_bytes(secrets: Any) -> None:
    secrets.create_secret(Name="b", SecretBinary=b"\x00\xff")
    found = secrets.get_secret_value(SecretId="b")
    assert found["SecretBinary"] == b"\x00\xff"
    assert "SecretString" not in found
    refused("InvalidParameterException", secrets.put_secret_value, SecretId="b", SecretBinary=b"1", SecretString="1")
    refused("InvalidRequestException", secrets.put_secret_value, SecretId="b")


def test_a_new_value_moves_the_labels(secrets: Any) -> None:
    secrets.create_secret(Name="s", SecretString="1", ClientRequestToken=token("a"))
    for name in "bc":
        secrets.put_secret_value(SecretId="s", SecretString=name, ClientRequestToken=token(name))
    assert secrets.describe_secret(SecretId="s")["VersionIdsToStages"] == {
        token("b"): ["AWSPREVIOUS"],
        token("c"): ["AWSCURRENT"],
    }
    assert secrets.get_secret_value(SecretId="s", VersionStage="AWSPREVIOUS")["SecretString"] == "b"
    assert secrets.get_secret_value(SecretId="s", VersionId=token("a"))["SecretString"] == "1"
    said = refused("ResourceNotFoundException", secrets.get_secret_value, SecretId="s", VersionStage="AWSPENDING")
    assert said == "Secrets Manager can't find the specified secret value for staging label: AWSPENDING"
    said = refused("ResourceNotFoundException", secrets.get_secret_value, SecretId="s", VersionId=token("x"))
    assert said == f"Secrets Manager can't find the specified secret value for VersionId: {token('x')}"
    both = {"VersionId": token("a"), "VersionStage": "AWSCURRENT"}
    refused("InvalidRequestException", secrets.get_secret_value, SecretId="s", **both)
    listed = secrets.list_secret_version_ids(SecretId="s")["Versions"]
    assert [each["VersionId"] for each in listed] == [token("b"), token("c")]
    assert len(secrets.list_secret_version_ids(SecretId="s", IncludeDeprecated=True)["Versions"]) == 3


def test_a_token_makes_a_version_once(secrets: Any) -> None:
    made = {"Name": "i", "SecretString": "1", "ClientRequestToken": token("a")}
    assert secrets.create_secret(**made)["ARN"] == secrets.create_secret(**made)["ARN"]
    refused("ResourceExistsException", secrets.create_secret, **made | {"ClientRequestToken": token("b")})
    refused("ResourceExistsException", secrets.create_secret, **made | {"SecretString": "2"})
    put = {"SecretId": "i", "SecretString": "2", "ClientRequestToken": token("c")}
    secrets.put_secret_value(**put)
    assert secrets.put_secret_value(**put)["VersionStages"] == ["AWSCURRENT"]
    refused("ResourceExistsException", secrets.put_secret_value, **put | {"SecretString": "3"})
    refused("ResourceExistsException", secrets.update_secret, **put)
    assert len(secrets.list_secret_version_ids(SecretId="i")["Versions"]) == 2


def test_labels_are_moved_by_hand(secrets: Any) -> None:
    secrets.create_secret(Name="m", SecretString="1", ClientRequestToken=token("a"))
    secrets.put_secret_value(
        SecretId="m", SecretString="2", ClientRequestToken=token("b"), VersionStages=["AWSPENDING", "mine"]
    )
    current = {"SecretId": "m", "VersionStage": "AWSCURRENT", "MoveToVersionId": token("b")}
    said = refused("InvalidParameterException", secrets.update_secret_version_stage, **current)
    assert f"currently attached to version {token('a')}" in said
    secrets.update_secret_version_stage(**current, RemoveFromVersionId=token("a"))
    assert secrets.describe_secret(SecretId="m")["VersionIdsToStages"] == {
        token("a"): ["AWSPREVIOUS"],
        token("b"): ["AWSPENDING", "mine", "AWSCURRENT"],
    }
    remove = {"SecretId": "m", "RemoveFromVersionId": token("b")}
    said = refused(
        "InvalidParameterException", secrets.update_secret_version_stage, **remove, VersionStage="AWSCURRENT"
    )
    assert "can't be completely removed" in said
    secrets.update_secret_version_stage(**remove, VersionStage="mine")
    refused("InvalidParameterException", secrets.update_secret_version_stage, **remove, VersionStage="mine")
    refused(
        "ResourceNotFoundException", secrets.update_secret_version_stage, **current | {"MoveToVersionId": token("z")}
    )


def test_a_secret_without_a_value(secrets: Any) -> None:
    assert "VersionId" not in secrets.create_secret(Name="empty")
    refused("ResourceNotFoundException", secrets.get_secret_value, SecretId="empty")
    answer = secrets.put_secret_value(SecretId="empty", SecretString="1", VersionStages=["mine"])
    assert answer["VersionStages"] == ["mine", "AWSCURRENT"]


def test_update_changes_what_it_says(secrets: Any, kms: Any) -> None:
    secrets.create_secret(Name="u", SecretString="1", Description="old")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert "VersionId" not in secrets.update_secret(SecretId="u", Description="new", KmsKeyId=key)
    assert secrets.update_secret(SecretId="u", SecretString="2")["VersionId"]
    found = secrets.describe_secret(SecretId="u")
    assert (found["Description"], found["KmsKeyId"]) == ("new", key)
    versions = secrets.list_secret_version_ids(SecretId="u")["Versions"]
    assert all(each["KmsKeyIds"][0].endswith(key) for each in versions)  # the older one was encrypted again
    assert secrets.get_secret_value(SecretId="u", VersionStage="AWSPREVIOUS")["SecretString"] == "1"
    kms.disable_key(KeyId=key)
    assert "is disabled" in refused("DecryptionFailure", secrets.get_secret_value, SecretId="u")
    refused("EncryptionFailure", secrets.put_secret_value, SecretId="u", SecretString="3")
    refused("EncryptionFailure", secrets.create_secret, Name="v", SecretString="3", KmsKeyId="alias/none")


def test_rooms_read_through_the_front_door(keeping: Platform, secrets: Any, account: str) -> None:
    arn = secrets.create_secret(Name="door", SecretString='{"user": "me"}')["ARN"]
    ask = keeping.door(Scope("aws", account, "us-east-1"), "ecs", root("aws", account))
    assert ask("secretsmanager", "get_secret_value", SecretId=arn)["SecretString"] == '{"user": "me"}'


# --- finding


@pytest.fixture
def several(secrets: Any) -> Any:
    for name, description in (("a/one", "First thing"), ("a/two", ""), ("b/one", "Last")):
        secrets.create_secret(Name=name, Description=description, SecretString=name, Tags=[{"Key": "k", "Value": name}])
    return secrets


def test_lists_in_every_order(several: Any) -> None:
    def found(**more: Any) -> list[str]:
        return [each["Name"] for each in several.list_secrets(**more)["SecretList"]]

    assert found() == ["b/one", "a/two", "a/one"]
    assert found(SortOrder="asc") == ["a/one", "a/two", "b/one"]
    assert found(SortBy="name", SortOrder="desc") == ["b/one", "a/two", "a/one"]
    several.get_secret_value(SecretId="a/two")
    assert found(SortBy="last-accessed-date")[0] == "a/two"
    several.update_secret(SecretId="a/one", Description="x")
    assert found(SortBy="last-changed-date")[0] == "a/one"
    pages = several.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 2})
    assert [len(page["SecretList"]) for page in pages] == [2, 1]
    page = several.list_secrets(MaxResults=1)
    refused("InvalidNextTokenException", several.list_secrets, NextToken=page["NextToken"], SortOrder="asc")


@pytest.mark.parametrize(
    ("key", "values", "names"),
    [
        ("name", ["a/"], {"a/one", "a/two"}),
        ("name", ["A/"], set()),
        ("name", ["a/one", "b"], {"a/one", "b/one"}),
        ("name", ["!a/"], {"b/one"}),
        ("description", ["LAST"], {"b/one"}),
        ("tag-key", ["k"], {"a/one", "a/two", "b/one"}),
        ("tag-value", ["b/"], {"b/one"}),
        ("primary-region", ["eu"], set()),
        ("owning-service", ["rds"], set()),
        ("all", ["THING two"], {"a/one", "a/two"}),
    ],
)
def test_filters(several: Any, key: str, values: list[str], names: set[str]) -> None:
    found = several.list_secrets(Filters=[{"Key": key, "Values": values}])["SecretList"]
    assert {each["Name"] for each in found} == names
    batch = several.batch_get_secret_value(Filters=[{"Key": key, "Values": values}])["SecretValues"]
    assert {each["SecretString"] for each in batch} == names


def test_several_values_at_once(several: Any) -> None:
    several.delete_secret(SecretId="a/two")
    answer = several.batch_get_secret_value(SecretIdList=["a/one", "a/two", "none"])
    assert [each["SecretString"] for each in answer["SecretValues"]] == ["a/one"]
    errors = {each["SecretId"]: each["ErrorCode"] for each in answer["Errors"]}
    assert errors == {"a/two": "InvalidRequestException", "none": "ResourceNotFoundException"}
    refused("InvalidParameterException", several.batch_get_secret_value)


# --- deletion


def test_deletion_can_be_undone(secrets: Any) -> None:
    secrets.create_secret(Name="d", SecretString="1")
    for days in (6, 31):
        refused("InvalidParameterException", secrets.delete_secret, SecretId="d", RecoveryWindowInDays=days)
    both = {"RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": True}
    refused("InvalidParameterException", secrets.delete_secret, SecretId="d", **both)
    when = secrets.delete_secret(SecretId="d", RecoveryWindowInDays=7)["DeletionDate"]
    assert secrets.describe_secret(SecretId="d")["DeletedDate"] == when
    said = refused("InvalidRequestException", secrets.get_secret_value, SecretId="d")
    assert said == "You can't perform this operation on the secret because it was marked for deletion."
    said = refused("InvalidRequestException", secrets.create_secret, Name="d")
    assert "already scheduled for deletion" in said
    refused("InvalidRequestException", secrets.delete_secret, SecretId="d")
    assert secrets.list_secrets()["SecretList"] == []
    assert secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"][0]["Name"] == "d"
    secrets.restore_secret(SecretId="d")
    assert secrets.get_secret_value(SecretId="d")["SecretString"] == "1"


def test_deletion_at_once(secrets: Any) -> None:
    before = secrets.create_secret(Name="d", SecretString="1", Tags=[{"Key": "a", "Value": "b"}])["ARN"]
    secrets.delete_secret(SecretId="d", ForceDeleteWithoutRecovery=True)
    refused("ResourceNotFoundException", secrets.describe_secret, SecretId="d")
    assert secrets.delete_secret(SecretId="d", ForceDeleteWithoutRecovery=True)["Name"] == "d"
    refused("ResourceNotFoundException", secrets.delete_secret, SecretId="d")
    assert secrets.create_secret(Name="d")["ARN"] != before
    refused("ResourceNotFoundException", secrets.describe_secret, SecretId=before)
    assert "Tags" not in secrets.describe_secret(SecretId="d")


# --- passwords, tags, policies


def test_passwords(secrets: Any) -> None:
    for _ in range(50):
        password = secrets.get_random_password(PasswordLength=4)["RandomPassword"]
        kinds = (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation)
        assert [sum(c in kind for c in password) for kind in kinds] == [1, 1, 1, 1]
    given = {"ExcludeCharacters": "abc", "ExcludePunctuation": True, "ExcludeNumbers": True, "ExcludeUppercase": True}
    assert set(secrets.get_random_password(PasswordLength=500, **given)["RandomPassword"]) == set(
        "defghijklmnopqrstuvwxyz"
    )
    assert " " in secrets.get_random_password(PasswordLength=4000, IncludeSpace=True)["RandomPassword"]
    refused("InvalidParameterException", secrets.get_random_password, PasswordLength=3)
    assert len(secrets.get_random_password(PasswordLength=3, RequireEachIncludedType=False)["RandomPassword"]) == 3
    refused("InvalidParameterException", secrets.get_random_password, ExcludeLowercase=True, **given)


def test_tags(secrets: Any) -> None:
    secrets.create_secret(Name="t", Tags=[{"Key": "a", "Value": "1"}])
    secrets.tag_resource(SecretId="t", Tags=[{"Key": "b", "Value": "2"}])
    secrets.untag_resource(SecretId="t", TagKeys=["a"])
    assert secrets.describe_secret(SecretId="t")["Tags"] == [{"Key": "b", "Value": "2"}]
    refused("InvalidParameterException", secrets.tag_resource, SecretId="t", Tags=[{"Key": "aws:x", "Value": ""}])


def test_resource_policies(secrets: Any) -> None:
    secrets.create_secret(Name="p")
    mine, everybody = (
        json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": principal},
            }
        )
        for principal in ({"AWS": "123456789012"}, "*")
    )
    secrets.put_resource_policy(SecretId="p", ResourcePolicy=mine, BlockPublicPolicy=True)
    assert secrets.get_resource_policy(SecretId="p")["ResourcePolicy"] == mine
    assert secrets.list_resource_policies(SecretId="p")["ResourcePolicies"] == [{"PolicyName": "default"}]
    put = {"SecretId": "p", "ResourcePolicy": everybody}
    refused("PublicPolicyException", secrets.put_resource_policy, **put, BlockPublicPolicy=True)
    refused("MalformedPolicyDocumentException", secrets.put_resource_policy, SecretId="p", ResourcePolicy="{}")
    refused("InvalidParameterException", secrets.put_resource_policy, **put, PolicyName="other")
    verdict = secrets.validate_resource_policy(ResourcePolicy=everybody)
    assert not verdict["PolicyValidationPassed"]
    assert verdict["ValidationErrors"][0]["CheckName"] == "PUBLIC_POLICY"
    assert secrets.validate_resource_policy(ResourcePolicy=mine)["PolicyValidationPassed"]
    secrets.delete_resource_policy(SecretId="p")
    assert "ResourcePolicy" not in secrets.get_resource_policy(SecretId="p")


@pytest.mark.parametrize("name", ["a b", "é", "a:b"])
def test_names_that_cannot_be(secrets: Any, name: str) -> None:
    refused("ValidationException", secrets.create_secret, Name=name, SecretString=str(uuid4()))
