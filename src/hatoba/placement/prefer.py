"""Which of the nodes that can take it should: the smallest key wins, compared from left to right.

An `Order` becomes a part of the key: how many of the group are at the node's place (`spread`), how much is free on the
node (`pack`: the fullest that still fits), a lot that is drawn (`random`). Whatever these leave equal is decided by few
of the same group (they should not die together), few of anything, much free memory, and at last the id.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

from hatoba.placement.ledger import Use
from hatoba.placement.model import Needs, Order, Site

Key = tuple[int | float | str, ...]
Places = Mapping[tuple[str, ...], int]  # the values of the labels spread over so far → how many of the group are there


def place(site: Site, order: Order) -> str:
    """The node's place for a spread over a label. Nodes without the label share one."""
    return site.labels.get(order.by, "")


def key(needs: Needs, orders: Sequence[Order], site: Site, use: Use, places: Places, lot: float) -> Key:
    parts: list[int | float | str] = []
    at: tuple[str, ...] = ()
    for order in orders:
        if order.kind == "random":
            parts.append(lot)
        elif order.kind == "pack":
            parts.append(site.cpu - use.cpu if order.by == "cpu" else site.memory - use.memory)
        elif order.by:
            at = (*at, place(site, order))
            parts.append(places.get(at, 0))
        else:
            parts.append(use.counts.get(needs.group, 0))
    return (*parts, use.counts.get(needs.group, 0), use.running, use.memory - site.memory, site.id)


class Lots:
    """Draws that pick every node equally often, though only the node that was picked draws anew.

    A lot is the time at which a node's memoryless clock rings next: whoever rang last winds its own clock again, and
    who is next to ring depends on nothing that went before. Drawn from a seed, so that the same state decides the same.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn = 0
        self.now = 0.0

    def draw(self) -> float:
        self._drawn += 1
        digest = hashlib.blake2b(b"%d %d" % (self._seed, self._drawn), digest_size=7).digest()
        return self.now - math.log((int.from_bytes(digest) + 1) / 2**56)
