"""KMS's condition keys.

Source: the developer guide, "AWS KMS condition keys".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.aws.index import signing_name
from hatoba.gateway.call import Call
from hatoba.gateway.needs import Keys, Params, Values
from hatoba.services.kms import model
from hatoba.services.kms.access.targets import Target
from hatoba.services.kms.plan.specs import SYMMETRIC

# By members of requests. KeySpec is not among them: a data key's is not the key's.
SAID = {
    "BypassPolicyLockoutSafetyCheck": "kms:BypassPolicyLockoutSafetyCheck",
    "DestinationEncryptionAlgorithm": "kms:EncryptionAlgorithm",
    "EncapsulationAlgorithm": "kms:EncapsulationAlgorithm",
    "EncryptionAlgorithm": "kms:EncryptionAlgorithm",
    "ExpirationModel": "kms:ExpirationModel",
    "GranteePrincipal": "kms:GranteePrincipal",
    "KeyAgreementAlgorithm": "kms:KeyAgreementAlgorithm",
    "KeyPairSpec": "kms:DataKeyPairSpec",
    "MacAlgorithm": "kms:MacAlgorithm",
    "MessageType": "kms:MessageType",
    "Operations": "kms:GrantOperations",
    "PendingWindowInDays": "kms:ScheduleKeyDeletionPendingWindowInDays",
    "PrimaryRegion": "kms:PrimaryRegion",
    "ReplicaRegion": "kms:ReplicaRegion",
    "RetiringPrincipal": "kms:RetiringPrincipal",
    "RotationPeriodInDays": "kms:RotationPeriodInDays",
    "SigningAlgorithm": "kms:SigningAlgorithm",
    "ValidTo": "kms:ValidTo",
    "WrappingAlgorithm": "kms:WrappingAlgorithm",
    "WrappingKeySpec": "kms:WrappingKeySpec",
}
# Where these may be left out and mean the symmetric algorithm.
_ENCRYPTING = {
    "Decrypt": "EncryptionAlgorithm",
    "Encrypt": "EncryptionAlgorithm",
    "ReEncryptFrom": "SourceEncryptionAlgorithm",
    "ReEncryptTo": "DestinationEncryptionAlgorithm",
}


def of_caller(call: Call) -> dict[str, Values]:
    via = _via(call)
    found: dict[str, Values] = {"kms:CallerAccount": call.principal.account}
    return {**found, "kms:ViaService": f"{via}.{call.scope.region}.amazonaws.com"} if via else found


def _via(call: Call) -> str:
    """The service that asks, for somebody or, under its own role, for itself."""
    if call.via:
        return signing_name(call.via[-1])
    if call.principal.kind != "service":
        return ""
    return (call.principal.role or "").partition(":role/aws-service-role/")[2].partition(".")[0]


def of_key(call: Call, target: Target) -> Keys:
    named = {"kms:RequestAlias": target.alias} if target.alias is not None else {}
    key = target.key
    if key is None:
        return named
    replicated = {"kms:MultiRegionKeyType": "PRIMARY" if key.primary == key.scope.region else "REPLICA"}
    return {
        **named,
        "kms:KeySpec": key.spec,
        "kms:KeyUsage": key.usage,
        "kms:KeyOrigin": key.origin,
        "kms:MultiRegion": flag(key.primary is not None),
        "kms:ResourceAliases": [alias.id for alias in model.aliases_of(call.store, key.key)],
        **(replicated if key.primary is not None else {}),
    }


def of_new_key(req: Params, call: Call) -> Keys:
    multi = bool(req.get("MultiRegion"))
    return {
        **of_caller(call),
        **said(req),
        "kms:KeySpec": req.get("KeySpec") or req.get("CustomerMasterKeySpec") or SYMMETRIC,
        "kms:KeyUsage": req.get("KeyUsage") or "ENCRYPT_DECRYPT",
        "kms:KeyOrigin": req.get("Origin") or "AWS_KMS",
        "kms:MultiRegion": flag(multi),
        **({"kms:MultiRegionKeyType": "PRIMARY"} if multi else {}),
    }


def said(req: Params) -> dict[str, Values]:
    return {key: text(req[member]) for member, key in SAID.items() if member in req}


def of_encryption(action: str, req: Params, context: Mapping[str, str]) -> Keys:
    """What is encrypted or decrypted: by which algorithm, and the encryption context."""
    member = _ENCRYPTING.get(action.removeprefix("kms:"))
    found: dict[str, Values] = {} if member is None else {"kms:EncryptionAlgorithm": req.get(member) or SYMMETRIC}
    if context:
        found["kms:EncryptionContextKeys"] = list(context)
        found |= {f"kms:EncryptionContext:{key}": value for key, value in context.items()}
    return found


def of_grant(req: Params, call: Call) -> Keys:
    constraints = req.get("Constraints") or {}
    kinds = [kind for kind in ("EncryptionContextEquals", "EncryptionContextSubset") if kind in constraints]
    return {
        "kms:GrantIsForAWSResource": flag(_via(call)),
        **({"kms:GrantConstraintType": kinds} if kinds else {}),
    }


def flag(value: object) -> str:
    return "true" if value else "false"


def text(value: Any) -> Values:
    match value:
        case bool():
            return flag(value)
        case list():
            return [str(one) for one in value]
        case float():
            return f"{value:.0f}"  # a time, in seconds
        case _:
            return str(value)
