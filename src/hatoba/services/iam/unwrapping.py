"""SAML providers' private keys at work, for the gateway's port of that name."""

from __future__ import annotations

from functools import partial

from hatoba.core import arn as arns
from hatoba.gateway.access import Unwrap
from hatoba.services.iam.model import SAML
from hatoba.services.iam.plan import samlkeys
from hatoba.store import Store


class Unwrapping:
    """Implements `gateway.access.SamlKeys`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, provider: str) -> Unwrap:
        parsed = arns.parse(provider)
        found = SAML.find(self._store, parsed.scope, provider.rpartition("/")[2]) if parsed is not None else None
        keys = found.keys if found is not None and SAML.arn(found) == provider else ()
        return partial(samlkeys.unwrapped, [each.key.reveal() for each in keys])
