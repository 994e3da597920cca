"""Bucket policies, as far as S3 itself looks at them: which texts are one, and which let everybody in.

Whether a policy allows a request is decided where all requests are decided. Source: the S3 user guide, "Blocking public
access to your Amazon S3 storage", "The meaning of public"; "Bucket policies".
"""

from __future__ import annotations

from functools import lru_cache

from hatoba.policy.document import Condition, Malformed, Statement, parse, read

LONGEST = 20 * 1024  # bytes

# Who or where from, of few: with a fixed value of one of these a statement is not public.
_FIXING = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    }
)
_OPERATORS = frozenset({"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "ipaddress"})
_EVERYWHERE = ("0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1")


class Wrong(ValueError):
    """No policy of this bucket. The text says why."""


def check(text: str, arn: str) -> None:
    """`arn`: the bucket's. Raises `Wrong`, in S3's words."""
    if len(text.encode()) > LONGEST:
        raise Wrong("Policies must be at most 20480 bytes in size")
    try:
        document = parse(text)
    except Malformed as error:
        said = {
            "json": "Policies must be valid JSON and the first byte must be '{'",
            "action": "Missing required field Action",
        }
        raise Wrong(said.get(error.fault, f"Policy has an invalid {error.fault}")) from None
    for statement in document.statements:
        if statement.principals is None:
            raise Wrong("Missing required field Principal")
        if statement.resources is None:
            raise Wrong("Missing required field Resource")
        if not all(action == "*" or action.lower().startswith("s3:") for action in statement.actions):
            raise Wrong("Policy has invalid action")
        if not all(resource == arn or resource.startswith(f"{arn}/") for resource in statement.resources):
            raise Wrong("Policy has invalid resource")


@lru_cache(maxsize=256)  # asked for with each request of a stranger
def is_public(text: str) -> bool:
    """Whether a policy lets everybody have something."""
    return any(_public(statement) for statement in read(text).statements)


def _public(statement: Statement) -> bool:
    if statement.effect != "Allow":
        return False
    anybody = statement.not_principals or any(
        kind in ("*", "AWS") and name == "*" for kind, name in statement.principals or ()
    )
    return anybody and not any(map(_fixes, statement.conditions))


def _fixes(condition: Condition) -> bool:
    operator = condition.operator.lower()
    if operator not in _OPERATORS or condition.key.lower() not in _FIXING or not condition.values:
        return False
    if operator == "ipaddress":
        return not any(value in _EVERYWHERE for value in condition.values)
    return not any("*" in value or "?" in value or "${" in value for value in condition.values)
