"""What Secrets Manager's requests need to be allowed: the secret that is meant, its policy, condition keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hatoba.gateway.tags import Tags, tags
from hatoba.services.secretsmanager.access import ACCESS
from hatoba.services.secretsmanager.model import Replica, Rotation, StoredSecret, secrets
from tests.unit.services.asked import SCOPE, Asked

HERE = f"arn:aws:secretsmanager:{SCOPE.region}:{SCOPE.account}"
FAR = SCOPE._replace(account="999999999999")
POLICY = '{"Statement": []}'
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:turn"
BLUE = [{"Key": "team", "Value": "blue"}]


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    """app/db-aBcDeF with all there is; db-prod-abcdef, whose name looks like an ARN's end; `far` of another account."""
    asked = Asked("secretsmanager", ACCESS, secrets, tags)
    for scope, name, suffix, more in (
        (SCOPE, "app/db", "aBcDeF",
         {"policy": POLICY, "rotation": Rotation(function=FUNCTION), "replicas": (Replica(region="eu-west-1"),)}),
        (SCOPE, "db-prod", "abcdef", {}),
        (FAR, "far", "zzzzzz", {"policy": POLICY}),
    ):  # fmt: skip
        record = StoredSecret(key=secrets.key(scope, name), suffix=suffix, created=0.0, changed=0.0, **more)
        asked.put(secrets, record)
    asked.put(tags, Tags(key=tags.key(SCOPE, f"{HERE}:secret:app/db-aBcDeF"), tags={"team": "red"}))
    yield asked
    asked.close()


DB = "secret:app/db-aBcDeF"


@pytest.mark.parametrize(
    ("operation", "req", "needs"),
    [
        ("GetSecretValue", {"SecretId": "app/db"}, [f"GetSecretValue {DB}"]),
        ("GetSecretValue", {"SecretId": f"{HERE}:{DB}"}, [f"GetSecretValue {DB}"]),
        ("GetSecretValue", {"SecretId": f"{HERE}:secret:app/db"}, [f"GetSecretValue {DB}"]),
        ("GetSecretValue", {"SecretId": f"{HERE}:secret:db-prod-abcdef"}, ["GetSecretValue secret:db-prod-abcdef"]),
        ("GetSecretValue", {"SecretId": f"{HERE}:secret:db-prod-xxxxxx"}, ["GetSecretValue secret:db-prod-xxxxxx"]),
        ("GetSecretValue", {"SecretId": "none"}, ["GetSecretValue secret:none-??????"]),
        ("GetSecretValue", {"SecretId": "arn:aws:s3:::bucket"}, ["GetSecretValue arn:aws:s3:::bucket"]),
        ("DescribeSecret", {"SecretId": "arn:aws:secretsmanager:us-east-1:999999999999:secret:far"},
         ["DescribeSecret arn:aws:secretsmanager:us-east-1:999999999999:secret:far-zzzzzz"]),
        ("CreateSecret", {"Name": "new"}, ["CreateSecret secret:new-??????"]),
        ("CreateSecret", {"Name": "app/db"}, [f"CreateSecret {DB}"]),
        ("CreateSecret", {"Name": "new", "Tags": BLUE, "AddReplicaRegions": [{"Region": "eu-west-1"}]},
         ["CreateSecret secret:new-??????", "TagResource secret:new-??????",
          "ReplicateSecretToRegions secret:new-??????"]),
        ("ValidateResourcePolicy", {"SecretId": "app/db", "ResourcePolicy": "{}"},
         [f"ValidateResourcePolicy {DB}", f"PutResourcePolicy {DB}"]),
        ("BatchGetSecretValue", {"SecretIdList": ["app/db"]}, ["BatchGetSecretValue *"]),
        ("BatchGetSecretValue", {"Filters": [{"Key": "name", "Values": ["a"]}]},
         ["BatchGetSecretValue *", "ListSecrets *"]),
        ("ListSecrets", {}, ["ListSecrets *"]),
        ("GetRandomPassword", {}, ["GetRandomPassword *"]),
        ("RotateSecret", {"SecretId": "none"}, ["RotateSecret secret:none-??????"]),
    ],
)  # fmt: skip
def test_the_secret_that_is_meant(asked: Asked, operation: str, req: dict[str, Any], needs: list[str]) -> None:
    assert asked.said(operation, **req) == [f"secretsmanager:{need}" for need in needs]


