"""Which node carries what is on one node at a time: a load balancer, a NAT gateway. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hatoba.fleet.model import Node


def choose(nodes: Iterable[Node], current: str | None, same_network: Collection[str]) -> str | None:
    """The node's id, or None when there is none.

    It stays where it is as long as its node is there, or there is no other to go to. What is new goes to a node that
    has its network's others already (one proxy serves them all), else to the first of all. Nothing goes to a node that
    belongs to an account: its owner could read there what others keep secret, their certificates' keys.
    """
    known = [node for node in nodes if not node.account]
    ready = [node for node in known if node.state == "ready"]
    if current is not None and any(node.id == current for node in ready):
        return current
    open_ = sorted((node for node in ready if node.schedulable), key=lambda node: (node.number, node.id))
    if open_:
        return next((node.id for node in open_ if node.id in same_network), open_[0].id)
    return current if any(node.id == current for node in known) else None
