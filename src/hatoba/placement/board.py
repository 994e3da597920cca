"""The nodes in the order in which they are preferred for one kind of need, kept while they fill and empty.

A board answers "which node is best now" without looking at all of them. Spreads over labels at the head of the order
are branches of a tree, one for each value; below them lie the nodes in a heap. What changes on a node moves that node
and the branches above it. A spread over a label that stands behind another preference cannot be kept so, as one task
changes the keys of many nodes: such an order is decided by looking at all nodes each time (`plain`).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Generic, TypeVar

from hatoba.placement import filters, prefer
from hatoba.placement.ledger import Ledger, Use
from hatoba.placement.model import Load, Needs, Order, Site

K = TypeVar("K")


class _Queue(Generic[K]):
    """Items by key, the smallest first. An item's key may be changed."""

    __slots__ = ("_heap", "keys")

    def __init__(self) -> None:
        self.keys: dict[K, prefer.Key] = {}
        self._heap: list[tuple[prefer.Key, K]] = []

    def put(self, item: K, key: prefer.Key) -> None:
        if self.keys.get(item) == key:
            return
        self.keys[item] = key
        heapq.heappush(self._heap, (key, item))
        if len(self._heap) > 2 * len(self.keys) + 64:  # most of it is overtaken
            self._heap = [(key, item) for item, key in self.keys.items()]
            heapq.heapify(self._heap)

    def drop(self, item: K) -> None:
        self.keys.pop(item, None)

    def best(self) -> tuple[prefer.Key, K] | None:
        while self._heap:
            key, item = self._heap[0]
            if self.keys.get(item) == key:
                return key, item
            heapq.heappop(self._heap)
        return None


class _Branch:
    """The nodes at one place. `queue` holds nodes at the leaves, the values of the next label above them."""

    __slots__ = ("below", "counts", "queue")

    def __init__(self) -> None:
        self.queue: _Queue[str] = _Queue()
        self.below: dict[str, _Branch] = {}
        self.counts: dict[str, int] = {}  # of the group, at each value

    def settle(self, value: str) -> None:
        """Something changed below `value`."""
        best = self.below[value].queue.best()
        if best is None:
            self.queue.drop(value)
        else:
            self.queue.put(value, (self.counts.get(value, 0), *best[0]))


class Board:
    def __init__(self, needs: Needs, ledger: Ledger, *, plain: bool = False) -> None:
        self.needs = needs
        self._ledger = ledger
        self._lots = prefer.Lots(ledger.version)
        self._spreads = tuple(takewhile(_over_label, needs.order))
        self._rest = needs.order[len(self._spreads) :]
        self._plain = plain or any(_over_label(order) for order in self._rest)
        self._random = any(order.kind == "random" for order in needs.order)
        self._root = _Branch()
        self._places: dict[tuple[str, ...], int] = {}  # of a plain board
        self._sites: Mapping[str, Site] = {}
        self._groups: dict[str, int] = {}  # of the needs' group, on each node, as counted above
        self._taken: dict[str, Use] = {}  # nodes with what was taken since the last `sync`
        self._load = Load(node="", cpu=needs.cpu, memory=needs.memory, ports=tuple(needs.ports), counts=(needs.group,))
        self._version = ledger.version

    # --- what is there

    def sync(self, sites: Mapping[str, Site]) -> None:
        """Takes note of what changed. What `take` took counts only if it has come to be."""
        stale = dict.fromkeys(self._taken)
        self._taken = {}
        stale.update(dict.fromkeys(self._ledger.since(self._version)))
        self._version = self._ledger.version
        if sites is not self._sites:
            before, self._sites = self._sites, sites
            for id_, old in before.items():
                if sites.get(id_) is not old:
                    self._leave(old)
            stale.update(dict.fromkeys(id_ for id_, site in sites.items() if before.get(id_) is not site))
        for id_ in stale:
            if (site := self._sites.get(id_)) is not None:
                self._touch(site)

    def use(self, id_: str) -> Use:
        return self._taken.get(id_) or self._ledger.use(id_)

    def _leave(self, site: Site) -> None:
        self._count(site, 0)
        if not self._plain:
            path = self._path(site)
            path[-1][0].queue.drop(site.id)
            self._settle(path)

    def _touch(self, site: Site) -> None:
        use = self.use(site.id)
        self._count(site, use.counts.get(self.needs.group, 0))
        if self._plain:
            return
        path = self._path(site)
        queue = path[-1][0].queue
        if filters.lack(self.needs, site, use) is None:
            queue.put(site.id, prefer.key(self.needs, self._rest, site, use, {}, self._lot()))
        else:
            queue.drop(site.id)
        self._settle(path)

    def _lot(self) -> float:
        return self._lots.draw() if self._random else 0.0

    def _count(self, site: Site, now: int) -> None:
        """How many of the group are at the node's places."""
        more = now - self._groups.get(site.id, 0)
        if not more:
            return
        if now:
            self._groups[site.id] = now
        else:
            del self._groups[site.id]
        if self._plain:
            at: tuple[str, ...] = ()
            for order in filter(_over_label, self.needs.order):
                at = (*at, prefer.place(site, order))
                self._places[at] = self._places.get(at, 0) + more
            return
        for branch, value in self._path(site)[:-1]:
            branch.counts[value] = branch.counts.get(value, 0) + more

    def _path(self, site: Site) -> list[tuple[_Branch, str]]:
        """The branches from the root to the node's own, each with the value under which the next one lies."""
        branch = self._root
        path = []
        for order in self._spreads:
            value = prefer.place(site, order)
            path.append((branch, value))
            branch = branch.below.get(value) or branch.below.setdefault(value, _Branch())
        path.append((branch, ""))
        return path

    @staticmethod
    def _settle(path: list[tuple[_Branch, str]]) -> None:
        for branch, value in reversed(path[:-1]):
            branch.settle(value)

    # --- choosing

    def take(self) -> str | None:
        """The node that is best now; what was needed counts as taken from it until the next `sync`."""
        chosen = self._best_of_all() if self._plain else self._best()
        if chosen is None:
            return None
        site = self._sites[chosen]
        use = self._taken.get(chosen)
        if use is None:
            use = self._taken[chosen] = self._ledger.use(chosen).copy()
        use.add(self._load)
        self._touch(site)
        return chosen

    def _best(self) -> str | None:
        branch, best = self._root, self._root.queue.best()
        for _ in self._spreads:
            if best is None:
                return None
            branch = branch.below[best[1]]
            best = branch.queue.best()
        if best is None:
            return None
        if self._rest and self._rest[0].kind == "random":
            self._lots.now = float(best[0][0])
        return best[1]

    def _best_of_all(self) -> str | None:
        best = min(self._fitting(), default=None)
        return None if best is None else str(best[-1])

    def _fitting(self) -> Iterator[prefer.Key]:
        for id_, site in self._sites.items():
            use = self.use(id_)
            if filters.lack(self.needs, site, use) is None:
                yield prefer.key(self.needs, self.needs.order, site, use, self._places, self._lot())


def _over_label(order: Order) -> bool:
    return order.kind == "spread" and bool(order.by)
