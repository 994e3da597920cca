"""Resource policies: which texts are one, and which let everybody in. Pure.

Whether one allows a request is decided where all requests are decided.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hatoba.aws.shapes import secretsmanager as t

NAME = "default"


class Fault(NamedTuple):
    check: str
    message: str


def faults(text: str) -> list[Fault]:
    """What is wrong with a policy; nothing for a good one."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return [Fault("POLICY_SYNTAX", "This policy contains invalid Json")]
    statements = _statements(document)
    if not statements:
        return [Fault("POLICY_SYNTAX", "The policy must have at least one statement.")]
    for statement in statements:
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            return [Fault("POLICY_SYNTAX", "Each statement must have an Effect of Allow or Deny.")]
        for one, other in (("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource")):
            if one not in statement and other not in statement:
                return [Fault("POLICY_SYNTAX", f"Each statement must have the element {one} or {other}.")]
    return []


def _statements(document: Any) -> list[Any]:
    found = document.get("Statement") if isinstance(document, dict) else None
    return found if isinstance(found, list) else [found] if isinstance(found, dict) else []


def check(text: str, *, block_public: bool) -> None:
    """Raises MalformedPolicyDocumentException, PublicPolicyException."""
    found = faults(text)
    if found:
        raise t.MalformedPolicyDocumentException(found[0].message)
    if block_public and is_public(text):
        raise t.PublicPolicyException("You can't attach this policy: it grants broad access to the secret.")


def is_public(text: str) -> bool:
    """Whether anybody is let in, without a condition."""
    return any(
        statement["Effect"] == "Allow" and not statement.get("Condition") and _anybody(statement.get("Principal"))
        for statement in _statements(json.loads(text))
    )


def _anybody(principal: Any) -> bool:
    if isinstance(principal, dict):
        return any("*" in (value if isinstance(value, list) else [value]) for value in principal.values())
    return bool(principal == "*")
