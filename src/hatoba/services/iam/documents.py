"""Policy documents: what IAM refuses to store. Pure.

Source: the IAM user guide, "Grammar of the IAM JSON policy language" and "IAM and AWS STS quotas".
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from hatoba.aws.shapes import iam as t
from hatoba.core.errors import AwsError

_VERSIONS = ("2008-10-17", "2012-10-17")
_PRINCIPALS = {"AWS", "Service", "Federated", "CanonicalUser"}


def _malformed(message: str) -> AwsError:
    return t.MalformedPolicyDocumentException(message)


def size(document: str) -> int:
    """Characters, without white space: that is what quotas count."""
    return len(re.sub(r"\s", "", document))


def statements(document: str) -> list[dict[str, Any]]:
    """The statements of a document, each an object. Raises MalformedPolicyDocument."""
    try:
        policy = msgspec.json.decode(document)
    except msgspec.DecodeError:
        raise _malformed("This policy contains invalid Json") from None
    if not isinstance(policy, dict) or "Statement" not in policy:
        raise _malformed("Syntax errors in policy.")
    if policy.get("Version", _VERSIONS[0]) not in _VERSIONS:
        raise _malformed("The policy must contain a valid version string: " + " or ".join(_VERSIONS))
    found = policy["Statement"]
    found = found if isinstance(found, list) else [found]
    if not all(isinstance(statement, dict) for statement in found):
        raise _malformed("Syntax errors in policy.")
    ids = [statement["Sid"] for statement in found if statement.get("Sid")]
    if len({str(id_) for id_ in ids}) < len(ids):
        raise _malformed("Statement IDs (SID) in a single policy must be unique.")
    return found


def check_identity(document: str) -> None:
    """A policy for a user, group or role."""
    for statement in statements(document):
        _check_common(statement)
        if "Principal" in statement or "NotPrincipal" in statement:
            raise _malformed("Policy document should not specify a principal.")
        for action in _texts(statement, "Action", "NotAction"):
            if action != "*" and ":" not in action:
                raise _malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
        resources = _texts(statement, "Resource", "NotResource")
        if not resources:
            raise _malformed("Policy statement must contain resources.")
        for resource in resources:
            if resource != "*" and not resource.startswith("arn:"):
                raise _malformed(f'Resource {resource} must be in ARN format or "*".')


def check_trust(document: str) -> None:
    """A role's trust policy."""
    for statement in statements(document):
        _check_common(statement)
        if "Resource" in statement or "NotResource" in statement:
            raise _malformed("Has prohibited field Resource")
        if "NotPrincipal" in statement and statement["Effect"] == "Allow":
            raise _malformed("Allow with NotPrincipal is not allowed.")
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise _malformed("Missing required field Principal")
        _check_principal(statement.get("Principal", statement.get("NotPrincipal")))
        for action in _texts(statement, "Action", "NotAction"):
            if not action.lower().startswith("sts:") and action != "*":
                raise _malformed("AssumeRole policy may only specify STS AssumeRole actions.")


def _check_principal(given: Any) -> None:
    if given == "*":
        return
    if not isinstance(given, dict) or not given or not given.keys() <= _PRINCIPALS:
        raise _malformed("Invalid principal in policy")
    for kind in given:
        for name in _texts(given, kind):
            if kind == "AWS" and not re.fullmatch(r"\*|\d{12}|arn:[\w-]+:(iam|sts)::\d{12}:.+", name):
                raise _malformed(f'Invalid principal in policy: "AWS":"{name}"')


def _check_common(statement: dict[str, Any]) -> None:
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise _malformed("Syntax errors in policy.")
    if not _texts(statement, "Action", "NotAction"):
        raise _malformed("Policy statement must contain actions.")
    conditions = statement.get("Condition", {})
    if not isinstance(conditions, dict) or not all(isinstance(tests, dict) for tests in conditions.values()):
        raise _malformed("Syntax errors in policy.")


def _texts(holder: dict[str, Any], *names: str) -> list[str]:
    """A text or a list of texts, under one of several names. Raises MalformedPolicyDocument for anything else."""
    for name in names:
        if name in holder:
            found = holder[name] if isinstance(holder[name], list) else [holder[name]]
            if not all(isinstance(text, str) for text in found):
                raise _malformed("Syntax errors in policy.")
            return found
    return []
