"""Reading and writing values that are already a tree of dicts and lists: JSON and CBOR.

The reader checks every type and forgets what the model does not know and what is null, as AWS does. The writer renames,
and writes timestamps as their formats say. They differ between JSON and CBOR only in their scalars.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hatoba.aws.models import Member, ServiceModel, Shape
from hatoba.aws.walk import Walker
from hatoba.aws.wire import malformed

Convert = Callable[[Any], Any]
Scalar = Callable[[Member, Shape], Convert]
_ABSENT = "null is no element of a list."


class TreeReader(Walker[Convert]):
    def __init__(self, model: ServiceModel, scalar: Scalar, *, renames: bool = True) -> None:
        super().__init__(model)
        self._scalar = scalar
        self._renames = renames

    def structure(self, use: Member, shape: Shape) -> Convert:
        # Members that travel in headers or in the path are not looked for in the body.
        inside = {name: member for name, member in shape.members.items() if member.location is None}
        table = {
            (member.location_name or name if self._renames else name): (name, self.of(member))
            for name, member in inside.items()
        }

        def read(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                raise malformed(f"{_kind(value)} found where a structure or map was expected.")
            out = {}
            for key, item in value.items():
                if item is not None and (entry := table.get(key)) is not None:
                    out[entry[0]] = entry[1](item)
            return out

        return read

    def list(self, use: Member, shape: Shape, member: Member) -> Convert:
        element = self.of(member)

        def read(value: Any) -> list[Any]:
            if type(value) is not list:
                raise malformed(f"{_kind(value)} found where a list was expected.")
            if None in value and not shape.sparse:
                raise malformed(_ABSENT)
            return [None if item is None else element(item) for item in value]

        return read

    def map(self, use: Member, shape: Shape, key: Member, value: Member) -> Convert:
        of_value = self.of(value)

        def read(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                raise malformed(f"{_kind(value)} found where a structure or map was expected.")
            if not all(type(name) is str for name in value):
                raise malformed("A key of a map is no string.")
            return {name: of_value(item) for name, item in value.items() if item is not None}

        return read

    def scalar(self, use: Member, shape: Shape) -> Convert:
        return self._scalar(use, shape)

    def document(self, use: Member, shape: Shape) -> Convert:
        return lambda value: value


class TreeWriter(Walker[Convert]):
    def __init__(self, model: ServiceModel, scalar: Scalar, *, renames: bool = True) -> None:
        super().__init__(model)
        self._scalar = scalar
        self._renames = renames

    def structure(self, use: Member, shape: Shape) -> Convert:
        table = {
            name: (member.location_name or name if self._renames else name, self.of(member))
            for name, member in shape.members.items()
            if member.location is None
        }

        def write(value: Any) -> dict[str, Any]:
            out = {}
            for name, item in value.items():
                if item is not None and (entry := table.get(name)) is not None:
                    out[entry[0]] = entry[1](item)
            return out

        return write

    def list(self, use: Member, shape: Shape, member: Member) -> Convert:
        element = self.of(member)
        return lambda value: [None if item is None else element(item) for item in value]

    def map(self, use: Member, shape: Shape, key: Member, value: Member) -> Convert:
        of_value = self.of(value)
        return lambda items: {name: of_value(item) for name, item in items.items() if item is not None}

    def scalar(self, use: Member, shape: Shape) -> Convert:
        return self._scalar(use, shape)

    def document(self, use: Member, shape: Shape) -> Convert:
        return lambda value: value


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "Start of structure or map"
    return "Start of list" if isinstance(value, list) else "A value"
