"""Values of a shape without what its model marks as sensitive, and without raw bytes: for what is kept or shown.

Compiled once per use of a shape. Of values that are known to fit their shape only what has something to hide is copied;
of others every member is looked at, and one that the model does not know is hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    ("ssm", "SessionManagerParameters", ""),  # what ECS's model hides of ExecuteCommand comes along in them
}


def is_secret(model: ServiceModel, shape: Shape, member: str) -> bool:
    """A member of a structure that models forget to mark."""
    return member in _NAMES or (model.name, shape.name, member) in _UNMARKED


class _Concealing(Walker[Conceal]):
    def __init__(self, model: ServiceModel, fits: bool) -> None:
        super().__init__(model)
        self._fits = fits

    def structure(self, use: Member, shape: Shape) -> Conceal:
        if shape.sensitive:
            return _hide
        parts = {
            name: _hide if is_secret(self.model, shape, name) else self.of(member)
            for name, member in shape.members.items()
        }
        if self._fits:
            return _changing({name: part for name, part in parts.items() if part is not _same})

        def conceal(value: Any) -> Any:
            if not isinstance(value, dict):
                return HIDDEN
            return {name: parts[name](part) if name in parts else HIDDEN for name, part in value.items()}

        return conceal

    def list(self, use: Member, shape: Shape, member: Member) -> Conceal:
        if shape.sensitive:
            return _hide
        part = self.of(member)
        if self._fits and part is _same:
            return _same
        return lambda value: [part(each) for each in value] if isinstance(value, list) else HIDDEN

    def map(self, use: Member, shape: Shape, key: Member, value: Member) -> Conceal:
        if shape.sensitive or (self.model.name, shape.name, "") in _UNMARKED:
            return lambda value: dict.fromkeys(value, HIDDEN) if isinstance(value, dict) else HIDDEN
        part = self.of(value)
        if self._fits and part is _same:
            return _same
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


def _changing(parts: Mapping[str, Conceal]) -> Conceal:
    """What has none of these members is left as it is."""
    if not parts:
        return _same

    def conceal(value: Any) -> Any:
        if not isinstance(value, dict):
            return HIDDEN
        changed = {name: part(value[name]) for name, part in parts.items() if name in value}
        return {**value, **changed} if changed else value

    return conceal


_made: dict[tuple[ServiceModel, bool], _Concealing] = {}


def conceal(operation: Operation, use: Member | None, value: Any, *, fits: bool = False) -> Any:
    """`use` is the operation's input or output; `fits`: the value has been validated, or is our own answer. Values of
    JSON come out, dates as they are."""
    return None if use is None or value is None else concealed(operation.model, use, value, fits=fits)


def concealed(model: ServiceModel, use: Member, value: Any, *, fits: bool = False) -> Any:
    """Of any use of a shape, likewise."""
    made = _made.get((model, fits))
    if made is None:
        made = _made[model, fits] = _Concealing(model, fits)
    return made.of(use)(value)
