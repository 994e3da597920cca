"""Key policies: the one that a key gets by itself, and which texts are one. Pure.

Policies are kept and shown; whether they allow a request is decided where all requests are decided.
"""

from __future__ import annotations

import json

from hatoba.aws.shapes import kms as t
from hatoba.core.keys import Scope
from hatoba.policy.document import Fault, Malformed, parse

NAME = "default"
_DEFAULT = "key-default-1"
_WORDS: dict[Fault, str] = {
    "json": "Policy is not valid JSON",
    "statement": "Policy contains no Statement",
    "version": "The policy must contain a valid version string",
    "same sid": "Statement IDs (SID) in a single policy must be unique.",
    "effect": "Policy statement must have an Effect of Allow or Deny",
    "action": "Policy statement must contain actions.",
    "resource": "Policy statement must contain resources.",
    "principal": "Policy contains a statement with one or more invalid principals.",
}


def default(scope: Scope) -> str:
    """Gives the account full access, which is what lets its IAM policies speak of the key."""
    return _text(
        _DEFAULT,
        {
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:{scope.partition}:iam::{scope.account}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
    )


def managed(scope: Scope, service: str) -> str:
    """Of a key that AWS manages for a service: all of the account, through that service alone."""
    via = {
        "StringEquals": {
            "kms:CallerAccount": scope.account,
            "kms:ViaService": f"{service}.{scope.region}.amazonaws.com",
        }
    }
    return _text(
        f"auto-{service}-1",
        {
            "Sid": f"Allow access through {service} for all principals in the account that are authorized to use it",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": [
                "kms:Encrypt",
                "kms:Decrypt",
                "kms:ReEncrypt*",
                "kms:GenerateDataKey*",
                "kms:CreateGrant",
                "kms:DescribeKey",
            ],
            "Resource": "*",
            "Condition": via,
        },
        {
            "Sid": "Allow direct access to key metadata to the account",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:{scope.partition}:iam::{scope.account}:root"},
            "Action": ["kms:Describe*", "kms:Get*", "kms:List*"],
            "Resource": "*",
        },
    )


def _text(id_: str, *statements: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Id": id_, "Statement": statements}, indent=2)


def check(text: str) -> None:
    """Raises MalformedPolicyDocumentException for what is no policy.

    What deciders cannot read they decide against: a key whose policy was misspelt would be lost.
    """
    try:
        document = parse(text)
    except Malformed as error:
        raise _malformed(_WORDS.get(error.fault, "Syntax errors in policy.")) from None
    for statement in document.statements:
        if statement.principals is None:
            raise _malformed("Policy statement must contain principals.")
        if not statement.resources:
            raise _malformed("Policy statement must contain resources.")


def locked_out() -> t.MalformedPolicyDocumentException:
    return _malformed("The new key policy will not allow you to update the key policy in the future.")


def _malformed(message: str) -> t.MalformedPolicyDocumentException:
    return t.MalformedPolicyDocumentException(message)
