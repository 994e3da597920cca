"""VPC peering connections: two VPCs that know each other, of whatever accounts and regions.

The record is the requester's; the accepter finds it by its side. Traffic flows once it is active and as far as routes
on both sides lead to it. One that has ended is shown for a while.

Source: the VPC peering guide, "VPC peering connection lifecycle".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from typing import Literal

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record, replace
from hatoba.fleet import model as fleet
from hatoba.services.ec2.model.errors import not_found
from hatoba.services.ec2.model.network import Vpc, vpcs
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View

SHOWN = 7200.0  # seconds for which one is shown that has failed, expired or was rejected or deleted
ASKED = 7 * 24 * 3600.0  # for which it waits to be accepted

State = Literal["pending-acceptance", "active", "deleted", "rejected", "failed", "expired"]
LIVE = ("pending-acceptance", "active")


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """A VPC with its blocks, of both families, as they were when it was asked for or accepted; `present` knows them as
    they are."""

    vpc: str
    account: str
    region: str
    cidrs: tuple[str, ...] = ()

    def of_family(self, version: Literal[4, 6]) -> list[str]:
        return [cidr for cidr in self.cidrs if (":" in cidr) == (version == 6)]


class Peering(Record, frozen=True, kw_only=True):
    requester: Side
    accepter: Side
    state: State
    words: str
    until: float | None  # when it expires, or is forgotten

    @property
    def vpcs(self) -> tuple[str, str]:
        return self.requester.vpc, self.accepter.vpc

    def side(self, scope: Scope) -> Iterator[Side]:
        return (s for s in (self.requester, self.accepter) if (s.account, s.region) == (scope.account, scope.region))


def _sides(peering: Peering) -> set[tuple[str, str, str]]:
    return {(peering.key.partition, side.account, side.region) for side in (peering.requester, peering.accepter)}


peerings = Table(
    "ec2.peerings",
    Peering,
    indexes=(
        Index("id", lambda peering: peering.key.id),
        Index("side", _sides, many=True),
        Index("vpc", lambda peering: peering.vpcs if peering.state in LIVE else (), many=True),
    ),
)


def peerings_of(view: View, scope: Scope) -> list[Peering]:
    """Those in which the account takes part, on either side."""
    return list(view.index(peerings, "side", (scope.partition, scope.account, scope.region)))


def the_peering(view: View, scope: Scope, id_: str) -> Peering:
    for peering in view.index(peerings, "id", id_):
        if any(peering.side(scope)):
            return peering
    raise not_found(id_, "pcx")


def scope_of(peering: Peering, side: Side) -> Scope:
    return Scope(peering.key.partition, side.account, side.region)


def found(view: View, peering: Peering, side: Side) -> Vpc | None:
    return view.find(vpcs, scope_of(peering, side), side.vpc)


def present(view: View, peering: Peering) -> Peering:
    """While it lives, with the blocks that both VPCs have now: they may have been given more."""
    if peering.state not in LIVE:
        return peering
    sides = []
    for side in (peering.requester, peering.accepter):
        vpc = found(view, peering, side)
        sides.append(side if vpc is None else replace(side, cidrs=vpc.all_cidrs))
    return replace(peering, requester=sides[0], accepter=sides[1])


def overlap(one: Iterable[str], other: Iterable[str]) -> bool:
    networks = [ip_network(cidr) for cidr in other]
    for cidr in one:
        network = ip_network(cidr)
        if any(network.version == far.version and network.overlaps(far) for far in networks):
            return True
    return False


def between(view: View, one: str, other: str) -> Peering | None:
    """The active one of two VPCs."""
    return next((p for p in view.index(peerings, "vpc", one) if p.state == "active" and other in p.vpcs), None)


def state_of(view: View, id_: str) -> State:
    """Of one that may have been forgotten since."""
    return next((peering.state for peering in view.index(peerings, "id", id_)), "deleted")


def beyond(peering: Peering, vpc: str) -> str:
    """The other VPC."""
    return peering.vpcs[1] if peering.vpcs[0] == vpc else peering.vpcs[0]


def put_peering(tx: Tx, peering: Peering) -> Peering:
    """Writes it, and whether the two networks know each other. Routes to it have to be looked at after that."""
    known = tx.find(fleet.peerings, peering.scope, peering.id)
    if peering.state == "active" and known is None:
        tx.put(fleet.peerings, fleet.Peering(key=fleet.peerings.key(peering.scope, peering.id), networks=peering.vpcs))
    if peering.state != "active" and known is not None:
        tx.forget(fleet.peerings, known.key)
    return tx.put(peerings, peering)


def ended(peering: Peering, state: State, words: str, now: float) -> Peering:
    return replace(peering, state=state, words=words, until=now + SHOWN)
