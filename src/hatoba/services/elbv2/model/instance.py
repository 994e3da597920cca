"""Instances as targets: nodes of the fleet, by the ids under which ECS tells them (`ec2InstanceId`).

The room keeps nothing of them: an id says which, the fleet says whether it is there and where.
"""

from __future__ import annotations

from hatoba.core.keys import Scope
from hatoba.fleet import model as fleet
from hatoba.store.store import View


def instance_named(view: View, id_: str) -> fleet.Node | None:
    """The node of that id; of several that call themselves so the latest that is there."""
    found = view.index(fleet.nodes, "instance", id_)
    return max(found, key=lambda node: (node.state == "ready", node.number), default=None)


def offered(node: fleet.Node, scope: Scope) -> bool:
    """It may be a target of this account. An external one is in no VPC, and nobody's target (as on AWS)."""
    return not node.managed and node.account in ("", scope.account) and node.region in ("", scope.region)
