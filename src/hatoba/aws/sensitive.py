"""Values of a shape without what its model marks as sensitive, and without raw bytes: for what is kept or shown.

Compiled once per use of a shape; a shape with nothing to hide costs one test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hatoba.aws.models import Member, Operation, ServiceModel, Shape
from hatoba.aws.walk import Walker

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"  # CloudTrail's word

Conceal = Callable[[Any], Any]

# What models forget to mark: members by name, and free text in which people put passwords.
_NAMES = frozenset(
    {
        "ActivationCode",
        "AuthenticationCode1",
        "AuthenticationCode2",
        "ClientSecret",
        "SAMLAssertion",
        "SessionToken",
        "TokenCode",
        "TokenValue",
        "WebIdentityToken",
    }
)
_UNMARKED = {
    ("ecs", "LogConfigurationOptionsMap", ""),
    ("ecs", "FirelensConfigurationOptionsMap", ""),
    ("lambda", "EnvironmentVariables", ""),
    ("logs", "InputLogEvent", "message"),
}


class _Concealing(Walker[Conceal]):
    def structure(self, use: Member, shape: Shape) -> Conceal:
        if shape.sensitive:
            return _hide
        parts = {
            name: _hide if name in _NAMES or (self.model.name, shape.name, name) in _UNMARKED else self.of(member)
            for name, member in shape.members.items()
        }

        def conceal(value: Any) -> Any:
            if not isinstance(value, dict):
                return HIDDEN
            return {name: parts[name](part) if name in parts else HIDDEN for name, part in value.items()}

        return conceal

    def list(self, use: Member, shape: Shape, member: Member) -> Conceal:
        if shape.sensitive:
            return _hide
        part = self.of(member)
        return lambda value: [part(each) for each in value] if isinstance(value, list) else HIDDEN

    def map(self, use: Member, shape: Shape, key: Member, value: Member) -> Conceal:
        if shape.sensitive or (self.model.name, shape.name, "") in _UNMARKED:
            return lambda value: dict.fromkeys(value, HIDDEN) if isinstance(value, dict) else HIDDEN
        part = self.of(value)
        return lambda value: {k: part(v) for k, v in value.items()} if isinstance(value, dict) else HIDDEN

    def scalar(self, use: Member, shape: Shape) -> Conceal:
        if shape.sensitive:
            return _hide
        if shape.type == "blob" or shape.streaming or shape.eventstream:
            return _measure
        return _same


def _hide(value: Any) -> Any:
    return HIDDEN


def _measure(value: Any) -> Any:
    return {"bytes": len(value)} if isinstance(value, bytes) else None


def _same(value: Any) -> Any:
    return value


_made: dict[ServiceModel, _Concealing] = {}


def conceal(operation: Operation, use: Member | None, value: Any) -> Any:
    """`use` is the operation's input or output. Values of JSON come out, dates as they are."""
    if use is None or value is None:
        return None
    made = _made.get(operation.model)
    if made is None:
        made = _made[operation.model] = _Concealing(operation.model)
    return made.of(use)(value)
