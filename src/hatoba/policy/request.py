"""What is asked: an action on a resource, by somebody, with what is known around it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from hatoba.policy.principals import Caller

Values = tuple[str, ...]


class Unknown(tuple[str, ...]):
    """In place of a key's values where there may be some, and nobody here can tell."""

    __slots__ = ()


UNKNOWN = Unknown()


class Context(Protocol):
    """Condition keys. Their names have no case."""

    def get(self, key: str) -> Values | None:
        """A key's values, by its name in lower case; None where it is not there, `UNKNOWN` where nobody can tell."""
        ...


class Keys:
    """Condition keys that are all known beforehand."""

    def __init__(self, given: Mapping[str, str | Iterable[str]] | None = None) -> None:
        self._known = {
            key.lower(): (values,) if isinstance(values, str) else tuple(values)
            for key, values in (given or {}).items()
        }

    def get(self, key: str) -> Values | None:
        return self._known.get(key)


class Request:
    """`action` is `service:Name`; `resource` an ARN, or `*` for an action that knows no resources."""

    __slots__ = ("action", "caller", "context", "resource")

    def __init__(self, action: str, resource: str, caller: Caller, context: Context) -> None:
        self.action = action.lower()
        self.resource = resource
        self.caller = caller
        self.context = context
