"""KMS's keys, used by boto3: kinds, names, states, policies, grants, tags, regions, deletion; and the refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hatoba.core.keys import Scope
from tests.conformance.keeping.rooms import Platform
from tests.conformance.serving import refused


def made(kms: Any, **more: Any) -> str:
    key: str = kms.create_key(**more)["KeyMetadata"]["KeyId"]
    return key


@pytest.fixture
def key(kms: Any) -> str:
    return made(kms)


def test_a_key_is_described(kms: Any, account: str) -> None:
    shown = kms.create_key(Description="mine", Tags=[{"TagKey": "a", "TagValue": "b"}])["KeyMetadata"]
    assert shown.pop("CreationDate").timestamp() > 1_700_000_000
    assert len(shown.pop("CurrentKeyMaterialId")) == 64
    key = shown["KeyId"]
    assert shown == {
        "AWSAccountId": account,
        "KeyId": key,
        "Arn": f"arn:aws:kms:us-east-1:{account}:key/{key}",
        "Enabled": True,
        "Description": "mine",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": False,
    }
    kms.update_key_description(KeyId=key, Description="yours")
    assert kms.describe_key(KeyId=shown["Arn"])["KeyMetadata"]["Description"] == "yours"
    assert kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "a", "TagValue": "b"}]


@pytest.mark.parametrize("spec", ["SM2", "ML_KEM_512"])
def test_what_is_not_offered_is_refused_by_name(kms: Any, spec: str) -> None:
    assert spec in refused("UnsupportedOperationException", kms.create_key, KeySpec=spec, KeyUsage="SIGN_VERIFY")


def test_what_else_cannot_be_created(kms: Any) -> None:
    said = refused("ValidationException", kms.create_key, KeySpec="RSA_2048")
    assert "must specify a KeyUsage" in said
    refused("ValidationException", kms.create_key, KeySpec="RSA_2048", KeyUsage="GENERATE_VERIFY_MAC")
    refused("UnsupportedOperationException", kms.create_key, Origin="AWS_CLOUDHSM")
    refused("CustomKeyStoreNotFoundException", kms.create_key, CustomKeyStoreId="cks-1")
    refused("MalformedPolicyDocumentException", kms.create_key, Policy="{}")
    refused("TagException", kms.create_key, Tags=[{"TagKey": "aws:x", "TagValue": ""}])
    assert kms.describe_custom_key_stores()["CustomKeyStores"] == []


def test_aliases(kms: Any, key: str, account: str) -> None:
    kms.create_alias(AliasName="alias/app/db", TargetKeyId=key)
    refused("AlreadyExistsException", kms.create_alias, AliasName="alias/app/db", TargetKeyId=key)
    arn = f"arn:aws:kms:us-east-1:{account}:alias/app/db"
    for name in ("alias/app/db", arn):
        assert kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"] == key
    other = made(kms)
    kms.update_alias(AliasName="alias/app/db", TargetKeyId=other)
    assert [each["AliasArn"] for each in kms.list_aliases(KeyId=other)["Aliases"]] == [arn]
    pair = made(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    refused("ValidationException", kms.update_alias, AliasName="alias/app/db", TargetKeyId=pair)
    kms.delete_alias(AliasName="alias/app/db")
    said = refused("NotFoundException", kms.describe_key, KeyId="alias/app/db")
    assert said == f"Alias {arn} is not found."
    refused("AccessDeniedException", kms.create_alias, AliasName="alias/aws/mine", TargetKeyId=key)
    refused("ValidationException", kms.create_alias, AliasName="mine", TargetKeyId=key)


def test_keys_of_services_are_made_when_they_are_first_used(kms: Any) -> None:
    assert kms.list_aliases()["Aliases"] == []
    shown = kms.describe_key(KeyId="alias/aws/secretsmanager")["KeyMetadata"]
    assert (shown["KeyManager"], shown["Enabled"]) == ("AWS", True)
    assert kms.describe_key(KeyId="alias/aws/secretsmanager")["KeyMetadata"]["KeyId"] == shown["KeyId"]
    assert kms.get_key_rotation_status(KeyId=shown["KeyId"])["KeyRotationEnabled"]
    refused("AccessDeniedException", kms.schedule_key_deletion, KeyId=shown["KeyId"])
    refused("AccessDeniedException", kms.disable_key, KeyId=shown["KeyId"])
    refused("NotFoundException", kms.describe_key, KeyId="alias/aws/nothing")


@pytest.mark.parametrize("name", ["x", "alias/none", "00000000-0000-0000-0000-000000000000", "arn:aws:kms:x"])
def test_keys_that_are_not_there(kms: Any, name: str) -> None:
    refused("NotFoundException", kms.describe_key, KeyId=name)


def test_other_accounts_and_regions(keeping: Platform, kms: Any, key: str) -> None:
    arn = kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    stranger = keeping.client("kms", account="999999999999")
    refused("AccessDeniedException", stranger.describe_key, KeyId=arn)
    refused("AccessDeniedException", stranger.decrypt, CiphertextBlob=blob)
    refused("NotFoundException", stranger.describe_key, KeyId=key)
    elsewhere = keeping.client("kms", account=arn.split(":")[4], region="eu-west-1")
    refused("InvalidCiphertextException", elsewhere.decrypt, CiphertextBlob=blob)
    refused("NotFoundException", elsewhere.describe_key, KeyId=arn)


def test_lists_in_pages(kms: Any) -> None:
    keys = sorted(made(kms) for _ in range(5))
    pages = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2}))
    assert [each["KeyId"] for page in pages for each in page["Keys"]] == keys
    refused("InvalidMarkerException", kms.list_keys, Marker="x")
    refused("ValidationException", kms.list_aliases, Limit=101)
    assert kms.list_keys(ResourceOwners=["OTHER_ACCOUNTS_VIA_RAM"])["Keys"] == []


def test_policies(kms: Any, key: str, account: str) -> None:
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    assert policy["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{account}:root"}
    assert kms.list_key_policies(KeyId=key)["PolicyNames"] == ["default"]
    policy["Statement"][0]["Sid"] = "mine"
    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
    assert json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]) == policy
    refused("MalformedPolicyDocumentException", kms.put_key_policy, KeyId=key, Policy='{"Statement": [{}]}')
    refused("NotFoundException", kms.get_key_policy, KeyId=key, PolicyName="other")


def test_grants(kms: Any, key: str, account: str) -> None:
    role = f"arn:aws:iam::{account}:role/app"
    asked = {"KeyId": key, "GranteePrincipal": role, "RetiringPrincipal": role, "Operations": ["Decrypt"], "Name": "a"}
    first = kms.create_grant(**asked, Constraints={"EncryptionContextSubset": {"a": "b"}})
    assert kms.create_grant(**asked, Constraints={"EncryptionContextSubset": {"a": "b"}}) | {"ResponseMetadata": 0} == {
        **first,
        "ResponseMetadata": 0,
    }
    second = kms.create_grant(**asked)
    grants = kms.list_grants(KeyId=key)["Grants"]
    assert {each["GrantId"] for each in grants} == {first["GrantId"], second["GrantId"]}
    found = kms.list_grants(KeyId=key, GrantId=first["GrantId"])["Grants"][0]
    assert (found["Constraints"], found["Operations"]) == ({"EncryptionContextSubset": {"a": "b"}}, ["Decrypt"])
    assert len(kms.list_retirable_grants(RetiringPrincipal=role)["Grants"]) == 2
    kms.encrypt(KeyId=key, Plaintext=b"x", GrantTokens=[first["GrantToken"]])
    refused("InvalidGrantTokenException", kms.encrypt, KeyId=key, Plaintext=b"x", GrantTokens=["x"])
    kms.retire_grant(GrantToken=first["GrantToken"])
    kms.revoke_grant(KeyId=key, GrantId=second["GrantId"])
    assert kms.list_grants(KeyId=key)["Grants"] == []
    refused("NotFoundException", kms.revoke_grant, KeyId=key, GrantId=second["GrantId"])
    refused("ValidationException", kms.create_grant, **asked | {"Operations": ["Sign"]})
    refused("ValidationException", kms.create_grant, KeyId=key, Operations=["Decrypt"])
    refused("DryRunOperationException", kms.create_grant, **asked, DryRun=True)


def test_tags(kms: Any, key: str) -> None:
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": "2"}])
    kms.untag_resource(KeyId=key, TagKeys=["a"])
    assert kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "b", "TagValue": "2"}]
    twice = [{"TagKey": "a", "TagValue": "1"}] * 2
    refused("TagException", kms.tag_resource, KeyId=key, Tags=twice)


def test_deletion_can_be_cancelled(kms: Any, key: str) -> None:
    for days in (6, 31):
        refused("ValidationException", kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=days)
    answer = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert answer["KeyState"] == "PendingDeletion"
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["DeletionDate"] == answer["DeletionDate"]
    said = refused("KMSInvalidStateException", kms.encrypt, KeyId=key, Plaintext=b"x")
    assert said.endswith("is pending deletion.")
    refused("KMSInvalidStateException", kms.enable_key, KeyId=key)
    refused("KMSInvalidStateException", kms.tag_resource, KeyId=key, Tags=[])
    kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    refused("KMSInvalidStateException", kms.cancel_key_deletion, KeyId=key)


def test_a_key_in_several_regions_is_one(keeping: Platform, kms: Any, account: str) -> None:
    key = made(kms, MultiRegion=True)
    assert key.startswith("mrk-")
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    shown = kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")["ReplicaKeyMetadata"]
    assert shown["MultiRegionConfiguration"] == {
        "MultiRegionKeyType": "REPLICA",
        "PrimaryKey": {"Arn": f"arn:aws:kms:us-east-1:{account}:key/{key}", "Region": "us-east-1"},
        "ReplicaKeys": [{"Arn": f"arn:aws:kms:eu-west-1:{account}:key/{key}", "Region": "eu-west-1"}],
    }
    there = keeping.client("kms", account=account, region="eu-west-1")
    assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    refused("UnsupportedOperationException", there.replicate_key, KeyId=key, ReplicaRegion="eu-west-2")
    refused("AlreadyExistsException", kms.replicate_key, KeyId=key, ReplicaRegion="eu-west-1")
    kms.rotate_key_on_demand(KeyId=key)
    assert kms.decrypt(CiphertextBlob=there.encrypt(KeyId=key, Plaintext=b"y")["CiphertextBlob"])["Plaintext"] == b"y"
    kms.update_primary_region(KeyId=key, PrimaryRegion="eu-west-1")
    config = there.describe_key(KeyId=key)["KeyMetadata"]["MultiRegionConfiguration"]
    assert (config["MultiRegionKeyType"], config["ReplicaKeys"][0]["Region"]) == ("PRIMARY", "us-east-1")
    assert there.schedule_key_deletion(KeyId=key)["KeyState"] == "PendingReplicaDeletion"
    refused("UnsupportedOperationException", kms.replicate_key, KeyId=made(kms), ReplicaRegion="eu-west-1")


def test_rooms_encrypt_through_the_front_door(keeping: Platform, account: str) -> None:
    ask = keeping.door(Scope("aws", account, "us-east-1"), "secretsmanager")
    blob = ask("kms", "encrypt", KeyId="alias/aws/secretsmanager", Plaintext=b"x")["CiphertextBlob"]
    assert ask("kms", "decrypt", CiphertextBlob=blob)["Plaintext"] == b"x"
