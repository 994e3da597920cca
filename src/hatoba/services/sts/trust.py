"""May this principal assume this role? A role's trust policy, evaluated. Pure.

A statement applies when its action, its principal and all its conditions do; any Deny that applies wins. A condition
whose key is not known to the request does not hold. Source: the IAM user guide, "How to use trust policies".
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from hatoba.gateway.call import Principal


def allows(
    document: str, action: str, principal: Principal, services: Iterable[str], context: Mapping[str, str]
) -> bool:
    """`services` are the service principals that the caller acts as; `context` the condition keys it has."""
    policy = msgspec.json.decode(document)
    statements = policy.get("Statement", [])
    allowed = False
    for statement in statements if isinstance(statements, list) else [statements]:
        if not _applies(statement, action, principal, frozenset(services), context):
            continue
        if statement.get("Effect") == "Deny":
            return False
        allowed = True
    return allowed


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _applies(
    statement: Mapping[str, Any],
    action: str,
    principal: Principal,
    services: frozenset[str],
    context: Mapping[str, str],
) -> bool:
    if not any(fnmatch.fnmatchcase(action.lower(), str(a).lower()) for a in _many(statement.get("Action", []))):
        return False
    if "Principal" not in statement or not _is(statement["Principal"], principal, services):
        return False
    return all(
        _holds(operator, key, _many(values), context)
        for operator, tests in statement.get("Condition", {}).items()
        for key, values in tests.items()
    )


def _is(wanted: Any, principal: Principal, services: frozenset[str]) -> bool:
    if wanted == "*":
        return True
    if not isinstance(wanted, dict):
        return False
    if services & set(_many(wanted.get("Service", []))):
        return True
    own = {principal.account, f":iam::{principal.account}:root", principal.arn, principal.role}
    for name in _many(wanted.get("AWS", [])):
        if name == "*" or name in own or (name.endswith(f":iam::{principal.account}:root") and name.startswith("arn:")):
            return principal.kind != "service"
    return False


def _holds(operator: str, key: str, values: list[Any], context: Mapping[str, str]) -> bool:
    found = {name.lower(): value for name, value in context.items()}.get(key.lower())
    optional = operator.endswith("IfExists")
    if found is None:
        return optional
    match operator.removesuffix("IfExists"):
        case "StringEquals" | "ArnEquals":
            return found in values
        case "StringNotEquals" | "ArnNotEquals":
            return found not in values
        case "StringLike" | "ArnLike":
            return any(fnmatch.fnmatchcase(found, str(value)) for value in values)
        case "Bool":
            return found.lower() in [str(value).lower() for value in values]
    return False
