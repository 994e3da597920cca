"""Certificates that were issued here are renewed before they expire, as long as something shows them."""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.core.keys import Key
from hatoba.fleet import model as fleet
from hatoba.gateway.call import Platform
from hatoba.reconcile import Wake
from hatoba.services.acm.issuing import renew
from hatoba.services.acm.model import RENEW_BEFORE, certificates, users_of
from hatoba.store import Change


class Renewals:
    name = "acm.renewals"

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._store = platform.store
        self.wakes = (
            Wake(certificates, lambda change: (change.key,)),
            Wake(fleet.balancers, self._shown),
        )

    def keys(self) -> Iterable[Key]:
        return [record.key for record in self._store.all(certificates)]

    @staticmethod
    def _shown(change: Change[fleet.Balancer]) -> Iterable[Key]:
        """Those that a load balancer begins to show may be due already."""
        before, after = change.before, change.after
        if after is None or (before is not None and before.certificates == after.certificates):
            return ()
        return [certificates.key(after.scope, id_) for id_ in after.certificates]

    async def reconcile(self, key: Key) -> float | None:
        record = self._store.get(certificates, key)
        if record is None or record.origin != "AMAZON_ISSUED" or not users_of(self._store, record):
            return None
        due = record.facts.not_after - RENEW_BEFORE
        if self._platform.clock.now() < due:
            return due
        await renew(self._platform, record)
        return None  # it has changed, and wakes us itself
