"""Policy documents: what IAM refuses to store, in its words. Pure.

The grammar is the policy engine's: what is stored is what decisions are made by, so that nothing is kept of which the
engine would understand less than its author meant.

Source: the IAM user guide, "Grammar of the IAM JSON policy language" and "IAM and AWS STS quotas".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hatoba.aws.shapes import iam as t
from hatoba.core.errors import AwsError
from hatoba.policy.document import VERSIONS, Fault, Malformed, Statement, parse

_SYNTAX = "Syntax errors in policy."
_WORDS: Mapping[Fault, str] = {
    "json": "This policy contains invalid Json",
    "version": "The policy must contain a valid version string: " + " or ".join(VERSIONS),
    "action": "Policy statement must contain actions.",
    "same sid": "Statement IDs (SID) in a single policy must be unique.",
    "principal": "Invalid principal in policy",
}
_SID = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
_PRINCIPAL = re.compile(r"\*|\d{12}|arn:[\w-]+:(iam|sts)::\d{12}:.+")


def _malformed(message: str) -> AwsError:
    return t.MalformedPolicyDocumentException(message)


def size(document: str) -> int:
    """Characters, without white space: that is what quotas count."""
    return len(re.sub(r"\s", "", document))


def _statements(document: str) -> tuple[Statement, ...]:
    """Raises MalformedPolicyDocument."""
    try:
        return parse(document).statements
    except Malformed as error:
        raise _malformed(_WORDS.get(error.fault, _SYNTAX)) from error


def check_identity(document: str) -> None:
    """A policy for a user, group or role."""
    for statement in _statements(document):
        if not re.fullmatch(r"[0-9A-Za-z]*", statement.sid):
            raise _malformed(_SID)
        if statement.principals is not None:
            raise _malformed("Policy document should not specify a principal.")
        for action in statement.actions:
            if action != "*" and ":" not in action:
                raise _malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
        if not statement.resources:
            raise _malformed("Policy statement must contain resources.")
        for resource in statement.resources:
            if resource != "*" and not resource.startswith("arn:"):
                raise _malformed(f'Resource {resource} must be in ARN format or "*".')


def check_trust(document: str) -> None:
    """A role's trust policy."""
    for statement in _statements(document):
        if statement.resources is not None:
            raise _malformed("Has prohibited field Resource")
        if statement.not_principals and statement.effect == "Allow":
            raise _malformed("Allow with NotPrincipal is not allowed.")
        if statement.principals is None:
            raise _malformed("Missing required field Principal")
        for kind, name in statement.principals:
            if kind == "AWS" and not _PRINCIPAL.fullmatch(name):
                raise _malformed(f'Invalid principal in policy: "AWS":"{name}"')
        for action in statement.actions:
            if not action.lower().startswith("sts:") and action != "*":
                raise _malformed("AssumeRole policy may only specify STS AssumeRole actions.")
