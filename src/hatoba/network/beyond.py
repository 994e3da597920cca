"""What lies beyond a VPC, in the words of the port (`base`): routes by subnet, NAT gateways, peered VPCs,
endpoints of the platform."""

from __future__ import annotations

from typing import Literal

import msgspec

HTTP, HTTPS = 80, 443  # at which endpoints are asked


class Guest(msgspec.Struct, frozen=True, kw_only=True):
    """An interface or address of a peered VPC, as far as it is a member of groups that rules here name."""

    address: str | None
    groups: tuple[str, ...]
    address6: str | None = None
    further: tuple[str, ...] = ()  # addresses and blocks, as of an interface


class Instance(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A port of a node as a load balancer reaches it: at `Settings.host_address` of this node, else at the node's own
    address. Only the router itself gets there, whatever routes say; tasks do not. `hears`: another node is told of its
    entries (`Entry`); to one that is not, no client's address goes, and balancers are seen as this node there."""

    address: str
    port: int
    protocol: Literal["tcp", "udp"] = "tcp"
    hears: bool = False


class Front(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A target that a balancer here speaks to under its clients' addresses: a holder of the address, or the port of a
    node that is named as such (`Instance`). `balancer` is its own (first) IPv4 address: its groups have to let it out.

    `source`: the IPv6 address that clients of IPv4 have there, whose datagrams the router sends under one of its own.
    """

    address: str
    port: int
    balancer: str
    protocol: Literal["tcp", "udp"] = "tcp"
    source: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A port of this node that a balancer of the VPC on another node speaks to under its clients' addresses. `balancer`
    is its address, as peers tell it."""

    port: int
    balancer: str
    protocol: Literal["tcp", "udp"] = "tcp"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Beyond the VPC, to a network: outside as oneself, through a NAT gateway, into a peered VPC, or nowhere.

    `target` is the gateway's id, or the peered VPC's.
    """

    to: str
    kind: Literal["outside", "nat", "peering", "closed"]
    target: str = ""


class Subnet(msgspec.Struct, frozen=True, kw_only=True):
    """How what comes from these blocks finds its way: by the longest route that fits, or nowhere.

    `platform`: the host's services are reached whatever the routes say.
    """

    blocks: tuple[str, ...]
    routes: tuple[Route, ...] = ()
    platform: bool = True


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """A NAT gateway: on one node of all, whose routers the others send to.

    What leaves through it goes on by the routes of the gateway's own subnet: to the outside with its public address (if
    it has one, else nowhere), to peered VPCs with its private one.
    """

    id: str
    address: str
    public: str | None = None
    node: str = ""  # underlay address of the node that has it; "": this one


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An address of the VPC at which its tasks reach the platform, as far as the address's own groups let them in.

    Every router has all of its VPC's: what is sent there becomes, on the node that it comes from, the router's own
    service for endpoints.
    """

    address: str
    groups: tuple[str, ...] = ()


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """The platform's place outside of the VPC that tasks ask it at by TCP. Where a VPC has a gate, what its tasks send
    there becomes the router's own service for endpoints, as far as their groups and network ACLs let it out to that
    place; who serves it knows who asks. All else takes the way that it always took.
    """

    address: str
    port: int


class Routing(msgspec.Struct, frozen=True, kw_only=True):
    """A source that is in no subnet here goes outside. `peerings` are the VPCs there is a way to, if both say so."""

    subnets: tuple[Subnet, ...] = ()
    gateways: tuple[Gateway, ...] = ()
    peerings: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    gate: Gate | None = None
