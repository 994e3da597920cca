"""What if somebody asked? The engine's decision about made-up requests, and which statements made it. Pure.

Sources: IAM's API reference, "SimulateCustomPolicy", "SimulatePrincipalPolicy"; the user guide, "IAM policy testing
with the IAM policy simulator".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from hatoba.policy.decision import Applicable, decide
from hatoba.policy.document import Document, read
from hatoba.policy.principals import Caller
from hatoba.policy.request import Request, Values
from hatoba.policy.rules import Bundle, Rule, compile_document

_VARIABLE = re.compile(r"\$\{([^}*?$,]+)(?:,[^}]*)?\}")


Kind = Literal["user", "group", "role", "aws-managed", "user-managed", "resource", "none"]  # as the API calls them


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A policy."""

    id: str
    kind: Kind
    text: str


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    source: Source
    index: int  # the statement's, in its document


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    decision: Literal["allowed", "explicitDeny", "implicitDeny"]
    matched: tuple[Matched, ...]
    missing: tuple[str, ...]  # condition keys that were asked for and not given
    within_boundary: bool | None  # None: there is none
    within_control: bool | None


class Side(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Policies of one kind, compiled, and which rule is whose."""

    bundle: Bundle
    owners: Mapping[int, Source]  # by the rule's identity


class Setting(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """All but what is asked."""

    caller: Caller
    identity: Side
    boundary: Side | None = None
    resource: Side | None = None
    control: tuple[Side, ...] = ()
    same_account: bool = True
    keys: Mapping[str, Values]  # by name in lower case
    names: Mapping[str, str]  # how the policies write the keys that they ask for, by name in lower case


def side(sources: Sequence[Source]) -> Side:
    policies = [compile_document(read(source.text)) for source in sources]
    owners = {id(rule): source for source, policy in zip(sources, policies, strict=True) for rule in policy.rules}
    named = [(source.id, policy) for source, policy in zip(sources, policies, strict=True)]
    return Side(bundle=Bundle(named), owners=owners)


class _Asked:
    """Implements `policy.request.Context`, and remembers what was not there."""

    def __init__(self, keys: Mapping[str, Values]) -> None:
        self._keys = keys
        self.missing: dict[str, None] = {}

    def get(self, key: str) -> Values | None:
        found = self._keys.get(key)
        if found is None:
            self.missing[key] = None
        return found


def judge(setting: Setting, action: str, resource: str) -> Verdict:
    asked = _Asked(setting.keys)
    request = Request(action, resource, setting.caller, asked)
    policies = Applicable(
        identity=setting.identity.bundle,
        boundary=setting.boundary.bundle if setting.boundary is not None else None,
        resource=setting.resource.bundle if setting.resource is not None else None,
        control=tuple(level.bundle for level in setting.control),
        same_account=setting.same_account,
    )
    decision = decide(request, policies)
    sides = [each for each in (setting.identity, setting.resource, setting.boundary, *setting.control) if each]
    matched: list[Matched] = []
    if decision.explicit:
        matched = [each for one in sides for each in _applying(one, request, allows=False)]
    elif decision.allowed:
        matched = [each for one in sides[:2] for each in _applying(one, request, allows=True)]
    return Verdict(
        decision="allowed" if decision.allowed else "explicitDeny" if decision.explicit else "implicitDeny",
        matched=tuple(matched),
        missing=tuple(setting.names[key] for key in asked.missing if key in setting.names),
        within_boundary=None if setting.boundary is None else _allows(setting.boundary, request),
        within_control=all(_allows(level, request) for level in setting.control) if setting.control else None,
    )


def _applying(one: Side, request: Request, *, allows: bool) -> Iterator[Matched]:
    rules: list[Rule] = [rule for rule in one.bundle.applying(request) if rule.allows is allows]
    return (Matched(source=one.owners[id(rule)], index=rule.index) for rule in rules)


def _allows(one: Side, request: Request) -> bool:
    return one.bundle.deny(request) is None and one.bundle.allow(request) is not None


# --- which keys policies ask for


def context_keys(texts: Iterable[str]) -> list[str]:
    """Those of conditions and variables, as they are written first, in the order of the alphabet."""
    found: dict[str, str] = {}
    for text in texts:
        for key in _asked_for(read(text)):
            found.setdefault(key.lower(), key)
    return sorted(found.values())


def _asked_for(document: Document) -> Iterator[str]:
    for statement in document.statements:
        values = list(statement.resources or ())
        for condition in statement.conditions:
            yield condition.key
            values += condition.values
        if document.variables:
            yield from (key for value in values for key in _VARIABLE.findall(value))
