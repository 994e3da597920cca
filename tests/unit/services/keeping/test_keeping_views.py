"""What clients are told, whole: golden files beside this test. `HATOBA_GOLDEN=write` renews them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import msgspec

from tests.unit.services.keeping.test_keeping_time_parameters import EXPIRES
from tests.unit.services.keeping.test_keeping_time_secrets import FUNCTION
from tests.unit.services.keeping.world import Functions, World

GOLDEN = Path(__file__).parent / "golden"
_IDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{64}\b|(?<=mrk-)[0-9a-f]{32}")


def check(name: str, shape: Any) -> None:
    """Ids that chance gave are numbered in the order in which they appear."""
    text = msgspec.json.format(msgspec.json.encode(shape), indent=2).decode() + "\n"
    numbers: dict[str, str] = {}
    text = _IDS.sub(lambda match: numbers.setdefault(match[0], f"<id {len(numbers) + 1}>"), text)
    path = GOLDEN / f"{name}.json"
    if os.environ.get("HATOBA_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


async def test_parameters() -> None:
    ssm = World().aws().ssm
    told = {"Description": "where it is", "AllowedPattern": "^[a-z.]+$", "Tier": "Advanced", "Policies": f"[{EXPIRES}]"}
    await ssm.put_parameter(Name="/app/host", Value="db.local", Type="String", DataType="hostname", **told)
    await ssm.put_parameter(Name="/app/host", Value="db.example", Overwrite=True)
    await ssm.label_parameter_version(Name="/app/host", ParameterVersion=1, Labels=["old"])
    await ssm.put_parameter(Name="/app/password", Value="x", Type="SecureString")
    check(
        "parameters",
        {
            "GetParameter": await ssm.get_parameter(Name="/app/host:old"),
            "GetParameters": await ssm.get_parameters(Names=["/app/password", "/none"], WithDecryption=True),
            "DescribeParameters": await ssm.describe_parameters(),
            "GetParameterHistory": await ssm.get_parameter_history(Name="/app/host"),
            "public": await ssm.get_parameter(Name="/aws/service/global-infrastructure/current-region"),
        },
    )


async def test_secrets() -> None:
    world = World(Functions().service)
    secrets = world.aws().secretsmanager
    more = {"Description": "the database", "Tags": [{"Key": "a", "Value": "b"}], "KmsKeyId": "alias/aws/ssm"}
    created = await secrets.create_secret(
        Name="db", SecretString="x", **more, AddReplicaRegions=[{"Region": "eu-west-1"}]
    )
    rules = {"ScheduleExpression": "cron(0 4 ? * SUN *)", "Duration": "2h"}
    await secrets.rotate_secret(SecretId="db", RotationLambdaARN=FUNCTION, RotationRules=rules)
    await world.settle()
    await secrets.get_secret_value(SecretId="db")
    check(
        "secrets",
        {
            "CreateSecret": created,
            "DescribeSecret": await secrets.describe_secret(SecretId="db"),
            "DescribeSecret of the replica": await world.aws("eu-west-1").secretsmanager.describe_secret(SecretId="db"),
            "GetSecretValue": await secrets.get_secret_value(SecretId="db", VersionStage="AWSPREVIOUS"),
            "ListSecrets": await secrets.list_secrets(),
            "ListSecretVersionIds": await secrets.list_secret_version_ids(SecretId="db"),
        },
    )


async def test_keys() -> None:
    world = World()
    kms = world.aws().kms
    key = (await kms.create_key(MultiRegion=True, Description="ours"))["KeyMetadata"]["KeyId"]
    replica = await kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    await kms.create_alias(AliasName="alias/app", TargetKeyId=key)
    await kms.enable_key_rotation(KeyId=key)
    await kms.rotate_key_on_demand(KeyId=key)
    who = {"GranteePrincipal": "arn:aws:iam::123456789012:role/app", "Name": "app"}
    await kms.create_grant(
        KeyId=key, **who, Operations=["Decrypt"], Constraints={"EncryptionContextEquals": {"a": "b"}}
    )
    pair = (await kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"))["KeyMetadata"]
    awaited = (await kms.create_key(Origin="EXTERNAL"))["KeyMetadata"]
    await kms.schedule_key_deletion(KeyId=pair["KeyId"])
    check(
        "keys",
        {
            "DescribeKey": await kms.describe_key(KeyId="alias/app"),
            "DescribeKey of a service's": await kms.describe_key(KeyId="alias/aws/ssm"),
            "DescribeKey of a pair that goes": await kms.describe_key(KeyId=pair["KeyId"]),
            "DescribeKey of one without material": {"KeyMetadata": awaited},
            "ReplicateKey": replica,
            "ListAliases": await kms.list_aliases(),
            "ListGrants": await kms.list_grants(KeyId=key),
            "GetKeyRotationStatus": await kms.get_key_rotation_status(KeyId=key),
            "ListKeyRotations": await kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL"),
        },
    )
