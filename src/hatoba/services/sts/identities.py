"""Sessions, for the gateway's signature check."""

from __future__ import annotations

from hatoba.aws.sigv4 import Credential
from hatoba.fleet.model import workloads
from hatoba.services.sts.model import EVERYWHERE, sessions
from hatoba.store import Store


class Sessions:
    """Implements `gateway.access.Identities`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, access_key_id: str) -> Credential | None:
        """None also for the session of a workload that is no more: a task's credentials end with the task."""
        session = self._store.find(sessions, EVERYWHERE, access_key_id)
        if session is None:
            return None
        if session.workload is not None and self._store.get(workloads, session.workload) is None:
            return None
        return Credential(
            access_key_id=access_key_id,
            secret=session.secret.reveal(),
            token=session.token.reveal(),
            expires=session.expires,
            principal=session.principal,
        )
