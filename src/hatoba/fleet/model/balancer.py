"""Load balancers on nodes, and the health of their targets."""

from __future__ import annotations

from typing import Literal

import msgspec

from hatoba.core.records import Record
from hatoba.core.secret import Secret
from hatoba.fleet.model.part import Part
from hatoba.store import Index, Table


class Entry(Part, frozen=True, kw_only=True):
    """A port of a node to which a load balancer speaks under its clients' addresses; `balancer` is its own address."""

    node: str
    balancer: str
    port: int
    protocol: Literal["tcp", "udp"] = "tcp"


class Balancer(Record, frozen=True, kw_only=True):
    """A load balancer on a node. Writer: the `elbv2` room.

    `spec` is the proxy engine's `Wanted` (one balancer and its groups) as MessagePack: fleet carries it unread.
    """

    node: str
    network: str
    interfaces: tuple[str, ...]
    groups: tuple[str, ...] = ()  # the target groups in `spec`: whose targets' health the node may report
    targets: tuple[
        str, ...
    ] = ()  # the nodes of which ports are targets in `spec`: the node gets their addresses with it
    entries: tuple[Entry, ...] = ()  # of these, on what they have to let in, wherever the balancer is
    certificates: tuple[str, ...] = ()  # ids of those that `spec` names: the node gets them with it
    spec: bytes = b""
    open: bool = False  # no security group guards its interfaces
    inside: bool = False  # by IPv6 nothing from outside of the network comes to them, whatever their subnets' routes
    fronting: bool = False  # it speaks to targets under its clients' addresses: other nodes know it by that
    secrets: dict[str, Secret] = msgspec.field(default_factory=dict)  # what `spec` speaks of and must not say


class BalancerStatus(Record, frozen=True, kw_only=True):
    """What the node says of a balancer; same id, in the scope `FLEET`. Writer: fleet.

    `applied` is the version of `Balancer` in force. `report` counts the node's reports, as for workloads.
    """

    node: str
    applied: int = 0
    error: str = ""
    report: int = 0


class TargetStatus(Record, frozen=True, kw_only=True):
    """A target's health, in the scope `FLEET`; the id is `target_id(group, target)`. Writer: fleet.

    Who wanted the target (`elbv2`) forgets it with the target.
    """

    group: str
    target: str
    state: str
    reason: str = ""
    text: str = ""
    at: float = 0.0
    node: str = ""
    report: int = 0


def target_id(group: str, target: str) -> str:
    return f"{group}|{target}"


balancers = Table(
    "fleet.balancers",
    Balancer,
    indexes=(
        Index("id", lambda b: b.key.id),
        Index("node", lambda b: b.node),
        Index("interface", lambda b: b.interfaces, many=True),
        Index("group", lambda b: b.groups, many=True),
        Index("certificate", lambda b: tuple((*b.scope, id_) for id_ in b.certificates), many=True),
        Index("shown", lambda b: tuple((b.key.account, id_) for id_ in b.certificates), many=True),
        Index("target", lambda b: b.targets, many=True),
        Index("node_network", lambda b: (b.node, b.network)),
        Index("entered", lambda b: tuple(dict.fromkeys((e.node, b.network) for e in b.entries)), many=True),
    ),
)
balancer_statuses = Table("fleet.balancer_statuses", BalancerStatus)
target_statuses = Table("fleet.target_statuses", TargetStatus, indexes=(Index("group", lambda t: t.group),))
