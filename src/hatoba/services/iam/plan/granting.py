"""Which services a policy lets somebody use, whatever of them and wherever. Pure.

Sources: the references of ListPoliciesGrantingServiceAccess and GenerateOrganizationsAccessReport.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache

from hatoba.aws import index
from hatoba.policy.document import read

_NAMED = {"monitoring": "cloudwatch"}  # whose policies name it otherwise than its signatures


@cache
def namespaces() -> dict[str, str]:
    """Services by how policies name them, with their names."""
    return {_NAMED.get(each.signing_name, each.signing_name): each.service_id for each in index.services()}


def grants(document: str, namespace: str) -> bool:
    """Whether a statement allows anything of a service. What is denied is not looked at, as IAM has it."""
    return any(
        not any(_all_of(action, namespace) for action in statement.actions)
        if statement.not_actions
        else any(_some_of(action, namespace) for action in statement.actions)
        for statement in read(document).statements
        if statement.effect == "Allow"
    )


def closes(document: str, namespace: str) -> bool:
    """Whether a statement denies all of a service, to everybody and everywhere."""
    return any(
        not any(_some_of(action, namespace) for action in statement.actions)
        if statement.not_actions
        else any(_all_of(action, namespace) for action in statement.actions)
        for statement in read(document).statements
        if statement.effect == "Deny" and statement.resources == ("*",) and not statement.not_resources
        if not statement.conditions
    )


def reachable(levels: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """The services that control policies leave: each level's have to allow one, and none may close it."""
    found = [tuple(level) for level in levels]
    return tuple(
        name
        for name in sorted(namespaces())
        if all(any(grants(text, name) for text in level) for level in found)
        and not any(closes(text, name) for level in found for text in level)
    )


def _some_of(action: str, namespace: str) -> bool:
    service = action.lower().partition(":")[0]
    return fnmatchcase(namespace, service.replace("[", "[[]"))


def _all_of(action: str, namespace: str) -> bool:
    return _some_of(action, namespace) and action.partition(":")[2] in ("", "*")
