"""Why a request was refused, as STS's DecodeAuthorizationMessage tells it to those who may know.

Source: STS's API reference, "DecodeAuthorizationMessage".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hatoba.policy.decision import Decision
from hatoba.policy.document import Statement
from hatoba.policy.rules import Rule
from hatoba.services.iam.authorizer.facts import Facts


def verdict(facts: Facts, decision: Decision) -> Mapping[str, Any]:
    call, need = facts.call, facts.need
    who = call.principal
    matched = [_statement(decision.rule)] if decision.rule is not None else []
    return {
        "allowed": decision.allowed,
        "explicitDeny": decision.explicit,
        "matchedStatements": _items(matched),
        "failures": _items([]),
        "context": {
            "principal": {"id": who.id, "name": who.arn.rpartition(":")[2].partition("/")[2], "arn": who.arn},
            "action": need.action,
            "resource": need.resource,
            "conditions": _items({"key": key, "values": _values(values)} for key, values in facts.known()),
        },
    }


def _statement(rule: Rule) -> Mapping[str, Any]:
    statement: Statement = rule.statement
    return {
        "statementId": statement.sid or "",
        "effect": statement.effect.upper(),
        "principals": _values(name for _, name in statement.principals or ()),
        "principalGroups": _items([]),
        "actions": _values(statement.actions),
        "resources": _values(statement.resources or ()),
        "conditions": _items(
            {"key": condition.key, "values": _values(condition.values)} for condition in statement.conditions
        ),
    }


def _values(values: Iterable[str]) -> Mapping[str, Any]:
    return _items({"value": value} for value in values)


def _items(items: Iterable[Any]) -> Mapping[str, Any]:
    return {"items": list(items)}
