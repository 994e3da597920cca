"""Which nodes can take it. Each filter answers whether a node passes; the first that fails names what it lacks."""

from __future__ import annotations

from collections.abc import Callable

from hatoba.placement.model import Candidate, Lack, Needs

Filter = tuple[Lack, Callable[[Needs, Candidate], bool]]

# In this order: what can least be helped comes first, so that a refusal names the most telling lack.
FILTERS: tuple[Filter, ...] = (
    ("lost", lambda needs, node: node.ready),
    ("draining", lambda needs, node: not node.draining),
    ("architecture", lambda needs, node: not needs.architecture or needs.architecture == node.architecture),
    ("cpu", lambda needs, node: needs.cpu <= node.cpu),
    ("memory", lambda needs, node: needs.memory <= node.memory),
    ("ports", lambda needs, node: needs.ports.isdisjoint(node.ports)),
)
RANK: dict[Lack, int] = {lack: rank for rank, (lack, _) in enumerate(FILTERS)}


def lack(needs: Needs, node: Candidate) -> Lack | None:
    """What the node lacks, or None when it can take it."""
    for name, passes in FILTERS:
        if not passes(needs, node):
            return name
    return None
