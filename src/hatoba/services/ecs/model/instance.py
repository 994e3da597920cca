"""Container instances: what has been decided about a node of the fleet in one cluster.

Every node is a container instance in every cluster, without anybody having to register it; a record comes to be with
the first decision. What is drained, labelled or deregistered in one cluster is not so in another: clusters are
boundaries. Only the operator's own switch (`Node.schedulable`) closes a node to all of them, and to Fargate.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.fleet.model import FLEET, Node, nodes
from hatoba.services.ecs.model import arns
from hatoba.store import Index, Table
from hatoba.store.store import View


class Instance(Record, frozen=True, kw_only=True):
    """The id is `cluster/node`."""

    cluster: str
    node: str
    status: Literal["ACTIVE", "DRAINING"] = "ACTIVE"
    attributes: dict[str, str] = msgspec.field(default_factory=dict)  # those that were put; "": no value
    deregistered_at: float | None = None


instances = Table("ecs.instances", Instance, indexes=(Index("cluster", lambda i: (i.key[:3], i.cluster)),))


def instance_of(view: View, scope: Scope, cluster: str, node: str) -> Instance:
    """What is known of it; a new record where nothing was ever decided."""
    id_ = f"{cluster}/{node}"
    record = view.find(instances, scope, id_)
    return record or Instance(key=instances.key(scope, id_), cluster=cluster, node=node)


def joined(node: Node) -> bool:
    """It has connected, now or earlier: one that only has its certificate registers with its first session."""
    return node.state == "ready" or node.seen_at > 0


def offered(node: Node, scope: Scope) -> bool:
    """It is there for this account and region. One that an activation has let in is there for no other."""
    return joined(node) and node.account in ("", scope.account) and node.region in ("", scope.region)


def gone(node: Node, instance: Instance | None) -> bool:
    """It was deregistered. As on AWS, it is there again once its agent connects anew."""
    at = instance.deregistered_at if instance is not None else None
    return at is not None and node.seen_at <= at


def find_instance(view: View, scope: Scope, cluster: str, reference: str) -> tuple[Node, Instance] | None:
    """By id or ARN."""
    node = view.find(nodes, FLEET, arns.within(reference, "container-instance", cluster, scope))
    return None if node is None or not offered(node, scope) else (node, instance_of(view, scope, cluster, node.id))


def decided(view: View, scope: Scope, cluster: str) -> dict[str, Instance]:
    """By node: what was decided in the cluster."""
    return {instance.node: instance for instance in view.index(instances, "cluster", (scope, cluster))}


def registered(view: View, scope: Scope, cluster: str) -> list[tuple[Node, Instance | None]]:
    """The cluster's instances, in the order of their ids."""
    known = decided(view, scope, cluster)
    pairs = ((node, known.get(node.id)) for node in view.scan(nodes, FLEET) if offered(node, scope))
    return [(node, instance) for node, instance in pairs if not gone(node, instance)]
