"""Resource policies: which texts are one, and which let everybody in. Pure.

Whether one allows a request is decided where all requests are decided.
"""

from __future__ import annotations

from typing import NamedTuple

from hatoba.aws.shapes import secretsmanager as t
from hatoba.policy import document
from hatoba.policy.document import Malformed, Statement, parse

NAME = "default"
_WORDS: dict[document.Fault, str] = {
    "json": "This policy contains invalid Json",
    "statement": "The policy must have at least one statement.",
    "version": "The policy must contain a valid version string.",
    "same sid": "Statement IDs (SID) in a single policy must be unique.",
    "effect": "Each statement must have an Effect of Allow or Deny.",
    "action": "Each statement must have the element Action or NotAction.",
    "resource": "Each statement must have the element Resource or NotResource.",
    "principal": "Invalid principal in policy.",
}


class Fault(NamedTuple):
    check: str
    message: str


def faults(text: str) -> list[Fault]:
    """What is wrong with a policy; nothing for a good one. What deciders could not read would let nobody in."""
    try:
        statements = parse(text).statements
    except Malformed as error:
        return [_syntax(_WORDS.get(error.fault, f"Syntax errors in policy: {error.found or error.fault}."))]
    for statement in statements:
        if statement.principals is None:
            return [_syntax("Each statement must have the element Principal or NotPrincipal.")]
        if not statement.resources:
            return [_syntax("Each statement must have the element Resource or NotResource.")]
    return []


def _syntax(message: str) -> Fault:
    return Fault("POLICY_SYNTAX", message)


def check(text: str, *, block_public: bool) -> None:
    """Raises MalformedPolicyDocumentException, PublicPolicyException."""
    found = faults(text)
    if found:
        raise t.MalformedPolicyDocumentException(found[0].message)
    if block_public and is_public(text):
        raise t.PublicPolicyException("You can't attach this policy: it grants broad access to the secret.")


def is_public(text: str) -> bool:
    """Whether anybody is let in, without a condition. Whoever names some who are not meant lets all others in."""
    return any(_lets_everybody_in(statement) for statement in parse(text).statements)


def _lets_everybody_in(statement: Statement) -> bool:
    if statement.effect != "Allow" or statement.conditions:
        return False
    return statement.not_principals or any(name == "*" for _, name in statement.principals or ())
