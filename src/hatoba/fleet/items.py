"""What a node is told, as it travels: the bodies of items. Which node is told what is in `needed`.

A workload's item is its record (`model.Workload`). A field that is new needs a default: an agent may be older than its
control plane, or newer.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hatoba.core.secret import Secret
from hatoba.fleet import model as m


class GatewayPart(m.Part, frozen=True, kw_only=True):
    """A NAT gateway of a network; `node` is the address of the node that has it, "" for this one."""

    id: str
    address: str
    public: str | None
    node: str


class EntryPart(m.Part, frozen=True, kw_only=True):
    """A port of this node to which a load balancer of another one speaks under its clients' addresses."""

    balancer: str
    port: int
    protocol: Literal["tcp", "udp"]


class NetworkItem(m.Part, frozen=True, kw_only=True):
    cidrs: tuple[str, ...]
    vni: int
    resolver: str
    region: str = ""
    acls: tuple[m.Acl, ...] = ()
    dns: bool = True
    hostnames: bool = True
    domain: str = ""
    servers: tuple[str, ...] | None = None
    subnets: tuple[m.Subnet, ...] = ()
    gateways: tuple[GatewayPart, ...] = ()
    peerings: tuple[str, ...] = ()
    endpoints: tuple[m.Endpoint, ...] = ()
    entries: tuple[EntryPart, ...] = ()
    gated: bool = False

    @property
    def nameservers(self) -> tuple[str, ...]:
        """Whom tasks ask for names."""
        return (self.resolver,) if self.servers is None else self.servers


class InterfaceItem(m.Part, frozen=True, kw_only=True):
    """`balancer`: the address belongs to the router, for a proxy to listen on; else it is a workload's own. `open`:
    whatever its groups say, everything passes. `address`, `gateway`, `prefix` are "" where it has IPv6 only."""

    network: str
    address: str
    mac: str
    gateway: str
    prefix: str
    groups: tuple[str, ...]
    public: str | None
    egress: bool
    balancer: bool
    open: bool = False
    further: tuple[str, ...] = ()  # secondary addresses, and blocks
    publics: tuple[tuple[str, str], ...] = ()  # (private, public)
    address6: str | None = None
    prefix6: str | None = None
    egress6: m.Egress6 = "none"


class PolicyItem(m.Part, frozen=True, kw_only=True):
    network: str
    ingress: tuple[m.Rule, ...]
    egress: tuple[m.Rule, ...]


class PeerItem(m.Part, frozen=True, kw_only=True):
    """An interface of one of the node's networks that another node holds."""

    network: str
    address: str
    node: str
    groups: tuple[str, ...]
    further: tuple[str, ...] = ()
    address6: str | None = None
    fronting: bool = False  # a load balancer's, which speaks to targets under its clients' addresses


class PublicItem(m.Part, frozen=True, kw_only=True):
    """The public addresses of an interface that another node holds."""

    address: str
    node: str
    further: tuple[str, ...] = ()


class CredentialItem(m.Part, frozen=True, kw_only=True):
    workload: str
    role: str
    access_key: str
    secret_key: Secret
    token: Secret
    expires: float


class CertificateShown(m.Part, frozen=True, kw_only=True):
    """PEM, all of it."""

    id: str
    chain: str
    private_key: Secret


class BalancerItem(m.Part, frozen=True, kw_only=True):
    """`version` is what the node reports back once the spec is in force."""

    network: str
    interfaces: tuple[str, ...]
    spec: bytes
    version: int
    certificates: tuple[CertificateShown, ...] = ()
    nodes: dict[str, str] = msgspec.field(default_factory=dict)  # those that are targets, and where; "": this one
    hearing: tuple[str, ...] = ()  # of these, the other ones that let it in under its clients' addresses
    secrets: dict[str, Secret] = msgspec.field(default_factory=dict)


class ZoneItem(m.Part, frozen=True, kw_only=True):
    network: str
    addresses: tuple[str, ...]
    ttl: int
