"""May this principal assume this role? A role's trust policy, evaluated. Pure.

A statement applies when its action, its principal and all its conditions do; any Deny that applies wins. What cannot be
decided here (a condition key or an operator that is not known) fails closed: it keeps an Allow from applying, and not a
Deny. Source: the IAM user guide, "How to use trust policies" and "IAM JSON policy elements: Condition operators".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from hatoba.gateway.call import Principal

Context = Mapping[str, str | None]  # condition keys; None: known not to be there


def allows(document: str, action: str, principal: Principal, services: Iterable[str], context: Context) -> bool:
    """`services` are the service principals that the caller acts as."""
    acts_as = frozenset(services)
    return _decide(document, action, lambda wanted: _is(wanted, principal, acts_as), context)


def allows_federated(document: str, action: str, provider: str, context: Context) -> bool:
    """For whoever a provider (an ARN) vouches for, who is nobody of the account."""

    def named(wanted: Any) -> bool:
        if isinstance(wanted, dict):
            return provider in _many(wanted.get("Federated", [])) or "*" in _many(wanted.get("AWS", []))
        return bool(wanted == "*")

    return _decide(document, action, named, context)


def _decide(document: str, action: str, named: Callable[[Any], bool], context: Context) -> bool:
    known = {name.lower(): value for name, value in context.items()}
    allowed = False
    for statement in _many(msgspec.json.decode(document).get("Statement", [])):
        if not _names_action(statement, action) or not _names_principal(statement, named):
            continue
        held = _conditions(statement.get("Condition", {}), known)
        if statement.get("Effect") == "Deny":
            if held is not False:
                return False
        elif held is True:
            allowed = True
    return allowed


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _like(value: str, pattern: str) -> bool:
    """`*` is any text, `?` any character, and nothing else is special."""
    wild = {"*": ".*", "?": "."}
    return re.fullmatch("".join(wild.get(sign) or re.escape(sign) for sign in pattern), value, re.DOTALL) is not None


# --- who and what


def _names_action(statement: Mapping[str, Any], action: str) -> bool:
    listed = _many(statement.get("Action", statement.get("NotAction", [])))
    found = any(_like(action.lower(), str(pattern).lower()) for pattern in listed)
    return found if "Action" in statement else "NotAction" in statement and not found


def _names_principal(statement: Mapping[str, Any], named: Callable[[Any], bool]) -> bool:
    if "Principal" in statement:
        return named(statement["Principal"])
    if "NotPrincipal" in statement:
        return not named(statement["NotPrincipal"])
    return False


def _is(wanted: Any, principal: Principal, services: frozenset[str]) -> bool:
    if wanted == "*":
        return True
    if not isinstance(wanted, dict):
        return False
    if not services.isdisjoint(_many(wanted.get("Service", []))):
        return True
    if principal.kind in ("service", "anonymous"):
        return False
    partition = principal.arn.split(":")[1]
    own = {"*", principal.account, f"arn:{partition}:iam::{principal.account}:root", principal.arn, principal.role}
    return not own.isdisjoint(_many(wanted.get("AWS", [])))


# --- conditions


def _conditions(conditions: Any, known: Context) -> bool | None:
    """Whether all of them hold; None when that cannot be told."""
    if not isinstance(conditions, dict) or not all(isinstance(tests, dict) for tests in conditions.values()):
        return None
    found = [
        _holds(operator, key.lower(), [str(value) for value in _many(values)], known)
        for operator, tests in conditions.items()
        for key, values in tests.items()
    ]
    return False if False in found else None if None in found else True


def _holds(operator: str, key: str, values: list[str], known: Context) -> bool | None:
    if key not in known:
        return None
    found, plain = known[key], operator.removesuffix("IfExists")
    if plain == "Null":
        return str(found is None).lower() in [value.lower() for value in values]
    # A negated operator holds for what is not there, and any does with IfExists.
    positive = plain.replace("Not", "", 1)
    if found is None:
        return None if _test(positive, "", values) is None else plain != operator or positive != plain
    held = _test(positive, found, values)
    return held if held is None or positive == plain else not held


def _test(operator: str, found: str, values: list[str]) -> bool | None:
    match operator:
        case "StringEquals":
            return found in values
        case "StringEqualsIgnoreCase" | "Bool":
            return found.lower() in [value.lower() for value in values]
        case "StringLike" | "ArnEquals" | "ArnLike":
            return any(_like(found, value) for value in values)
        case "NumericLessThan" | "NumericLessThanEquals" | "NumericGreaterThan" | "NumericGreaterThanEquals":
            return _compared(operator, found, values)
    return None


def _compared(operator: str, found: str, values: list[str]) -> bool | None:
    try:
        number, bounds = float(found or "nan"), [float(value) for value in values]
    except ValueError:
        return None
    if operator.endswith("Equals") and number in bounds:
        return True
    less = operator.startswith("NumericLess")
    return any(number < bound if less else number > bound for bound in bounds)
