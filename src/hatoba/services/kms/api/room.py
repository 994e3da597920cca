"""The room's declaration, and what its operations share: which key a request means, and may it be used so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NotRequired, TypedDict, TypeVar

from hatoba.aws.shapes import kms as t
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.core.threads import Threads
from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from hatoba.services.kms import managed, model
from hatoba.services.kms.access import ACCESS
from hatoba.services.kms.model import KmsKey
from hatoba.services.kms.plan import states
from hatoba.services.kms.plan.naming import Named, invalid, named, no_alias, no_key
from hatoba.services.kms.plan.specs import Usage

T = TypeVar("T")

kms = Service("kms", access=ACCESS)

# RSA keys take milliseconds to use and seconds to make.
threads = Threads("kms", 2)


def the_key(call: Call, key_id: str) -> KmsKey:
    """By id, ARN, alias or alias's ARN. Raises NotFoundException."""
    name = named(call.scope, key_id)
    check_account(call, name.scope, key_id)
    if name.alias is not None:
        return _behind(call, name, name.alias)
    assert name.key is not None
    return known_key(call, name.scope, name.key)


def known_key(call: Call, scope: Scope, key_id: str) -> KmsKey:
    key = model.find_key(call.store, scope, key_id)
    if key is None:
        raise no_key(scope, key_id)
    return key


def _behind(call: Call, name: Named, alias: str) -> KmsKey:
    if alias in managed.NAMES and name.scope == call.scope:
        return managed.ensure(call, alias)
    found = call.store.find(model.aliases, name.scope, alias)
    if found is None:
        raise no_alias(name.scope, alias)
    return known_key(call, name.scope, found.target)


def own_key(call: Call, key_id: str) -> KmsKey:
    """For operations that take no alias. Raises for keys of AWS's services, which only AWS changes."""
    if key_id.startswith("alias/") or ":alias/" in key_id:
        raise t.NotFoundException(f"Invalid keyId '{key_id[:256]}'")
    key = the_key(call, key_id)
    if key.manager == "AWS":
        raise AwsError(
            f"User: {call.principal.arn} is not authorized to perform: kms:{call.operation} on resource: {key.arn} "
            "because keys that AWS manages are changed by AWS alone",
            code="AccessDeniedException",
        )
    return key


# Operations that take another account's key, where that key's policy and the caller's own allow it: the reference of
# each says so under "Cross-account use".
ELSEWHERE = frozenset(
    {
        "CreateGrant",
        "Decapsulate",
        "Decrypt",
        "DeriveSharedSecret",
        "DescribeKey",
        "Encapsulate",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "GetKeyRotationStatus",
        "GetPublicKey",
        "ListGrants",
        "ReEncrypt",
        "RetireGrant",
        "RevokeGrant",
        "Sign",
        "Verify",
        "VerifyMac",
    }
)


def check_account(call: Call, scope: Scope, key_id: str) -> None:
    """Refuses another account's key for what only its own account does."""
    if scope.account != call.scope.account and call.operation not in ELSEWHERE:
        raise AwsError(
            f"User: {call.principal.arn} is not authorized to perform: kms:{call.operation} on resource: {key_id} "
            f"because no resource-based policy allows the kms:{call.operation} action",
            code="AccessDeniedException",
        )


def usable(call: Call, key_id: str, usage: Usage) -> KmsKey:
    """A key that is enabled and made for this. Raises DisabledException, KMSInvalidStateException,
    InvalidKeyUsageException."""
    key = the_key(call, key_id)
    check_use(call, key, usage)
    return key


def check_use(call: Call, key: KmsKey, usage: Usage) -> None:
    states.check_usable(key.arn, key.state)
    if key.usage != usage:
        raise states.wrong_usage(key.arn, key.usage, call.operation)


def check_request(call: Call, req: Mapping[str, Any]) -> None:
    """What many operations take: grant tokens, which must be known, and attestations, which cannot be checked."""
    for token in req.get("GrantTokens", ()):
        if model.grant_by(call.store, call.scope, token) is None:
            raise t.InvalidGrantTokenException("The grant token is not valid.")
    if "Recipient" in req:
        raise invalid("Recipient is not available here: attestation documents of enclaves cannot be verified.")


def end_dry_run(req: Mapping[str, Any]) -> None:
    """With DryRun, when everything has been checked and nothing done."""
    if req.get("DryRun", False):
        raise t.DryRunOperationException("The request would have succeeded, but the DryRun option is set.")


class Rest(TypedDict):
    Truncated: bool
    NextMarker: NotRequired[str]


def page(
    call: Call,
    rows: Iterable[T],
    req: Mapping[str, Any],
    *,
    order: Callable[[T], str],
    most: tuple[int, int],
    about: object = None,
) -> tuple[list[T], Rest]:
    """One page, and what the answer says of the next. `most`: when no limit is given, and when one is."""
    usual, highest = most
    limit: int = req.get("Limit", usual)
    if limit > highest:
        raise invalid(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have "
            f"value less than or equal to {highest}"
        )
    found, marker = call.page(
        rows,
        order=order,
        token=req.get("Marker"),
        limit=limit,
        filters=about,
        bad_token=lambda: t.InvalidMarkerException("Could not deserialize marker"),
    )
    return found, {"Truncated": False} if marker is None else {"Truncated": True, "NextMarker": marker}
