"""What limits and describes a session: its policies, tags and source identity, checked and packed. Pure.

Sources: the IAM user guide, "Policies and permissions: Session policies", "Pass session tags in AWS STS" and "IAM and
AWS STS quotas".
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from hatoba.aws.shapes import sts as t
from hatoba.aws.validate import show
from hatoba.core.errors import AwsError
from hatoba.gateway.call import SessionContext
from hatoba.policy.document import Fault, Malformed, parse

LONGEST_POLICY = 2048  # characters of a session policy
MOST_POLICIES = 10
MOST_TAGS = 50
_PACKED = 4096  # bytes of all together, compressed: AWS does not say how many; this is never less
_WORDS: Mapping[Fault, str] = {
    "json": "This policy contains invalid Json",
    "version": "The policy must contain a valid version string",
    "action": "Policy statement must contain actions.",
    "same sid": "Statement IDs (SID) in a single policy must be unique.",
}


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks of the new session, checked."""

    policy: str | None = None
    policy_arns: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    transitive: tuple[str, ...] = ()
    source_identity: str | None = None


def wish(req: Mapping[str, Any], before: SessionContext | None = None) -> Wish:
    """`before`: the session that asks, whose transitive tags and source identity go along. Raises `AwsError`."""
    policy = req.get("Policy")
    if policy is not None:
        check_policy(policy)
    arns = tuple(dict.fromkeys(one.get("arn", "") for one in req.get("PolicyArns") or ()))
    if len(arns) > MOST_POLICIES:
        raise _longer("policyArns", [{"arn": arn} for arn in arns], MOST_POLICIES)
    for arn in arns:
        if ":iam::" not in arn or ":policy/" not in arn:
            raise invalid(f"ARN {arn} is not valid.")
    inherited = _inherited(before)
    given = _tags(req.get("Tags") or ())
    keys = {key.lower() for key, _ in given}
    for key in inherited:
        if key.lower() in keys:
            raise invalid(f"The tag key {key} is transitive in this session and cannot be passed again.")
    transitive = tuple(dict.fromkeys(req.get("TransitiveTagKeys") or ()))
    if unknown := [key for key in transitive if key.lower() not in keys]:
        raise invalid(f"The transitive tag keys {', '.join(unknown)} are not among the tags that were passed.")
    tags = (*inherited.items(), *given)
    if len(tags) > MOST_TAGS:
        raise invalid(f"A session can have {MOST_TAGS} tags, the transitive ones of the session before included.")
    return Wish(
        policy=policy,
        policy_arns=arns,
        tags=tags,
        transitive=(*inherited, *transitive),
        source_identity=_source(req.get("SourceIdentity"), before),
    )


def packed(wished: Wish) -> int:
    """Percent of the greatest size of policies and tags together. Raises PackedPolicyTooLarge."""
    parts = [wished.policy or "", *wished.policy_arns, *(text for tag in wished.tags for text in tag)]
    size = len(zlib.compress("\0".join(parts).encode()))
    percent = -(-100 * size // _PACKED)
    if percent > 100:
        raise t.PackedPolicyTooLargeException(
            f"The size of the session's policies and tags is {percent} percent of the greatest."
        )
    return percent


def check_policy(text: str) -> None:
    """A session policy. Raises MalformedPolicyDocument."""
    if len(text) > LONGEST_POLICY:
        raise _longer("policy", text, LONGEST_POLICY)
    try:
        statements = parse(text).statements
    except Malformed as error:
        raise _malformed(_WORDS.get(error.fault, "Syntax errors in policy.")) from error
    for statement in statements:
        if statement.principals is not None:
            raise _malformed("Policy document should not specify a principal.")
        if not statement.resources:
            raise _malformed("Policy statement must contain resources.")


def _longer(member: str, value: Any, most: int) -> AwsError:
    """In the words of a shape's constraint, which the model does not have."""
    said = f"Value '{show(value)}' at '{member}' failed to satisfy constraint"
    return invalid(f"1 validation error detected: {said}: Member must have length less than or equal to {most}")


def _inherited(before: SessionContext | None) -> dict[str, str]:
    if before is None:
        return {}
    return {key: value for key, value in before.tags if key in before.transitive}


def _tags(given: Iterable[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    tags = [(tag["Key"], tag["Value"]) for tag in given]
    if len({key.lower() for key, _ in tags}) < len(tags):
        raise invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.lower().startswith("aws:") for key, _ in tags):
        raise invalid("System tags cannot be added or removed by the caller.")
    return tuple(tags)


def _source(asked: str | None, before: SessionContext | None) -> str | None:
    """Once it is set it stays, whatever roles are assumed from there."""
    known = before.source_identity if before is not None else None
    if asked is not None and asked.lower().startswith("aws:"):
        raise invalid("A source identity cannot begin with aws:.")
    if known is not None and asked not in (None, known):
        raise AwsError(
            "The source identity of this session is set and cannot be changed.", code="AccessDenied", status=403
        )
    return known if asked is None else asked


def invalid(message: str) -> AwsError:
    return AwsError(message, code="ValidationError")


def _malformed(message: str) -> AwsError:
    return t.MalformedPolicyDocumentException(message)
