"""Keys are asked with the permissions of whoever asks for the secret or the parameter; secrets of other accounts by
their policies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from hatoba.aws.models import Operation
from hatoba.core.errors import AwsError
from hatoba.gateway.access import denied
from hatoba.gateway.call import Call, Principal
from hatoba.gateway.needs import Need
from hatoba.services.secretsmanager.model import secrets
from tests.unit.services.keeping.world import SCOPE, World, refusal

ALICE = Principal(kind="user", account=SCOPE.account, arn=f"arn:aws:iam::{SCOPE.account}:user/alice", id="AIDA")
FAR = Principal(kind="user", account="999999999999", arn="arn:aws:iam::999999999999:user/eve", id="AIDB")
POLICY = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}'
READ = {"secretsmanager:GetSecretValue", "ssm:GetParameter", "ssm:GetParameters"}


class Judge:
    """Users may do what they are given; whoever else asks, everything. Keeps what was needed."""

    def __init__(self) -> None:
        self.allowed: set[str] = set()
        self.refused: set[str] = set()  # resources
        self.needed: list[tuple[Principal, Need]] = []

    def decide(self, call: Call, operation: Operation, needs: Iterable[Need]) -> None:
        for need in needs:
            self.needed.append((call.principal, need))
            if call.principal.kind != "user":
                continue
            if need.action not in self.allowed or need.resource in self.refused:
                raise denied(call.principal, operation, need, "because")

    def of_kms(self, who: Principal) -> list[Need]:
        return [need for asked, need in self.needed if asked is who and need.action.startswith("kms:")]


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
async def world(judge: Judge) -> World:
    return World(authorizer=judge)


def as_(world: World, who: Principal, service: str = "ecs") -> Any:
    return world.plane.door(SCOPE._replace(account=who.account), service, who)


async def kept(world: World) -> tuple[str, str]:
    """A secret and a SecureString under a key of the account's; its ARN and the secret's."""
    root = world.aws()
    key = (await root.kms.create_key())["KeyMetadata"]["Arn"]
    secret = await root.secretsmanager.create_secret(Name="db", SecretString="s", KmsKeyId=key)
    await root.ssm.put_parameter(Name="/db", Value="p", Type="SecureString", KeyId=key)
    return key, secret["ARN"]


async def test_who_may_not_decrypt_cannot_read(world: World, judge: Judge) -> None:
    await kept(world)
    alice, judge.allowed = as_(world, ALICE), set(READ)
    with pytest.raises(AwsError, match="Access to KMS is not allowed") as caught:
        await alice.secretsmanager.get_secret_value(SecretId="db")
    assert (caught.value.code, caught.value.status) == ("AccessDeniedException", 400)
    for asking in (
        alice.ssm.get_parameter(Name="/db", WithDecryption=True),
        alice.ssm.get_parameters(Names=["/db"], WithDecryption=True),
    ):
        with pytest.raises(AwsError, match=r"user/alice is not authorized to perform: kms:Decrypt") as caught:
            await asking
        assert caught.value.code == "AccessDeniedException"
    assert (await alice.ssm.get_parameter(Name="/db"))["Parameter"]["Value"] != "p"
    judge.allowed |= {"kms:Decrypt"}
    assert (await alice.secretsmanager.get_secret_value(SecretId="db"))["SecretString"] == "s"
    assert (await alice.ssm.get_parameter(Name="/db", WithDecryption=True))["Parameter"]["Value"] == "p"


async def test_kms_is_told_through_which_service_and_for_what(world: World, judge: Judge) -> None:
    key, secret = await kept(world)
    alice, judge.allowed = as_(world, ALICE), {*READ, "kms:Decrypt"}
    version = (await alice.secretsmanager.get_secret_value(SecretId="db"))["VersionId"]
    await alice.ssm.get_parameter(Name="/db", WithDecryption=True)
    from_secret, from_parameter = judge.of_kms(ALICE)
    for need, service, context in (
        (from_secret, "secretsmanager", {"SecretARN": secret, "SecretVersionId": version}),
        (from_parameter, "ssm", {"PARAMETER_ARN": f"arn:aws:ssm:us-east-1:{SCOPE.account}:parameter/db"}),
    ):
        assert (need.action, need.resource, need.trusts_account) == ("kms:Decrypt", key, False)
        assert need.policy is not None
        assert need.keys["kms:ViaService"] == f"{service}.us-east-1.amazonaws.com"
        assert need.keys["kms:CallerAccount"] == SCOPE.account
        said = {f"kms:EncryptionContext:{name}": value for name, value in context.items()}
        assert said.items() <= need.keys.items()


@pytest.mark.parametrize(
    ("allowed", "operation", "req"),
    [
        ("secretsmanager:CreateSecret", "create_secret", {"Name": "new", "SecretString": "x"}),
        ("secretsmanager:PutSecretValue", "put_secret_value", {"SecretId": "db", "SecretString": "x"}),
        ("secretsmanager:UpdateSecret", "update_secret", {"SecretId": "db", "SecretString": "x"}),
    ],
)
async def test_who_may_not_encrypt_cannot_write(
    world: World, judge: Judge, allowed: str, operation: str, req: dict[str, Any]
) -> None:
    key, _ = await kept(world)
    given = {**req, "KmsKeyId": key} if operation == "create_secret" else req
    alice, judge.allowed = as_(world, ALICE), {allowed}
    before = world.store.seq
    assert await refusal(getattr(alice.secretsmanager, operation)(**given)) == "AccessDeniedException"
    assert world.store.seq == before
    judge.allowed |= {"kms:GenerateDataKey"}
    await getattr(alice.secretsmanager, operation)(**given)


async def test_who_may_not_encrypt_cannot_write_parameters(world: World, judge: Judge) -> None:
    key, _ = await kept(world)
    alice, judge.allowed = as_(world, ALICE), {"ssm:PutParameter"}
    given = {"Name": "/new", "Value": "x", "Type": "SecureString", "KeyId": key}
    assert await refusal(alice.ssm.put_parameter(**given)) == "AccessDeniedException"
    assert await refusal(alice.ssm.put_parameter(**given, Tier="Advanced")) == "AccessDeniedException"
    judge.allowed |= {"kms:Encrypt"}
    await alice.ssm.put_parameter(**given)


async def test_a_secret_behind_a_parameter_is_its_readers_business(world: World, judge: Judge) -> None:
    await kept(world)
    alice, judge.allowed = as_(world, ALICE), {"ssm:GetParameter", "kms:Decrypt"}
    given = {"Name": "/aws/reference/secretsmanager/db", "WithDecryption": True}
    assert await refusal(alice.ssm.get_parameter(**given)) == "AccessDeniedException"
    judge.allowed |= {"secretsmanager:GetSecretValue"}
    assert (await alice.ssm.get_parameter(**given))["Parameter"]["Value"] == "s"


async def test_of_several_secrets_each_is_asked_for(world: World, judge: Judge) -> None:
    await kept(world)
    other = (await world.aws().secretsmanager.create_secret(Name="other", SecretString="o"))["ARN"]
    alice = as_(world, ALICE)
    judge.allowed, judge.refused = {"secretsmanager:BatchGetSecretValue", *READ, "kms:Decrypt"}, {other}
    found = await alice.secretsmanager.batch_get_secret_value(SecretIdList=["db", "other"])
    assert [each["SecretString"] for each in found["SecretValues"]] == ["s"]
    assert [(each["SecretId"], each["ErrorCode"]) for each in found["Errors"]] == [("other", "AccessDeniedException")]


# --- other accounts


async def test_another_accounts_secret_is_read_and_written_where_it_is(world: World, judge: Judge) -> None:
    _, arn = await kept(world)
    far = as_(world, FAR).secretsmanager
    judge.allowed = {
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:TagResource",
        "kms:Decrypt",
        "kms:GenerateDataKey",
    }
    assert await refusal(far.get_secret_value(SecretId=arn)) == "AccessDeniedException"  # it has no policy
    await world.aws().secretsmanager.put_resource_policy(SecretId="db", ResourcePolicy=POLICY)
    judge.needed.clear()
    assert (await far.get_secret_value(SecretId=arn))["SecretString"] == "s"
    read = [need for who, need in judge.needed if who is FAR]
    assert (read[0].action, read[0].resource, read[0].policy) == ("secretsmanager:GetSecretValue", arn, POLICY)
    assert read[1].keys["kms:CallerAccount"] == FAR.account
    assert read[1].resource.split(":")[4] == SCOPE.account
    await far.put_secret_value(SecretId=arn, SecretString="new")
    await far.tag_resource(SecretId=arn, Tags=[{"Key": "by", "Value": "eve"}])
    shown = await world.aws().secretsmanager.describe_secret(SecretId="db")
    assert shown["Tags"] == [{"Key": "by", "Value": "eve"}]
    assert (await world.aws().secretsmanager.get_secret_value(SecretId="db"))["SecretString"] == "new"
    assert [record.scope for record in world.store.scan(secrets, SCOPE._replace(account=FAR.account))] == []


async def test_without_its_key_another_accounts_secret_stays_closed(world: World, judge: Judge) -> None:
    _, arn = await kept(world)
    await world.aws().secretsmanager.put_resource_policy(SecretId="db", ResourcePolicy=POLICY)
    judge.allowed = {"secretsmanager:GetSecretValue"}
    assert await refusal(as_(world, FAR).secretsmanager.get_secret_value(SecretId=arn)) == "AccessDeniedException"


async def test_a_name_is_ones_own_accounts(world: World, judge: Judge) -> None:
    await kept(world)
    await world.aws().secretsmanager.put_resource_policy(SecretId="db", ResourcePolicy=POLICY)
    judge.allowed = {"secretsmanager:GetSecretValue", "kms:Decrypt"}
    refused = refusal(as_(world, FAR).secretsmanager.get_secret_value(SecretId="db"))
    assert await refused == "ResourceNotFoundException"
