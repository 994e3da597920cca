"""The `Platform` that calls point at, and the gateway assembled: store, clock, rooms in, path and doors out.

plane = ControlPlane(store=…, clock=…, ids=…, pager=…, rooms=[ecs, ecr], identities=…, authorizer=…)
plane.path          the handler of AWS requests
plane.visitors      who asks for a page of our own, as far as an operation would be allowed to them
plane.door(scope, "ecs")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from hatoba.core.clock import Clock
from hatoba.core.ids import Ids
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.gateway import access
from hatoba.gateway.access import Authorizer, Identities
from hatoba.gateway.audit import Auditor, NothingKept, Witness
from hatoba.gateway.call import Call, Door, Principal
from hatoba.gateway.door import LocalDoor
from hatoba.gateway.membership import ALONE, Memberships
from hatoba.gateway.metrics import Metrics
from hatoba.gateway.needs import Need
from hatoba.gateway.operations import Operations
from hatoba.gateway.path import Path, Settings
from hatoba.gateway.room import Service
from hatoba.gateway.visitors import Visitors
from hatoba.store import Store

T = TypeVar("T")


class ControlPlane:
    """`strict`: check every answer and error of the rooms against the models (in tests)."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        ids: Ids,
        pager: Pager,
        rooms: Iterable[Service],
        identities: Identities,
        authorizer: Authorizer,
        auditor: Auditor | None = None,
        settings: Settings | None = None,
        strict: bool = False,
    ) -> None:
        self.store = store
        self.clock = clock
        self.ids = ids
        self.pager = pager
        self.metrics = Metrics()
        self.operations = Operations(rooms, store, authorizer, auditor or NothingKept(), self.metrics, strict=strict)
        settings = settings or Settings()
        self.path = Path(self, self.operations, identities, self.metrics, settings)
        self.visitors = Visitors(self, self.operations, identities, settings)
        self._provided: dict[type, object] = {Memberships: ALONE}

    def provide(self, kind: type[T], thing: T) -> None:
        """An engine or a setting, for `get`."""
        self._provided[kind] = thing

    def get(self, kind: type[T]) -> T:
        try:
            return cast(T, self._provided[kind])
        except KeyError:
            raise LookupError(f"nothing provides {kind.__name__} here") from None

    def demand(self, call: Call, needs: Iterable[Need]) -> None:
        self.operations.demand(call, needs)

    def witness(self, call: Call, params: Mapping[str, Any]) -> Witness:
        return self.operations.witness(call, params)

    def serves(self, service: str, operation: str = "") -> bool:
        room = self.operations.services.get(service)
        return room is not None and (not operation or room.handler(operation) is not None)

    def door(
        self,
        scope: Scope,
        service: str,
        principal: Principal | None = None,
        *,
        via: tuple[str, ...] = (),
        source: str = "",
    ) -> Door:
        return LocalDoor(
            self,
            self.operations,
            scope=scope,
            principal=principal or access.service_role(scope, service),
            by=service,
            via=via,
            source=source,
        )
