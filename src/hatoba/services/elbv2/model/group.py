"""Target groups and their targets. The fleet knows a group by its ARN and a target by `Target.name`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.services.elbv2.model import arns
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View

Protocol = Literal["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE"]
CheckProtocol = Literal["HTTP", "HTTPS", "TCP"]
TargetKind = Literal["instance", "ip", "alb"]
Version = Literal["HTTP1", "HTTP2", "GRPC"]

TRAFFIC_PORT = "traffic-port"
ANYWHERE = "all"  # the zone of an address outside of the VPC


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds and counts; `codes` as they were written: `200,202` or `200-299` (gRPC: of its own statuses)."""

    enabled: bool = True
    protocol: CheckProtocol = "HTTP"
    port: str = TRAFFIC_PORT
    path: str = "/"
    interval: int = 30
    timeout: int = 5
    healthy: int = 5
    unhealthy: int = 2
    codes: str = "200"


class TargetGroup(Record, frozen=True, kw_only=True):
    name: str
    kind: TargetKind = "ip"
    protocol: Protocol
    speaks: Version = "HTTP1"
    ip_type: Literal["ipv4", "ipv6"] = "ipv4"
    port: int
    vpc: str
    check: HealthCheck
    attributes: dict[str, str] = msgspec.field(default_factory=dict)  # those that were set
    created: float = 0.0

    @property
    def arn(self) -> str:
        return arns.make(self.scope, arns.TARGET_GROUP, self.id)


class Target(Record, frozen=True, kw_only=True):
    """`draining_until`: deregistered, and dropped at that time. `registration` is new each time it is registered."""

    group: str  # id
    address: str  # by which it was registered: an IP address, an instance's id, a load balancer's ARN
    port: int
    zone: str  # or ANYWHERE
    registration: str
    draining_until: float | None = None

    @property
    def name(self) -> str:
        """In the fleet. What was found out about an earlier registration is never taken for this one's."""
        return f"{self.address}:{self.port}:{self.registration}"

    def within(self, zones: Collection[str]) -> bool:
        """It can be reached by a load balancer in these zones: others get nothing, even if they could be reached."""
        return self.zone == ANYWHERE or self.zone in zones


target_groups = Table(
    "elbv2.target_groups", TargetGroup, indexes=(Index("name", lambda group: (group.scope, group.name)),)
)
targets = Table(
    "elbv2.targets",
    Target,
    indexes=(Index("group", lambda target: target.group), Index("address", lambda target: target.address)),
)


def group_named(view: View, scope: Scope, name: str) -> TargetGroup | None:
    found = view.index(target_groups, "name", (scope, name))
    return found[0] if found else None


def group_by_arn(view: View, arn: str) -> TargetGroup | None:
    parsed = arns.parse(arn)
    if parsed is None or parsed[1] != arns.TARGET_GROUP:
        return None
    return view.find(target_groups, parsed[0], parsed[2])


def targets_of(view: View, group: TargetGroup) -> list[Target]:
    return view.index(targets, "group", group.id)


def target_key_id(group: TargetGroup, address: str, port: int) -> str:
    return f"{group.id}|{address}:{port}"


def forget_group(tx: Tx, group: TargetGroup) -> None:
    for target in targets_of(tx, group):
        tx.forget(targets, target.key)
    tx.forget(target_groups, group.key)
