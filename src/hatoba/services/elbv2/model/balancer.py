"""Load balancers. `fleet.balancers` and `fleet.zones` hold what the nodes act upon; see `carried`."""

from __future__ import annotations

from typing import Literal

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.services.elbv2.model import arns
from hatoba.store import Index, Table
from hatoba.store.store import View

Kind = Literal["application", "network", "gateway"]
State = Literal["provisioning", "active", "active_impaired", "failed"]
Scheme = Literal["internet-facing", "internal"]
IpType = Literal["ipv4", "dualstack", "dualstack-without-public-ipv4"]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A subnet that the load balancer is to have an interface in. `token` makes creating that interface repeatable.
    A network load balancer may be given its addresses: the private one or an elastic one's allocation; one of IPv6, and
    a prefix (/80) of those."""

    subnet: str
    zone: str
    token: str
    address: str = ""
    allocation: str = ""
    address6: str = ""
    prefix6: str = ""


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """An interface that was created for it."""

    subnet: str
    id: str
    address: str
    public: str | None = None
    groups: tuple[str, ...] = ()
    address6: str | None = None
    prefix6: str | None = None


class LoadBalancer(Record, frozen=True, kw_only=True):
    """`deleting`: the API no longer knows it; the controller takes down what it has and forgets it."""

    name: str
    kind: Kind = "application"
    number: str  # in its DNS name
    scheme: Scheme
    ip_type: IpType = "ipv4"
    prefixes: bool = False  # it has one in each subnet, from which clients of IPv4 are spoken for by datagrams
    vpc: str
    places: tuple[Place, ...]
    groups: tuple[str, ...]  # security groups; a network load balancer may have none: then it is open to all
    attributes: dict[str, str] = msgspec.field(default_factory=dict)  # those that were set
    private_link: bool = True  # groups count for what comes by PrivateLink, too: told, as nothing comes that way here
    created: float = 0.0
    deleting: bool = False
    interfaces: tuple[Interface, ...] = ()  # the controller only
    state: State = "provisioning"  # the controller only
    reason: str = ""  # the controller only

    @property
    def arn(self) -> str:
        return arns.make(self.scope, arns.LOAD_BALANCER, self.id)

    @property
    def dns_name(self) -> str:
        if self.kind == "network":
            return f"{self.name}-{self.number}.elb.{self.key.region}.amazonaws.com"
        prefix = "internal-" if self.scheme == "internal" else ""
        return f"{prefix}{self.name}-{self.number}.{self.key.region}.elb.amazonaws.com"

    @property
    def description(self) -> str:
        """Of its interfaces."""
        return f"ELB {self.id}"

    @property
    def attached(self) -> tuple[Interface, ...]:
        """The interfaces in the subnets that are wanted, in the order of these."""
        by_subnet = {interface.subnet: interface for interface in self.interfaces}
        return tuple(by_subnet[place.subnet] for place in self.places if place.subnet in by_subnet)

    @property
    def attached_zones(self) -> tuple[str, ...]:
        """The zones of `attached`."""
        zone_of = {place.subnet: place.zone for place in self.places}
        return tuple(zone_of[interface.subnet] for interface in self.attached)

    @property
    def zones(self) -> frozenset[str]:
        return frozenset(place.zone for place in self.places)

    @property
    def dual(self) -> bool:
        """It has addresses of both families."""
        return self.ip_type != "ipv4"

    @property
    def public4(self) -> bool:
        """It has public IPv4 addresses."""
        return self.scheme == "internet-facing" and self.ip_type != "dualstack-without-public-ipv4"

    @property
    def addresses(self) -> tuple[tuple[str, str], ...]:
        """At which it listens, each with its zone: those of IPv4 first."""
        zoned = tuple(zip(self.attached, self.attached_zones, strict=True))
        six = tuple((one.address6, zone) for one, zone in zoned if one.address6 is not None)
        return (*((one.address, zone) for one, zone in zoned), *six)

    @property
    def complete(self) -> bool:
        return len(self.attached) == len(self.places)


load_balancers = Table(
    "elbv2.load_balancers",
    LoadBalancer,
    indexes=(
        Index("name", lambda balancer: None if balancer.deleting else (balancer.scope, balancer.name)),
        Index("id", lambda balancer: balancer.id),
    ),
)


def named(view: View, scope: Scope, name: str) -> LoadBalancer | None:
    found = view.index(load_balancers, "name", (scope, name))
    return found[0] if found else None


def by_arn(view: View, arn: str) -> LoadBalancer | None:
    """None when there is none, or it is being deleted."""
    parsed = arns.parse(arn)
    if parsed is None or parsed[1] != arns.LOAD_BALANCER:
        return None
    found = view.find(load_balancers, parsed[0], parsed[2])
    return None if found is None or found.deleting else found
