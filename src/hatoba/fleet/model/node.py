"""Nodes, and the tokens with which new ones join."""

from __future__ import annotations

from typing import Literal

import msgspec

from hatoba.core.records import Record
from hatoba.store import Index, Table

ZONE = "ecs.availability-zone"  # the attribute by which a node says where it is
ZONES = "abc"


class Node(Record, frozen=True, kw_only=True):
    """A machine that runs workloads. Writer: fleet, from what the node says of itself."""

    name: str
    number: int  # among all nodes: which part of the address pool is its own
    address: str  # of the node for other nodes ("" when it is the only one)
    cpu: int
    memory: int
    architecture: str = "x86_64"
    attributes: dict[str, str] = msgspec.field(default_factory=dict)
    agent: str = ""  # version
    protocol: int = 0  # that its agent talks
    state: Literal["ready", "lost"] = "ready"  # lost: its lease ran out
    schedulable: bool = True  # the operator
    joined_at: float = 0.0
    seen_at: float = 0.0  # when it last connected
    # Of one that a room has let in by an activation; it never changes.
    managed: str = ""  # its name there: `mi-…`
    account: str = ""  # whose tasks it may have; "": anybody's
    region: str = ""
    imposed: dict[str, str] = msgspec.field(default_factory=dict)  # attributes, whatever it says of itself

    def zone(self, region: str) -> str:
        """Of this region. One that does not say counts as spread over all, in the order in which they joined."""
        return self.attributes.get(ZONE) or f"{region}{ZONES[self.number % len(ZONES)]}"

    @property
    def instance(self) -> str:
        """The id by which AWS's APIs know it."""
        return self.managed or self.name


nodes = Table("fleet.nodes", Node, indexes=(Index("instance", lambda node: node.instance),))


class Enrolment(Record, frozen=True, kw_only=True):
    """A join token that has not been used up: the id is its public half. Writer: fleet."""

    digest: bytes
    expires: float


enrolments = Table("fleet.enrolments", Enrolment)
