"""What accounts share: keys by their policies and grants, secrets under such keys. Both sides have to allow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance.organizations.world import Company, Somebody, World, allow, deny, document
from tests.conformance.serving import refused

pytestmark = pytest.mark.slow
NO_POLICY = "because no resource-based policy allows the kms:{} action"


def key_for(owner: Somebody, *others: str, actions: str = "kms:*", **more: Any) -> str:
    """A key that its own account and others may use."""
    own = {**allow("kms:*"), "Principal": {"AWS": owner.account}}
    theirs = {**allow(actions), "Principal": {"AWS": list(others)}}
    policy = document(own, *([theirs] if others else []))
    arn: str = owner("kms").create_key(Policy=policy, **more)["KeyMetadata"]["Arn"]
    return arn


def test_a_key_is_used_where_both_accounts_allow_it(world: World) -> None:
    owner, other = world.alone(), world.alone()
    key = key_for(owner, other.account)
    ann = other.user("ann", allow("kms:Encrypt", "kms:Decrypt", "kms:DescribeKey", on=key))
    blob = ann("kms").encrypt(KeyId=key, Plaintext=b"a")["CiphertextBlob"]
    assert owner("kms").decrypt(CiphertextBlob=blob)["Plaintext"] == b"a"
    opened = ann("kms").decrypt(CiphertextBlob=blob)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"a", key)
    assert ann("kms").describe_key(KeyId=key)["KeyMetadata"]["AWSAccountId"] == owner.account
    said = refused("AccessDeniedException", ann("kms").generate_data_key, KeyId=key, KeySpec="AES_256")
    assert said.endswith("because no identity-based policy allows the kms:GenerateDataKey action")
    stranger = world.alone()
    for ask, params in (("encrypt", {"KeyId": key, "Plaintext": b"a"}), ("decrypt", {"CiphertextBlob": blob})):
        said = refused("AccessDeniedException", getattr(stranger("kms"), ask), **params)
        assert said.endswith(NO_POLICY.format(ask.title()))


def test_a_key_that_is_not_there_looks_like_one_that_is_not_shared(world: World) -> None:
    owner, stranger = world.alone(), world.alone()
    there = key_for(owner)
    for key in (there, there[:-12] + "0" * 12):
        said = refused("AccessDeniedException", stranger("kms").describe_key, KeyId=key)
        assert said.endswith(f"on resource: {key} {NO_POLICY.format('DescribeKey')}")


def test_only_its_own_account_changes_a_key(world: World) -> None:
    """Whatever the key's policy says."""
    owner, other = world.alone(), world.alone()
    key = key_for(owner, other.account)
    theirs = other("kms")
    for name, more in (
        ("disable_key", {}),
        ("schedule_key_deletion", {}),
        ("get_key_policy", {}),
        ("put_key_policy", {"Policy": document({**allow("kms:*"), "Principal": {"AWS": other.account}})}),
        ("update_key_description", {"Description": "mine"}),
        ("enable_key_rotation", {}),
        ("tag_resource", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
    ):
        refused("AccessDeniedException", getattr(theirs, name), KeyId=key, **more)
    refused("AccessDeniedException", theirs.create_alias, AliasName="alias/mine", TargetKeyId=key)
    assert owner("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"


def test_an_alias_of_another_account_is_named_by_its_arn(world: World) -> None:
    owner, other = world.alone(), world.alone()
    key = key_for(owner, other.account)
    owner("kms").create_alias(AliasName="alias/shared", TargetKeyId=key)
    alias = f"arn:aws:kms:us-east-1:{owner.account}:alias/shared"
    assert other("kms").generate_data_key(KeyId=alias, KeySpec="AES_256")["KeyId"] == key
    refused("NotFoundException", other("kms").describe_key, KeyId="alias/shared")
    managed = f"arn:aws:kms:us-east-1:{owner.account}:alias/aws/secretsmanager"
    refused("AccessDeniedException", other("kms").describe_key, KeyId=managed)


def test_a_grant_for_somebody_of_another_account(world: World) -> None:
    owner, other = world.alone(), world.alone()
    key = key_for(owner)
    ann = other.user("ann", allow("kms:*"))
    arn = f"arn:aws:iam::{other.account}:user/ann"
    blob = owner("kms").encrypt(KeyId=key, Plaintext=b"a")["CiphertextBlob"]
    refused("AccessDeniedException", ann("kms").decrypt, CiphertextBlob=blob)
    asked = {"KeyId": key, "GranteePrincipal": arn, "RetiringPrincipal": arn, "Operations": ["Decrypt", "RetireGrant"]}
    made = owner("kms").create_grant(**asked)
    opened = ann("kms").decrypt(CiphertextBlob=blob, GrantTokens=[made["GrantToken"]])
    assert opened["Plaintext"] == b"a"
    [shown] = ann("kms").list_retirable_grants(RetiringPrincipal=arn)["Grants"]
    assert (shown["GrantId"], shown["KeyId"]) == (made["GrantId"], key)
    refused("InvalidArnException", owner("kms").list_retirable_grants, RetiringPrincipal=arn)
    ann("kms").retire_grant(KeyId=key, GrantId=made["GrantId"])
    refused("AccessDeniedException", ann("kms").decrypt, CiphertextBlob=blob)


def test_grants_on_anothers_key_are_kept_with_the_key(world: World) -> None:
    owner, other = world.alone(), world.alone()
    key = key_for(owner, other.account)
    made = other("kms").create_grant(
        KeyId=key, GranteePrincipal=f"arn:aws:iam::{other.account}:root", Operations=["Decrypt"]
    )
    [grant] = owner("kms").list_grants(KeyId=key)["Grants"]
    assert (grant["GrantId"], grant["IssuingAccount"].count(other.account)) == (made["GrantId"], 1)
    assert len(other("kms").list_grants(KeyId=key)["Grants"]) == 1
    other("kms").revoke_grant(KeyId=key, GrantId=made["GrantId"])
    assert owner("kms").list_grants(KeyId=key)["Grants"] == []


def test_ciphertexts_go_from_one_accounts_key_to_anothers(world: World) -> None:
    owner, other = world.alone(), world.alone()
    key, own = key_for(owner, other.account, actions="kms:ReEncryptFrom"), key_for(other)
    blob = owner("kms").encrypt(KeyId=key, Plaintext=b"a")["CiphertextBlob"]
    moved = other("kms").re_encrypt(CiphertextBlob=blob, DestinationKeyId=own)
    assert (moved["SourceKeyId"], moved["KeyId"]) == (key, own)
    assert other("kms").decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] == b"a"
    refused("AccessDeniedException", other("kms").re_encrypt, CiphertextBlob=blob, DestinationKeyId=key)


def test_a_key_for_an_organisation(world: World, company: Company) -> None:
    member, stranger = company.member("dev"), world.alone()
    condition = {"StringEquals": {"aws:PrincipalOrgID": company.id}}
    own = {**allow("kms:*"), "Principal": {"AWS": company.boss.account}}
    policy = document(own, {**allow("kms:Encrypt", Condition=condition), "Principal": "*"})
    key = company.boss("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
    assert member("kms").encrypt(KeyId=key, Plaintext=b"a")["KeyId"] == key
    refused("AccessDeniedException", stranger("kms").encrypt, KeyId=key, Plaintext=b"a")
    company.policy(
        deny("kms:*", Condition={"StringNotEquals": {"aws:ResourceAccount": member.account}}), on=member.account
    )
    said = refused("AccessDeniedException", member("kms").encrypt, KeyId=key, Plaintext=b"a")
    assert said.endswith("with an explicit deny in a service control policy")


def test_a_secret_is_read_where_its_policy_and_its_keys_allow_it(world: World) -> None:
    owner, other = world.alone(), world.alone()
    secret = owner("secretsmanager").create_secret(Name="s", SecretString="a", KmsKeyId=key_for(owner))["ARN"]
    shared = json.loads(document({**allow("secretsmanager:GetSecretValue"), "Principal": {"AWS": other.account}}))
    owner("secretsmanager").put_resource_policy(SecretId=secret, ResourcePolicy=json.dumps(shared))
    assert "KMS" in refused("AccessDeniedException", other("secretsmanager").get_secret_value, SecretId=secret)
    key = key_for(owner, other.account, actions="kms:Decrypt")
    owner("secretsmanager").update_secret(SecretId=secret, KmsKeyId=key)
    assert other("secretsmanager").get_secret_value(SecretId=secret)["SecretString"] == "a"
    with pytest.raises(ClientError, match="not authorized"):
        other("secretsmanager").put_secret_value(SecretId=secret, SecretString="b")
