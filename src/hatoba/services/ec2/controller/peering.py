"""What time does to a peering connection: one that nobody accepts expires, one that has ended is forgotten."""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.core.keys import Key
from hatoba.gateway.call import Platform
from hatoba.gateway.tags import forget_tags
from hatoba.reconcile import Wake
from hatoba.services.ec2.model.arns import arn
from hatoba.services.ec2.model.peering import ended, peerings, put_peering, scope_of


class PeeringController:
    name = "ec2.peerings"
    wakes = (Wake(peerings, lambda change: (change.key,)),)

    def __init__(self, platform: Platform) -> None:
        self._store = platform.store
        self._clock = platform.clock

    def keys(self) -> Iterable[Key]:
        return [peering.key for peering in self._store.all(peerings)]

    async def reconcile(self, key: Key) -> float | None:
        peering = self._store.get(peerings, key)
        now = self._clock.now()
        if peering is None or peering.until is None or now < peering.until:
            return None if peering is None else peering.until
        with self._store.tx() as tx:
            if peering.state == "pending-acceptance":
                put_peering(tx, ended(peering, "expired", "Expired", now))
                return None  # its change wakes us again
            for side in (peering.requester, peering.accepter):
                scope = scope_of(peering, side)
                forget_tags(tx, scope, arn(scope, peering.id))
            tx.forget(peerings, key)
        return None