def test_who_rotates_needs_the_right_to_call_the_function(asked: Asked) -> None:
    other = FUNCTION.replace("turn", "other")
    assert asked.said("RotateSecret", SecretId="app/db")[1:] == ["lambda:InvokeFunction function:turn"]
    named = asked.said("RotateSecret", SecretId="app/db", RotationLambdaARN=other)
    assert named[1:] == ["lambda:InvokeFunction function:other"]


def test_a_secrets_policy_goes_along_also_to_another_account(asked: Asked) -> None:
    def policies(operation: str, **req: Any) -> list[str | None]:
        return [need.policy for need in asked.needs(operation, **req)]

    assert policies("GetSecretValue", SecretId="app/db") == [POLICY]
    assert policies("GetSecretValue", SecretId=f"arn:aws:secretsmanager:us-east-1:{FAR.account}:secret:far") == [POLICY]
    assert policies("GetSecretValue", SecretId="db-prod") == [None]
    assert policies("RotateSecret", SecretId="app/db") == [POLICY, None]  # not the function's
    assert policies("ListSecrets") == [None]


OF_DB = {
    "secretsmanager:ResourceTag/team": "red",
    "secretsmanager:SecretPrimaryRegion": "us-east-1",
    "secretsmanager:resource/AllowRotationLambdaArn": "function:turn",
    "secretsmanager:SecretId": "app/db",
}
TAGGED = {"aws:TagKeys": ["team"], "aws:RequestTag/team": "blue"}


@pytest.mark.parametrize(
    ("operation", "req", "keys"),
    [
        ("DescribeSecret", {"SecretId": "app/db"}, OF_DB),
        ("GetSecretValue", {"SecretId": "app/db"}, {**OF_DB, "secretsmanager:VersionStage": "AWSCURRENT"}),
        ("GetSecretValue", {"SecretId": "app/db", "VersionStage": "AWSPREVIOUS"},
         {**OF_DB, "secretsmanager:VersionStage": "AWSPREVIOUS"}),
        ("GetSecretValue", {"SecretId": "app/db", "VersionId": "v" * 32},
         {**OF_DB, "secretsmanager:VersionId": "v" * 32}),
        ("CreateSecret",
         {"Name": "new", "Description": "d", "Tags": BLUE, "AddReplicaRegions": [{"Region": "eu-west-1"}],
          "ForceOverwriteReplicaSecret": True, "KmsKeyId": "11111111-1111-1111-1111-111111111111"},
         {"secretsmanager:Name": "new", "secretsmanager:Description": "d",
          "secretsmanager:AddReplicaRegions": ["eu-west-1"], "secretsmanager:ForceOverwriteReplicaSecret": "true",
          "secretsmanager:KmsKeyId": "11111111-1111-1111-1111-111111111111",
          "secretsmanager:KmsKeyArn": "key/11111111-1111-1111-1111-111111111111", **TAGGED}),
        ("UpdateSecret", {"SecretId": "app/db", "KmsKeyId": "alias/app"},
         {**OF_DB, "secretsmanager:KmsKeyId": "alias/app"}),
        ("DeleteSecret", {"SecretId": "app/db", "ForceDeleteWithoutRecovery": True},
         {**OF_DB, "secretsmanager:ForceDeleteWithoutRecovery": "true"}),
        ("DeleteSecret", {"SecretId": "app/db", "RecoveryWindowInDays": 7},
         {**OF_DB, "secretsmanager:RecoveryWindowInDays": "7"}),
        ("PutResourcePolicy", {"SecretId": "app/db", "ResourcePolicy": "{}", "BlockPublicPolicy": True},
         {**OF_DB, "secretsmanager:BlockPublicPolicy": "true"}),
        ("RotateSecret", {"SecretId": "app/db", "RotationRules": {}, "RotateImmediately": False},
         {**OF_DB, "secretsmanager:ModifyRotationRules": "true", "secretsmanager:RotateImmediately": "false"}),
        ("RotateSecret", {"SecretId": "app/db"},
         {**OF_DB, "secretsmanager:ModifyRotationRules": "false", "secretsmanager:RotateImmediately": "true"}),
        ("TagResource", {"SecretId": "app/db", "Tags": BLUE}, {**OF_DB, **TAGGED}),
        ("UntagResource", {"SecretId": "app/db", "TagKeys": ["team"]}, {**OF_DB, "aws:TagKeys": ["team"]}),
    ],
)  # fmt: skip
def test_condition_keys(asked: Asked, operation: str, req: dict[str, Any], keys: dict[str, Any]) -> None:
    assert asked.keys(operation, **req) == keys
