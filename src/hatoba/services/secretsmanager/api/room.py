"""The room's declaration, and what its operations share: which secret a request means, and may it be changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.aws.shapes import secretsmanager as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from hatoba.services.secretsmanager import model
from hatoba.services.secretsmanager.access import ACCESS
from hatoba.services.secretsmanager.envelope import Value
from hatoba.services.secretsmanager.model import StoredSecret
from hatoba.services.secretsmanager.plan.names import named
from hatoba.store import Conflict
from hatoba.store.store import View

secretsmanager = Service("secretsmanager", access=ACCESS)

LONGEST = 65536  # bytes of a value


def find(view: View, call: Call, text: str) -> StoredSecret:
    """By name, ARN or an ARN without its letters; also one that is about to be deleted.

    Another account's needs a policy of its own, which was asked whether it allows this (`access`).
    """
    wanted = named(call.scope, text)
    secret = model.find_secret(view, wanted) if wanted.scope.region == call.scope.region else None
    if wanted.scope.account != call.scope.account and (secret is None or secret.policy is None):
        raise AwsError(
            f"User: {call.principal.arn} is not authorized to perform: secretsmanager:{call.operation} on resource: "
            f"{text} because no resource-based policy allows the secretsmanager:{call.operation} action",
            code="AccessDeniedException",
        )
    if secret is None:
        raise t.ResourceNotFoundException("Secrets Manager can't find the specified secret.")
    return secret


def living(view: View, call: Call, text: str) -> StoredSecret:
    secret = find(view, call, text)
    if secret.deletion is not None:
        raise t.InvalidRequestException(
            "You can't perform this operation on the secret because it was marked for deletion."
        )
    return secret


def changeable(view: View, call: Call, text: str) -> StoredSecret:
    """Replicas are changed by their primaries alone."""
    secret = living(view, call, text)
    if secret.origin is not None:
        raise t.InvalidRequestException(
            "Operation not permitted on a replica secret. Call must be made in primary secret's account."
        )
    if secret.primary is not None:
        raise t.InvalidRequestException(
            "Operation not permitted on a replica secret. Call must be made in primary secret's region."
        )
    return secret


def still(view: View, call: Call, secret: StoredSecret) -> StoredSecret:
    """The secret as it is by now, after something was awaited: others may have written to it, which does no harm."""
    now = changeable(view, call, secret.arn)
    if now.created != secret.created:
        raise Conflict(f"{secret.id} was deleted and made anew")
    return now


def value_in(req: Mapping[str, Any]) -> Value | None:
    """The value that a request brings."""
    text, data = req.get("SecretString"), req.get("SecretBinary")
    if text is not None and data is not None:
        raise t.InvalidParameterException(
            "You can't specify both a binary secret value and a string secret value in the same secret."
        )
    if text is not None and len(text.encode()) > LONGEST:
        raise t.InvalidParameterException(f"The secret value is longer than {LONGEST} bytes.")
    return data if data is not None else text


def bad_token() -> AwsError:
    return t.InvalidNextTokenException("The NextToken value is invalid.")
