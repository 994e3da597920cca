"""Carries out lifecycle policies: soon after one is put, and every hour from then on.

AWS promises a day. The time of the last evaluation is a record, so a restart neither forgets nor repeats one.
"""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.core.clock import Clock
from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.reconcile import Wake
from hatoba.services.ecr import model
from hatoba.services.ecr.model import LifecyclePolicy, lifecycle_policies
from hatoba.services.ecr.plan.lifecycle import Candidate, expiring, parse
from hatoba.store import Store
from hatoba.store.store import View

PERIOD = 3600.0  # seconds between two evaluations


class Lifecycle:
    """A controller: one key for each repository that has a policy."""

    name = "ecr.lifecycle"
    wakes = (Wake(lifecycle_policies, lambda change: [change.key]),)

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def keys(self) -> Iterable[Key]:
        return [policy.key for policy in self._store.all(lifecycle_policies)]

    async def reconcile(self, key: Key) -> float | None:
        record = self._store.get(lifecycle_policies, key)
        if record is None:
            return None
        now = self._clock.now()
        if record.evaluated is not None and now < record.evaluated + PERIOD:
            return record.evaluated + PERIOD
        with self._store.tx() as tx:
            for expiry in expiring(parse(record.text), candidates(tx, record), now):
                image = model.find_image(tx, record.scope, record.id, expiry.image.digest)
                if image is not None:
                    model.delete_image(tx, image)
            tx.put(lifecycle_policies, replace(record, evaluated=now))
        return now + PERIOD


def candidates(view: View, repository: LifecyclePolicy | model.Repository) -> list[Candidate]:
    scope, name = repository.scope, repository.id
    return [
        Candidate(
            digest=image.digest,
            tags=tuple(model.tags_of(view, image)),
            pushed=image.pushed,
            pulled=image.pulled,
            listed=bool(view.count(model.images, "refers", (scope, name, image.digest))),
        )
        for image in model.images_of(view, scope, name)
    ]
