"""The keys of closed accounts do not work: for the gateway's signature check, around those who know keys."""

from __future__ import annotations

from typing import cast

from hatoba.aws.sigv4 import Credential
from hatoba.gateway.access import Identities
from hatoba.gateway.call import Principal
from hatoba.services.organizations.model import accounts
from hatoba.store.store import View


class OfOpenAccounts:
    """Implements `gateway.access.Identities`."""

    def __init__(self, view: View, known: Identities) -> None:
        self._view = view
        self._known = known
        self._closed: frozenset[tuple[str, str]] = frozenset()  # (partition, number)
        self._as_of = -1

    def find(self, access_key_id: str) -> Credential | None:
        found = self._known.find(access_key_id)
        if found is None:
            return None
        if self._view.changes(accounts) != self._as_of:
            self._look()
        if not self._closed:  # nearly always, and asked for every request
            return found
        who = cast("Principal", found.principal)
        return None if (who.arn.split(":", 2)[1], who.account) in self._closed else found

    def _look(self) -> None:
        self._as_of = self._view.changes(accounts)
        closed = (account for account in self._view.all(accounts) if account.closed is not None)
        self._closed = frozenset((account.key.partition, account.id) for account in closed)
