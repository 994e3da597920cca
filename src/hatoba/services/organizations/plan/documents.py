"""Which documents control policies can have. Pure.

The grammar is the policy engine's, so that nothing is kept of which deciders would understand less than its author
meant. Source: the Organizations user guide, "SCP syntax", "RCP syntax".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hatoba.gateway.membership import GUARDED
from hatoba.policy.document import Fault, Malformed, Statement, parse
from hatoba.services.organizations.plan.managed import RESOURCE, SERVICE, Type

_WORDS: Mapping[Fault, str] = {
    "json": "The provided policy document is not valid JSON.",
    "version": "The policy must have the version 2012-10-17.",
    "same sid": "Statement ids (Sid) in a policy must be different.",
    "action": "Every statement must have an Action or a NotAction.",
    "effect": "The Effect of a statement must be Allow or Deny.",
    "condition": "There is a condition that cannot be understood.",
    "principal": "There is a principal that cannot be understood.",
}


class Unfit(Exception):
    """No document for a policy of this type. The text says why."""


def check(type_: Type, text: str) -> None:
    """Raises `Unfit`."""
    try:
        document = parse(text)
    except Malformed as error:
        said = _WORDS.get(error.fault, "The provided policy document does not meet the requirements of its type.")
        raise Unfit(f"{said} ({error.found[:128]})" if error.found else said) from None
    if not document.variables:
        raise Unfit(_WORDS["version"])
    for statement in document.statements:
        _RULES[type_](statement)


def _service(statement: Statement) -> None:
    if statement.principals is not None:
        raise Unfit("A service control policy cannot have a Principal or a NotPrincipal.")
    _common(statement)


def _resource(statement: Statement) -> None:
    if statement.effect != "Deny":
        raise Unfit("Statements of a resource control policy can only deny.")
    if statement.principals != (("*", "*"),) or statement.not_principals:
        raise Unfit('A resource control policy must have the Principal "*".')
    if statement.not_actions:
        raise Unfit("A resource control policy cannot have a NotAction.")
    for action in statement.actions:
        if action.partition(":")[0].lower() not in GUARDED:
            raise Unfit(f"The action {action[:128]} is of no service that resource control policies guard.")
    _common(statement)


def _common(statement: Statement) -> None:
    if not statement.resources:
        raise Unfit("Every statement must have a Resource or a NotResource.")
    for resource in statement.resources:
        if resource != "*" and not resource.startswith("arn:"):
            raise Unfit(f'The resource {resource[:128]} must be an ARN or "*".')
    for action in statement.actions:
        if action != "*" and ":" not in action.strip(":"):
            raise Unfit(f"The action {action[:128]} must name its service.")


_RULES: Mapping[Type, Callable[[Statement], None]] = {SERVICE: _service, RESOURCE: _resource}
