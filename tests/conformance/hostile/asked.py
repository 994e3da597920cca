"""A room that is asked whatever the shapes of its operations allow: it answers, or refuses and changes nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import strategies as st

from hatoba.aws import models
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.gateway import access
from hatoba.gateway.call import Call
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.room import Service

Likely = Mapping[str, st.SearchStrategy[Any]]  # by member: values that may pass, or all would be refused


class Asked:
    """In a loop of its own, for tests that are not of one: hypothesis's."""

    plane: ControlPlane

    def __init__(self, service: Service, scope: Scope) -> None:
        self._service, self._scope = service, scope
        self.answered: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.loop = asyncio.new_event_loop()
        self.run = self.loop.run_until_complete

    async def perform(self, operation: str, params: dict[str, Any]) -> None:
        name, plane = self._service.name, self.plane
        bound = plane.operations.find(models.load(name), operation)
        assert bound is not None
        root = access.root("aws", self._scope.account)
        call = Call(plane, scope=self._scope, service=name, operation=operation, principal=root, request_id="r-1")
        before = plane.store.seq
        try:
            await plane.operations.perform(bound, params, call)
        except AwsError as error:
            self.refused[operation] += 1
            if error.status >= 500:
                raise
            assert plane.store.seq == before, f"{operation} was refused and changed something"
        else:
            self.answered[operation] += 1


def declared(service: Service) -> list[str]:
    return sorted(name for name in models.load(service.name).operations if service.handler(name) is not None)


def likely(data: st.DataObject, known: Likely, params: dict[str, Any], required: Iterable[str]) -> None:
    """Values that may pass, for nearly all that is demanded or was drawn."""
    for name in sorted(known.keys() & {*params, *required}):
        if data.draw(st.integers(0, 9)):
            params[name] = data.draw(known[name])
