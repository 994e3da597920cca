"""Compiling a shape into functions: the part that every reader, writer and checker of values has in common.

A walker builds one function per use of a shape, on first use, and keeps it. Shapes that contain themselves are tied by
a function that looks its target up when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from hatoba.aws.models import Member, ServiceModel, Shape

F = TypeVar("F", bound=Callable[..., object])


class Walker(Generic[F]):
    """Subclasses say how a structure, a list, a map and a scalar are made, in terms of `of` their parts."""

    def __init__(self, model: ServiceModel) -> None:
        self.model = model
        self._made: dict[Member, F] = {}

    def of(self, use: Member) -> F:
        """The function for this use of a shape."""
        made = self._made.get(use)
        if made is None:
            self._made[use] = self._tie(use)  # found by the shapes inside that lead back here
            made = self._made[use] = self._make(use, self.model.shapes[use.shape])
        return made

    def _tie(self, use: Member) -> F:
        def later(*args: object) -> object:
            return self._made[use](*args)

        return later  # type: ignore[return-value]

    def _make(self, use: Member, shape: Shape) -> F:
        match shape.type:
            case "structure" if shape.document:
                return self.document(use, shape)
            case "structure":
                return self.structure(use, shape)
            case "list":
                assert shape.member is not None
                return self.list(use, shape, shape.member)
            case "map":
                assert shape.key is not None
                assert shape.value is not None
                return self.map(use, shape, shape.key, shape.value)
            case _:
                return self.scalar(use, shape)

    def structure(self, use: Member, shape: Shape) -> F:
        raise NotImplementedError

    def list(self, use: Member, shape: Shape, member: Member) -> F:
        raise NotImplementedError

    def map(self, use: Member, shape: Shape, key: Member, value: Member) -> F:
        raise NotImplementedError

    def scalar(self, use: Member, shape: Shape) -> F:
        raise NotImplementedError

    def document(self, use: Member, shape: Shape) -> F:
        """Free-form values: no AWS query or XML protocol has them."""
        return self.scalar(use, shape)
