"""NAT gateways: what lets a private subnet out and nobody in.

One is on one node, which the controller chooses (`fleet.gateways`); it is available from then on. One that was deleted
is shown for an hour, as EC2 does.
"""

from __future__ import annotations

from typing import Literal

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.fleet import model as fleet
from hatoba.services.ec2.model.errors import not_found
from hatoba.store import Index, Table
from hatoba.store.store import View

SHOWN = 3600.0  # seconds after its end


class NatGateway(Record, frozen=True, kw_only=True):
    """`address`, `public`: as they were given, to be told when they are gone, too."""

    vpc: str
    subnet: str
    connectivity: Literal["public", "private"] = "public"
    interface: str | None = None  # None: it has failed
    address: str = ""
    public: str = ""
    allocation: str | None = None
    created: float = 0.0
    failure: tuple[str, str] | None = None  # code and words
    ended: float | None = None  # deleted, or failed


nat_gateways = Table(
    "ec2.nat_gateways",
    NatGateway,
    indexes=(
        Index("vpc", lambda gateway: gateway.vpc),
        Index("live", lambda gateway: gateway.vpc if gateway.ended is None else None),
        Index("interface", lambda gateway: gateway.interface if gateway.ended is None else None),
    ),
)


def the_nat_gateway(view: View, scope: Scope, id_: str) -> NatGateway:
    gateway = view.find(nat_gateways, scope, id_)
    if gateway is None:
        raise not_found(id_, "nat")
    return gateway


def carried(view: View, gateway: NatGateway) -> fleet.Gateway | None:
    return view.find(fleet.gateways, gateway.scope, gateway.id)
