"""Which of the nodes that can take it should: the smallest score wins, compared from left to right."""

from __future__ import annotations

from hatoba.placement.model import Candidate, Needs

Score = tuple[int, int, int, str]


def spread(needs: Needs, node: Candidate) -> Score:
    """Few of the same group first (they should not die together), then few of anything, then much free memory."""
    return node.groups.get(needs.group, 0), node.running, -node.memory, node.id
