"""When keys, users and roles were used last, and for which service.

Told by the gateway at the end of each call, before the trail that keeps every call is: to ask that trail would be to go
through months. A use is noted once in a quarter of an hour: AWS says as much of its own figures. What was refused is
not noted, so that a refused call changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hatoba.core.clock import Clock
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.gateway.audit import Asked, Auditor
from hatoba.gateway.call import Principal
from hatoba.services.iam import model
from hatoba.services.iam.model import Used
from hatoba.store import Store, Tx
from hatoba.store.store import View

GRAIN = 900.0  # seconds
_MOST = 100_000  # that are remembered as noted


class Usage:
    """Implements `gateway.audit.Auditor`, in front of another."""

    def __init__(self, store: Store, clock: Clock, then: Auditor) -> None:
        self._store = store
        self._clock = clock
        self._then = then
        self._noted: dict[tuple[str, str, str], float] = {}

    def writes(self, asked: Asked, tx: Tx) -> None:
        self._then.writes(asked, tx)

    def ended(self, asked: Asked, result: Mapping[str, Any] | None, error: AwsError | None, seconds: float) -> None:
        self._then.ended(asked, result, error, seconds)
        if result is None:
            return
        principal, service = asked.call.principal, asked.access.prefix
        now = self._clock.now()
        for subject in subjects(principal):
            which = (principal.account, subject, service)
            if now - self._noted.get(which, 0.0) >= GRAIN:
                if len(self._noted) >= _MOST:
                    self._noted.clear()
                self._noted[which] = now
                self._note(asked.call.scope._replace(account=principal.account), subject, service, now)

    def _note(self, scope: Scope, subject: str, service: str, now: float) -> None:
        key = model.uses.key(scope.everywhere(), subject)
        with self._store.tx() as tx:
            known = tx.get(model.uses, key) or model.Uses(key=key, services={})
            used = Used(now, scope.region)
            tx.put(model.uses, replace(known, services={**known.services, service: used}))


def subjects(principal: Principal) -> Iterator[str]:
    """Whose use it is: the key's that is somebody's own, and the user's or the role's."""
    if principal.kind in ("root", "user") and principal.session is None and principal.access_key is not None:
        yield principal.access_key
    if principal.kind in ("user", "role"):
        yield principal.id.partition(":")[0]


def last(view: View, scope: Scope, subject: str) -> tuple[str, Used] | None:
    """The service that was used last, and when."""
    known = view.find(model.uses, scope.everywhere(), subject)
    return max(known.services.items(), key=lambda item: item[1].at) if known is not None else None


def forget(tx: Tx, scope: Scope, subject: str) -> None:
    tx.forget(model.uses, model.uses.key(scope.everywhere(), subject))
