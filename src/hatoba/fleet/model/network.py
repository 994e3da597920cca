"""Networks, interfaces and the rules between them: all of them the `ec2` room's."""

from __future__ import annotations

from hatoba.core.records import Record
from hatoba.fleet.model.part import Part
from hatoba.store import Index, Table


class Rule(Part, frozen=True, kw_only=True):
    """Allows traffic with networks or members of groups. Ports as in the network engine; None is all."""

    protocol: str = "any"
    from_port: int | None = None
    to_port: int | None = None
    cidrs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class AclRule(Rule, frozen=True, kw_only=True):
    """An entry of a network ACL, which says yes or no."""

    allow: bool = False


class Border(Part, frozen=True, kw_only=True):
    """A subnet with its blocks."""

    subnet: str
    cidrs: tuple[str, ...]


class Acl(Part, frozen=True, kw_only=True):
    """A network ACL that filters something, with the subnets that follow it. Rules in the order in which they count."""

    id: str
    borders: tuple[Border, ...]
    ingress: tuple[AclRule, ...] = ()
    egress: tuple[AclRule, ...] = ()


class Network(Record, frozen=True, kw_only=True):
    """A VPC. Writer: the `ec2` room."""

    cidrs: tuple[str, ...]
    vni: int
    resolver: str  # base + 2
    acls: tuple[Acl, ...] = ()
    dns: bool = True  # the resolver answers
    hostnames: bool = True  # it knows the names that addresses have by themselves
    domain: str = ""  # where tasks look for short names; "": nowhere
    servers: tuple[str, ...] | None = None  # whom tasks ask for names; None: the resolver


class Interface(Record, frozen=True, kw_only=True):
    """A network interface. Writer: the `ec2` room, which also allocates addresses."""

    network: str
    subnet: str
    address: str
    mac: str
    gateway: str
    prefix: str  # the subnet's block
    groups: tuple[str, ...] = ()
    public: str | None = None  # of the instance's pool
    egress: bool = False  # its subnet's routes lead outside


class PolicySet(Record, frozen=True, kw_only=True):
    """A security group's rules. Writer: the `ec2` room."""

    network: str
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()


networks = Table("fleet.networks", Network)
interfaces = Table(
    "fleet.interfaces",
    Interface,
    indexes=(
        Index("network", lambda i: (i.key.partition, i.key.account, i.key.region, i.network)),
        Index("subnet", lambda i: i.subnet),
        Index("public", lambda i: i.public),
        Index("has_public", lambda i: True if i.public else None),
        Index("group", lambda i: i.groups, many=True),
        Index("address", lambda i: (i.key.partition, i.key.account, i.key.region, i.network, i.address)),
    ),
)
policy_sets = Table(
    "fleet.policy_sets",
    PolicySet,
    indexes=(Index("network", lambda p: (p.key.partition, p.key.account, p.key.region, p.network)),),
)
