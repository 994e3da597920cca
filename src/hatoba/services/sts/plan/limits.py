"""What limits and describes a session: its policies, tags and source identity, checked and packed. Pure.

Sources: the IAM user guide, "Policies and permissions: Session policies", "Pass session tags in AWS STS" and "IAM and
AWS STS quotas".
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from hatoba.aws.shapes import sts as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import SessionContext

LONGEST_POLICY = 2048  # characters of a session policy
MOST_POLICIES = 10
MOST_TAGS = 50
_PACKED = 4096  # bytes of all together, compressed: AWS does not say how many; this is never less
_VERSIONS = ("2008-10-17", "2012-10-17")


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
        raise invalid(f"Member must have length less than or equal to {MOST_POLICIES}: policyArns")
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
        raise invalid(f"Value at 'policy' failed to satisfy constraint: at most {LONGEST_POLICY} characters")
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise _malformed("This policy contains invalid Json") from None
    if not isinstance(document, dict) or not document.get("Statement"):
        raise _malformed("Syntax errors in policy.")
    if document.get("Version", _VERSIONS[0]) not in _VERSIONS:
        raise _malformed("The policy must contain a valid version string")
    found = document["Statement"]
    for statement in found if isinstance(found, list) else [found]:
        _check_statement(statement)


def _check_statement(statement: Any) -> None:
    if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
        raise _malformed("Syntax errors in policy.")
    if "Principal" in statement or "NotPrincipal" in statement:
        raise _malformed("Policy document should not specify a principal.")
    if not _texts(statement, "Action", "NotAction"):
        raise _malformed("Policy statement must contain actions.")
    if not _texts(statement, "Resource", "NotResource"):
        raise _malformed("Policy statement must contain resources.")
    conditions = statement.get("Condition", {})
    if not isinstance(conditions, dict) or not all(isinstance(tests, dict) for tests in conditions.values()):
        raise _malformed("Syntax errors in policy.")


def _texts(statement: Mapping[str, Any], name: str, opposite: str) -> Sequence[str]:
    found = statement.get(name, statement.get(opposite))
    listed = found if isinstance(found, list) else [found]
    return listed if all(isinstance(text, str) for text in listed) else ()


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
