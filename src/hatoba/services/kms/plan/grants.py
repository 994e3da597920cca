"""What a grant may say. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.core.errors import AwsError
from hatoba.services.kms.plan.naming import invalid
from hatoba.services.kms.plan.specs import Usage

_ALWAYS = ("CreateGrant", "RetireGrant", "DescribeKey")
_BY_USAGE: dict[Usage, tuple[str, ...]] = {
    "ENCRYPT_DECRYPT": (
        "Decrypt",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
        "GetPublicKey",
    ),
    "SIGN_VERIFY": ("Sign", "Verify", "GetPublicKey"),
    "GENERATE_VERIFY_MAC": ("GenerateMac", "VerifyMac"),
    "KEY_AGREEMENT": ("DeriveSharedSecret", "GetPublicKey"),
    "ENCAPSULATE_DECAPSULATE": ("Encapsulate", "Decapsulate", "GetPublicKey"),
}


def check(req: Mapping[str, Any], usage: Usage) -> None:
    """Raises ValidationException."""
    for one, other in (
        ("GranteePrincipal", "GranteeServicePrincipal"),
        ("RetiringPrincipal", "RetiringServicePrincipal"),
    ):
        if one in req and other in req:
            raise invalid(f"You cannot specify {one} and {other} in the same request.")
    if "GranteePrincipal" not in req and "GranteeServicePrincipal" not in req:
        raise invalid("You must specify GranteePrincipal or GranteeServicePrincipal.")
    operations = req["Operations"]
    if not operations:
        raise invalid("A grant must have at least one operation.")
    for operation in operations:
        if operation not in _ALWAYS and operation not in _BY_USAGE[usage]:
            raise _not_for(operation, usage)
    constraints = req.get("Constraints", {})
    if "EncryptionContextSubset" in constraints and "EncryptionContextEquals" in constraints:
        raise invalid("A grant can have one constraint on the encryption context only.")


def _not_for(operation: str, usage: Usage) -> AwsError:
    return invalid(f"Grant operation {operation} is not supported for keys with the key usage {usage}.")
