"""The keys of closed accounts do not work: for the gateway's signature check, around those who know keys."""

from __future__ import annotations

from typing import cast

from hatoba.aws.sigv4 import Credential
from hatoba.gateway.access import Identities
from hatoba.gateway.call import Principal
from hatoba.services.organizations.model import find_account
from hatoba.store.store import View


class OfOpenAccounts:
    """Implements `gateway.access.Identities`."""

    def __init__(self, view: View, known: Identities) -> None:
        self._view = view
        self._known = known

    def find(self, access_key_id: str) -> Credential | None:
        found = self._known.find(access_key_id)
        if found is None:
            return None
        who = cast(Principal, found.principal)
        account = find_account(self._view, who.arn.split(":", 2)[1], who.account)
        return found if account is None or account.closed is None else None
