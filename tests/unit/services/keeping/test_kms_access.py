"""What KMS's requests need to be allowed: the key that is meant, its policy, condition keys, grants."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from hatoba.core.secret import Secret
from hatoba.gateway import access
from hatoba.gateway.call import Principal
from hatoba.services.kms.access import ACCESS
from hatoba.services.kms.crypto import envelope
from hatoba.services.kms.model import Alias, Grant, KmsKey, aliases, grants, keys
from hatoba.services.kms.plan import policies
from tests.unit.services.asked import ALICE, ROLE, SCOPE, Asked

K, OTHER = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
MRK = "mrk-" + "3" * 32
HERE = f"arn:aws:kms:{SCOPE.region}:{SCOPE.account}"
POLICY = policies.default(SCOPE)
BLOB = envelope.seal(envelope.Head(account=SCOPE.account, key=K, material="0" * 64), bytes(32), b"a", {})


@pytest.fixture
def asked() -> Iterator[Asked]:
    """Keys K (alias/app) and OTHER; a multi-region key with a replica in eu-west-1."""
    asked = Asked("kms", ACCESS, keys, aliases, grants)
    west = SCOPE._replace(region="eu-west-1")
    for scope, id_, primary in (
        (SCOPE, K, None),
        (SCOPE, OTHER, None),
        (SCOPE, MRK, SCOPE.region),
        (west, MRK, SCOPE.region),
    ):
        asked.put(
            keys,
            KmsKey(
                key=keys.key(scope, id_),
                created=0.0,
                spec="SYMMETRIC_DEFAULT",
                usage="ENCRYPT_DECRYPT",
                state="Enabled",
                policy=POLICY,
                primary=primary,
            ),
        )
    asked.put(aliases, Alias(key=aliases.key(SCOPE, "alias/app"), target=K, created=0.0, updated=0.0))
    yield asked
    asked.close()


@pytest.mark.parametrize(
    ("operation", "req", "needs"),
    [
        ("DescribeKey", {"KeyId": K}, [f"DescribeKey key/{K}"]),
        ("DescribeKey", {"KeyId": f"{HERE}:key/{K}"}, [f"DescribeKey key/{K}"]),
        ("DescribeKey", {"KeyId": "alias/app"}, [f"DescribeKey key/{K}"]),
        ("DescribeKey", {"KeyId": f"{HERE}:alias/app"}, [f"DescribeKey key/{K}"]),
        ("DescribeKey", {"KeyId": "alias/none"}, ["DescribeKey alias/none"]),
        ("DescribeKey", {"KeyId": "nonsense"}, ["DescribeKey nonsense"]),
        ("Decrypt", {"CiphertextBlob": BLOB}, [f"Decrypt key/{K}"]),
        ("Decrypt", {"CiphertextBlob": BLOB, "KeyId": OTHER}, [f"Decrypt key/{OTHER}"]),  # refused: it is not its key
        ("Decrypt", {"CiphertextBlob": b"broken"}, ["Decrypt *"]),
        ("ReEncrypt", {"CiphertextBlob": BLOB, "DestinationKeyId": OTHER},
         [f"ReEncryptFrom key/{K}", f"ReEncryptTo key/{OTHER}"]),
        ("CreateAlias", {"AliasName": "alias/new", "TargetKeyId": K},
         ["CreateAlias alias/new", f"CreateAlias key/{K}"]),
        ("UpdateAlias", {"AliasName": "alias/app", "TargetKeyId": OTHER},
         ["UpdateAlias alias/app", f"UpdateAlias key/{K}", f"UpdateAlias key/{OTHER}"]),
        ("DeleteAlias", {"AliasName": "alias/app"}, ["DeleteAlias alias/app", f"DeleteAlias key/{K}"]),
        ("DeleteAlias", {"AliasName": "alias/none"}, ["DeleteAlias alias/none"]),
        ("CreateKey", {}, ["CreateKey *"]),
        ("CreateKey", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}, ["CreateKey *", "TagResource key/*"]),
        ("ListKeys", {}, ["ListKeys *"]),
        ("ListAliases", {"KeyId": K}, ["ListAliases *"]),
        ("GenerateRandom", {}, ["GenerateRandom *"]),
        ("ReplicateKey", {"KeyId": MRK, "ReplicaRegion": "us-west-2"}, [f"ReplicateKey key/{MRK}", "CreateKey *"]),
        ("UpdatePrimaryRegion", {"KeyId": MRK, "PrimaryRegion": "eu-west-1"},
         [f"UpdatePrimaryRegion key/{MRK}", f"UpdatePrimaryRegion arn:aws:kms:eu-west-1:{SCOPE.account}:key/{MRK}"]),
    ],
)  # fmt: skip
def test_the_key_that_is_meant(asked: Asked, operation: str, req: dict[str, Any], needs: list[str]) -> None:
    assert asked.said(operation, **req) == [f"kms:{need}" for need in needs]


def test_the_keys_policy_decides_and_aliases_have_none(asked: Asked) -> None:
    (need,) = asked.needs("DescribeKey", KeyId=K)
    assert (need.policy, need.trusts_account) == (POLICY, False)
    alias, key = asked.needs("CreateAlias", AliasName="alias/new", TargetKeyId=K)
    assert [(need.policy, need.trusts_account) for need in (alias, key)] == [(None, True), (POLICY, False)]
    (missing,) = asked.needs("DescribeKey", KeyId="00000000-0000-0000-0000-000000000000")
    assert (missing.policy, missing.trusts_account) == (None, True)  # whoever may, is told that it is not there


def test_a_services_key_that_is_not_made_yet_is_that_services_already(asked: Asked) -> None:
    (need,) = asked.needs("Encrypt", KeyId="alias/aws/ssm", Plaintext=b"a")
    assert need.policy == policies.managed(SCOPE, "ssm")
    assert not need.trusts_account


OF_KEY = {
    "kms:CallerAccount": SCOPE.account,
    "kms:KeySpec": "SYMMETRIC_DEFAULT",
    "kms:KeyUsage": "ENCRYPT_DECRYPT",
    "kms:KeyOrigin": "AWS_KMS",
    "kms:MultiRegion": "false",
    "kms:ResourceAliases": ["alias/app"],
}
CONTEXT = {
    "kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    "kms:EncryptionContext:tier": "gold",
    "kms:EncryptionContextKeys": ["tier"],
}


@pytest.mark.parametrize(
    ("operation", "req", "keys"),
    [
        ("DescribeKey", {"KeyId": K}, OF_KEY),
        ("DescribeKey", {"KeyId": "alias/app"}, {**OF_KEY, "kms:RequestAlias": "alias/app"}),
        ("DescribeKey", {"KeyId": MRK},
         {**OF_KEY, "kms:ResourceAliases": [], "kms:MultiRegion": "true", "kms:MultiRegionKeyType": "PRIMARY"}),
        ("Encrypt", {"KeyId": K, "Plaintext": b"a", "EncryptionContext": {"tier": "gold"}}, {**OF_KEY, **CONTEXT}),
        ("Decrypt", {"CiphertextBlob": BLOB, "EncryptionContext": {"tier": "gold"}}, {**OF_KEY, **CONTEXT}),
        ("ReEncrypt",
         {"CiphertextBlob": BLOB, "DestinationKeyId": K, "SourceEncryptionContext": {"tier": "gold"}},
         {**OF_KEY, **CONTEXT, "kms:ReEncryptOnSameKey": "true"}),
        ("GenerateDataKey", {"KeyId": K, "KeySpec": "AES_256"}, OF_KEY),
        ("ScheduleKeyDeletion", {"KeyId": K, "PendingWindowInDays": 7},
         {**OF_KEY, "kms:ScheduleKeyDeletionPendingWindowInDays": "7"}),
        ("Sign", {"KeyId": K, "Message": b"a", "SigningAlgorithm": "ECDSA_SHA_256", "MessageType": "RAW"},
         {**OF_KEY, "kms:SigningAlgorithm": "ECDSA_SHA_256", "kms:MessageType": "RAW"}),
        ("CreateGrant",
         {"KeyId": K, "GranteePrincipal": "g", "Operations": ["Decrypt"],
          "Constraints": {"EncryptionContextSubset": {"a": "b"}}},
         {**OF_KEY, "kms:GrantOperations": ["Decrypt"], "kms:GranteePrincipal": "g",
          "kms:GrantIsForAWSResource": "false", "kms:GrantConstraintType": ["EncryptionContextSubset"]}),
        ("CreateKey", {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY", "BypassPolicyLockoutSafetyCheck": True},
         {"kms:CallerAccount": SCOPE.account, "kms:KeySpec": "RSA_2048", "kms:KeyUsage": "SIGN_VERIFY",
          "kms:KeyOrigin": "AWS_KMS", "kms:MultiRegion": "false", "kms:BypassPolicyLockoutSafetyCheck": "true"}),
        ("TagResource", {"KeyId": K, "Tags": [{"TagKey": "a", "TagValue": "b"}]},
         {**OF_KEY, "aws:TagKeys": ["a"], "aws:RequestTag/a": "b"}),
    ],
)  # fmt: skip
def test_condition_keys(asked: Asked, operation: str, req: dict[str, Any], keys: dict[str, Any]) -> None:
    assert asked.keys(operation, **req) == keys


def test_the_service_through_which_is_asked(asked: Asked) -> None:
    def via() -> Any:
        return asked.keys("DescribeKey", KeyId=K).get("kms:ViaService")

    assert via() is None
    asked.via = ("secretsmanager",)  # with a client's permissions
    assert via() == "secretsmanager.us-east-1.amazonaws.com"
    asked.via, asked.who = (), access.service_role(SCOPE, "ssm")  # for itself
    assert via() == "ssm.us-east-1.amazonaws.com"


# --- grants --------------------------------------------------------------------------------------------------------


def granted(asked: Asked, operations: tuple[str, ...], constraints: Any = None, **fields: Any) -> None:
    grant = Grant(
        key=grants.key(SCOPE, "g"),
        target=K,
        created=0.0,
        issuer=SCOPE.account,
        operations=operations,
        constraints=msgspec.json.encode(constraints) if constraints else b"",
        token=Secret("t"),
        **fields,
    )
    asked.put(grants, grant)


def adds(asked: Asked, operation: str, **req: Any) -> list[dict[str, Any]]:
    """The statements that a grant adds to the policy."""
    (need,) = asked.needs(operation, **req)
    found: list[dict[str, Any]] = json.loads(need.policy or "{}").get("Statement", [])
    own = json.loads(POLICY)["Statement"]
    return [statement for statement in found if statement not in own]


def statement(action: str) -> list[dict[str, Any]]:
    return [{"Effect": "Allow", "Principal": {"AWS": ALICE.arn}, "Action": f"kms:{action}", "Resource": "*"}]


def test_a_grant_is_a_statement_for_its_grantee_and_its_operations(asked: Asked) -> None:
    granted(asked, ("Decrypt", "DescribeKey"), grantee=ALICE.arn)
    assert adds(asked, "Decrypt", CiphertextBlob=BLOB) == statement("Decrypt")
    assert adds(asked, "DescribeKey", KeyId="alias/app") == statement("DescribeKey")
    assert adds(asked, "Encrypt", KeyId=K, Plaintext=b"a") == []
    assert adds(asked, "DescribeKey", KeyId=OTHER) == []
    asked.who = Principal(kind="user", account=SCOPE.account, arn=f"{ALICE.arn}2", id="x")
    assert adds(asked, "Decrypt", CiphertextBlob=BLOB) == []


def test_a_grant_to_a_role_is_one_to_its_sessions(asked: Asked) -> None:
    granted(asked, ("Decrypt",), grantee=ROLE)
    asked.who = Principal(
        kind="role", account=SCOPE.account, arn="arn:aws:sts::1:assumed-role/deploy/s", id="x", role=ROLE
    )
    (added,) = adds(asked, "Decrypt", CiphertextBlob=BLOB)
    # Not to the session itself: what limits that one (a session's policy, a boundary) would not count any more.
    assert added["Principal"] == {"AWS": ROLE}


def test_a_grant_to_a_service(asked: Asked) -> None:
    granted(asked, ("Decrypt",), grantee_service="ssm.amazonaws.com")
    assert adds(asked, "Decrypt", CiphertextBlob=BLOB) == []
    asked.who = access.service_role(SCOPE, "ssm")
    assert len(adds(asked, "Decrypt", CiphertextBlob=BLOB)) == 1


@pytest.mark.parametrize(
    ("constraint", "context", "allowed"),
    [
        ({"EncryptionContextEquals": {"a": "1"}}, {"a": "1"}, True),
        ({"EncryptionContextEquals": {"a": "1"}}, {"a": "1", "b": "2"}, False),
        ({"EncryptionContextSubset": {"a": "1"}}, {"a": "1", "b": "2"}, True),
        ({"EncryptionContextSubset": {"a": "1"}}, {"a": "2"}, False),
        ({"EncryptionContextSubset": {"a": "1"}}, {}, False),
        ({"SourceArn": "arn:aws:x"}, {}, False),
    ],
)
def test_grants_are_constrained(asked: Asked, constraint: Any, context: dict[str, str], allowed: bool) -> None:
    granted(asked, ("Encrypt", "DescribeKey"), constraint, grantee=ALICE.arn)
    assert bool(adds(asked, "Encrypt", KeyId=K, Plaintext=b"a", EncryptionContext=context)) is allowed
    assert bool(adds(asked, "DescribeKey", KeyId=K)) is ("SourceArn" not in constraint)


def test_a_grant_for_one_resource_of_a_service(asked: Asked) -> None:
    granted(asked, ("Encrypt",), {"SourceArn": "arn:aws:x"}, grantee_service="ssm.amazonaws.com")
    asked.who = access.service_role(SCOPE, "ssm")
    for source in ("arn:aws:x", "arn:aws:y", ""):
        asked.source = source
        assert bool(adds(asked, "Encrypt", KeyId=K, Plaintext=b"a")) is (source == "arn:aws:x")


def test_a_grant_to_grant_gives_no_more_than_itself(asked: Asked) -> None:
    constraint = {"EncryptionContextEquals": {"a": "1"}}
    granted(asked, ("CreateGrant", "Decrypt"), constraint, grantee=ALICE.arn)

    def may(operations: list[str], constraints: Any) -> bool:
        req = {"KeyId": K, "GranteePrincipal": "g", "Operations": operations, "Constraints": constraints}
        return bool(adds(asked, "CreateGrant", **req))

    assert may(["Decrypt"], constraint)
    assert not may(["Decrypt"], {})
    assert not may(["Decrypt", "Encrypt"], constraint)


def test_who_may_retire_a_grant(asked: Asked) -> None:
    def may() -> list[bool]:
        return [bool(adds(asked, "RetireGrant", **req)) for req in ({"GrantToken": "t"}, {"KeyId": K, "GrantId": "g"})]

    granted(asked, ("Decrypt",), grantee=ALICE.arn)
    assert may() == [False, False]
    assert asked.said("RetireGrant", GrantToken="t") == [f"kms:RetireGrant key/{K}"]
    assert asked.needs("RetireGrant", GrantToken="t")[0].policy is None  # the key's policy has no say
    granted(asked, ("RetireGrant",), grantee=ALICE.arn)
    assert may() == [True, True]
    granted(asked, ("Decrypt",), grantee="other", retiring=ALICE.arn)
    assert may() == [True, True]
    assert asked.said("RetireGrant", GrantToken="unknown") == ["kms:RetireGrant *"]
