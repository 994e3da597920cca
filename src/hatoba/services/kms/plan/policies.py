"""Key policies: the one that a key gets by itself, and which texts are one. Pure.

Policies are kept and shown; whether they allow a request is decided where all requests are decided.
"""

from __future__ import annotations

import json

from hatoba.aws.shapes import kms as t
from hatoba.core.keys import Scope

NAME = "default"
_DEFAULT = "key-default-1"


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
    """Raises MalformedPolicyDocumentException for what is no policy."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise _malformed("Policy is not valid JSON") from None
    statements = document.get("Statement") if isinstance(document, dict) else None
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise _malformed("Policy contains no Statement")
    for statement in statements:
        _check_statement(statement)


def _check_statement(statement: object) -> None:
    if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
        raise _malformed("Policy statement must have an Effect of Allow or Deny")
    if not ("Principal" in statement or "NotPrincipal" in statement):
        raise _malformed("Policy statement must contain principals.")
    if not ("Action" in statement or "NotAction" in statement):
        raise _malformed("Policy statement must contain actions.")
    if not ("Resource" in statement or "NotResource" in statement):
        raise _malformed("Policy statement must contain resources.")


def _malformed(message: str) -> t.MalformedPolicyDocumentException:
    return t.MalformedPolicyDocumentException(message)
