"""What KMS's operations need to be allowed: the table.

A key's own policy decides about it; identities' policies count only as far as it says so, which the default one does.
Aliases have no policy. Sources: the service authorisation reference, "AWS Key Management Service"; the developer guide,
"AWS KMS permissions", "Controlling access to aliases".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from hatoba.gateway.call import Call
from hatoba.gateway.needs import (
    Access,
    Extra,
    Keys,
    Need,
    Params,
    Rule,
    acting,
    all_of,
    named,
    on,
    tag_keys,
    untagged,
    when,
)
from hatoba.services.kms import model
from hatoba.services.kms.access import keys
from hatoba.services.kms.access.grants import retiring, with_grants
from hatoba.services.kms.access.targets import Find, Target, behind, behind_grant, by, key_named
from hatoba.services.kms.plan.naming import alias_arn

KEY_ID = by("KeyId")


def on_key(find: Find = KEY_ID, *, further: Extra | None = None) -> Rule:
    """The action on a key."""

    def rule(action: str, req: Params, call: Call) -> Iterator[Need]:
        more = further(req, call) if further is not None else {}
        yield _need(action, find(req, call), req, req.get("EncryptionContext") or {}, more, call)

    return rule


def _need(action: str, target: Target, req: Params, context: Mapping[str, str], more: Keys, call: Call) -> Need:
    known = {
        **keys.of_caller(call),
        **keys.of_key(call, target),
        **keys.said(req),
        **keys.of_encryption(action, req, context),
        **more,
    }
    policy = with_grants(target, action, req, context, call)
    return Need(
        action=action, resource=target.resource, keys=known, policy=policy, trusts_account=target.policy is None
    )


def re_encrypting(_: str, req: Params, call: Call) -> Iterator[Need]:
    from_, to = FROM(req, call), TO(req, call)
    same = {"kms:ReEncryptOnSameKey": keys.flag(from_.resource == to.resource)}
    for action, target, member in (
        ("kms:ReEncryptFrom", from_, "SourceEncryptionContext"),
        ("kms:ReEncryptTo", to, "DestinationEncryptionContext"),
    ):
        yield _need(action, target, req, req.get(member) or {}, same, call)


def retire(action: str, req: Params, call: Call) -> Iterator[Need]:
    """By identities' policies, or by the grant itself; not by the key's policy."""
    resource, known = behind_grant(req, call).resource, keys.of_caller(call)
    yield Need(action=action, resource=resource, keys=known, policy=retiring(action, req, call))


def old_target(action: str, req: Params, call: Call) -> Iterable[Need]:
    """An alias that is moved or deleted is taken from the key that it named."""
    alias = call.store.find(model.aliases, call.scope, str(req.get("AliasName")))
    if alias is None:
        return ()
    return on_key(lambda req, call: key_named(call, alias.target))(action, req, call)


def in_region(req: Params, call: Call) -> Iterator[str]:
    yield call.arn("key/*").replace(f":{call.scope.region}:", f":{req.get('ReplicaRegion')}:", 1)


def new_primary(req: Params, call: Call) -> Target:
    """The replica that becomes the primary key."""
    target = KEY_ID(req, call)
    region = req.get("PrimaryRegion")
    if target.key is None or not isinstance(region, str):
        return target
    elsewhere = call.scope._replace(region=region)
    key = model.find_key(call.store, elsewhere, target.key.id)
    resource = target.resource.replace(f":{call.scope.region}:", f":{region}:", 1)
    return Target(resource, key, policy=key.policy if key is not None else None)


def new_keys(req: Params, call: Call) -> Iterator[str]:
    yield call.arn("key/*")


def given(req: Params, call: Call) -> Keys:
    return tag_keys(req.get("Tags"))


ALIAS = named("AliasName", lambda call, name: alias_arn(call.scope, name))
KEY = on_key()
FROM, TO = behind("SourceKeyId"), by("DestinationKeyId")
TARGET = on_key(by("TargetKeyId"))
TAGGING = when(lambda req: req.get("Tags"), acting("kms:TagResource", new_keys, keys=given))
REPLICA_TAGGING = when(lambda req: req.get("Tags"), acting("kms:TagResource", in_region, keys=given))

ACCESS = Access(
    "kms",
    {
        "CancelKeyDeletion": KEY,
        "CreateAlias": all_of(on(ALIAS), TARGET),
        "CreateGrant": on_key(further=keys.of_grant),
        "CreateKey": all_of(on(keys=keys.of_new_key, tags="Tags"), TAGGING),
        "Decapsulate": KEY,
        "Decrypt": on_key(behind("KeyId")),
        "DeleteAlias": all_of(on(ALIAS), old_target),
        "DeleteImportedKeyMaterial": KEY,
        "DeriveSharedSecret": KEY,
        "DescribeCustomKeyStores": on(),
        "DescribeKey": KEY,
        "DisableKey": KEY,
        "DisableKeyRotation": KEY,
        "EnableKey": KEY,
        "EnableKeyRotation": KEY,
        "Encapsulate": KEY,
        "Encrypt": KEY,
        "GenerateDataKey": KEY,
        "GenerateDataKeyPair": KEY,
        "GenerateDataKeyPairWithoutPlaintext": KEY,
        "GenerateDataKeyWithoutPlaintext": KEY,
        "GenerateMac": KEY,
        "GenerateRandom": on(),
        "GetKeyPolicy": KEY,
        "GetKeyRotationStatus": KEY,
        "GetParametersForImport": KEY,
        "GetPublicKey": KEY,
        "ImportKeyMaterial": KEY,
        "ListAliases": on(),
        "ListGrants": KEY,
        "ListKeyPolicies": KEY,
        "ListKeyRotations": KEY,
        "ListKeys": on(),
        "ListResourceTags": KEY,
        "ListRetirableGrants": on(),
        "PutKeyPolicy": KEY,
        "ReEncrypt": re_encrypting,
        "ReplicateKey": all_of(KEY, acting("kms:CreateKey", keys=given), REPLICA_TAGGING),
        "RetireGrant": retire,
        "RevokeGrant": KEY,
        "RotateKeyOnDemand": KEY,
        "ScheduleKeyDeletion": KEY,
        "Sign": KEY,
        "TagResource": on_key(further=given),
        "UntagResource": on_key(further=untagged("TagKeys")),
        "UpdateAlias": all_of(on(ALIAS), old_target, TARGET),
        "UpdateKeyDescription": KEY,
        "UpdatePrimaryRegion": all_of(KEY, on_key(new_primary)),
        "Verify": KEY,
        "VerifyMac": KEY,
    },
)
