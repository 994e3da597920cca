"""What a controller is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol, runtime_checkable

from hatoba.core.keys import Key
from hatoba.store import Change, Table


class Wake(NamedTuple):
    """A change of `table` is a hint for the keys that `keys(change)` names."""

    table: Table[Any]
    keys: Callable[[Change[Any]], Iterable[Key]]


class Published(NamedTuple):
    """A change of `table` is a change of the resources with the ARNs that `arns(change)` names: told, without what it
    is, to whoever depends on them (`Listening`), and asked for at the front door."""

    table: Table[Any]
    arns: Callable[[Change[Any]], Iterable[str]]


class Controller(Protocol):
    """Converges what is observed to what is wanted, key by key."""

    @property
    def name(self) -> str: ...

    @property
    def wakes(self) -> tuple[Wake, ...]:
        """Read once, at the start: a class attribute will do."""
        ...

    def keys(self) -> Iterable[Key]:
        """Everything there is to look after: asked at the start and by the slow period."""
        ...

    async def reconcile(self, key: Key) -> float | None:
        """One pass over one key. Returns the wall time (seconds since the epoch) to look again, or None.

        The time must follow from records, so that a restart finds the same deadline. Raising means: back off.
        """
        ...


@runtime_checkable
class Paced(Protocol):
    """A controller whose passes over a big key cost more than its small changes are worth."""

    def rest(self, key: Key) -> float:
        """Seconds after a pass for which hints are gathered into one further pass; 0 for none."""
        ...


@runtime_checkable
class Listening(Protocol):
    """A controller whose keys depend on other rooms' resources, and who keeps an index of which on which."""

    def hear(self, arn: str) -> Iterable[Key]:
        """The keys that a change of this resource is a hint for."""
        ...
