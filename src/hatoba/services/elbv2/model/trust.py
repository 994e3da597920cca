"""Trust stores: authorities whose certificates clients may show, and what these have revoked."""

from __future__ import annotations

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.services.elbv2.model import arns
from hatoba.store import Index, Table
from hatoba.store.store import View


class Revocation(msgspec.Struct, frozen=True, kw_only=True):
    """A list that was added. `id` is the trust store's own numbering."""

    id: int
    content: str  # PEM
    entries: int


class TrustStore(Record, frozen=True, kw_only=True):
    name: str
    bundle: str  # PEM
    authorities: int  # in it
    revocations: tuple[Revocation, ...] = ()
    numbered: int = 0  # revocations so far

    @property
    def arn(self) -> str:
        return arns.make(self.scope, arns.TRUST_STORE, self.id)

    @property
    def entries(self) -> int:
        return sum(each.entries for each in self.revocations)


trust_stores = Table(
    "elbv2.trust_stores", TrustStore, indexes=(Index("name", lambda store: (store.scope, store.name)),)
)


def trust_store_named(view: View, scope: Scope, name: str) -> TrustStore | None:
    found = view.index(trust_stores, "name", (scope, name))
    return found[0] if found else None


def trust_store_by_arn(view: View, arn: str) -> TrustStore | None:
    parsed = arns.parse(arn)
    if parsed is None or parsed[1] != arns.TRUST_STORE:
        return None
    return view.find(trust_stores, parsed[0], parsed[2])
