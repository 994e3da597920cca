"""Policy documents: what IAM refuses to store. Pure.

Source: the IAM user guide, "Grammar of the IAM JSON policy language".
"""

from __future__ import annotations

from typing import Any

import msgspec

from hatoba.aws.shapes import iam as t


def _malformed(message: str) -> Exception:
    return t.MalformedPolicyDocumentException(message)


def statements(document: str) -> list[dict[str, Any]]:
    """The statements of a document. Raises MalformedPolicyDocument."""
    try:
        policy = msgspec.json.decode(document)
    except msgspec.DecodeError:
        raise _malformed("Syntax errors in policy.") from None
    if not isinstance(policy, dict) or "Statement" not in policy:
        raise _malformed("Syntax errors in policy.")
    found = policy["Statement"]
    found = found if isinstance(found, list) else [found]
    if not all(isinstance(statement, dict) for statement in found):
        raise _malformed("Syntax errors in policy.")
    return found


def check_identity(document: str) -> None:
    """A policy for a user, group or role."""
    for statement in statements(document):
        _check_common(statement)
        if "Principal" in statement or "NotPrincipal" in statement:
            raise _malformed("Policy document should not specify a principal.")
        if "Resource" not in statement and "NotResource" not in statement:
            raise _malformed("Policy statement must contain resources.")


def check_trust(document: str) -> None:
    """A role's trust policy."""
    for statement in statements(document):
        _check_common(statement)
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise _malformed("Missing required field Principal")
        if "Resource" in statement or "NotResource" in statement:
            raise _malformed("Has prohibited field Resource")
        actions = statement.get("Action", [])
        for action in actions if isinstance(actions, list) else [actions]:
            if not str(action).lower().startswith("sts:") and action != "*":
                raise _malformed("AssumeRole policy may only specify STS AssumeRole actions.")


def _check_common(statement: dict[str, Any]) -> None:
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise _malformed("Syntax errors in policy.")
    if "Action" not in statement and "NotAction" not in statement:
        raise _malformed("Policy statement must contain actions.")
