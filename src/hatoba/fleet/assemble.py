"""Keeps one connected node's items current: what it was sent, under which generation, and what has changed since.

No sockets and no waiting here: `session` asks for a `Snapshot` once and for a `Delta` whenever something was touched.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hatoba.fleet.changes import Touched
from hatoba.fleet.messages import Delta, Gone, Item, Snapshot
from hatoba.fleet.needed import Ref, along, everything, needed
from hatoba.store.store import View


class Holding:
    """Which nodes have been told of which networks: whom a change of a network's parts concerns."""

    def __init__(self) -> None:
        self._nodes: dict[str, set[str]] = {}  # by network
        self._networks: dict[str, set[str]] = {}  # by node

    def of(self, network: str) -> Collection[str]:
        return self._nodes.get(network, ())

    def has(self, node: str, network: str) -> bool:
        return network in self._networks.get(node, ())

    def put(self, node: str, network: str) -> None:
        self._nodes.setdefault(network, set()).add(node)
        self._networks.setdefault(node, set()).add(network)

    def drop(self, node: str, network: str) -> None:
        self._networks.get(node, set()).discard(network)
        nodes = self._nodes.get(network, set())
        nodes.discard(node)
        if not nodes:
            self._nodes.pop(network, None)

    def forget(self, node: str) -> None:
        for network in list(self._networks.get(node, ())):
            self.drop(node, network)
        self._networks.pop(node, None)


class NodeItems:
    """The items of one node, as the node knows them."""

    def __init__(self, view: View, node: str, epoch: int, generation: int = 0, holding: Holding | None = None) -> None:
        """`generation`: the last one given out for this node in this epoch. `holding`: of all nodes."""
        self._holding = holding or Holding()
        self._view = view
        self._node = node
        self._epoch = epoch
        self._sent: dict[Ref, bytes] = {}
        self._dirty: dict[Ref, None] = {}
        self.generation = generation

    def touch(self, touched: Iterable[Touched]) -> bool:
        """Notes what may have changed; True when something now waits for a `delta`."""
        for ref, node, network in touched:
            if node in (None, self._node) and (network is None or self._holding.has(self._node, network)):
                self._dirty[ref] = None
        return bool(self._dirty)

    def snapshot(self) -> Snapshot:
        self._dirty.clear()
        self._sent = {}
        self._holding.forget(self._node)
        for ref in everything(self._view, self._node):
            body = needed(self._view, self._node, ref)
            if body is not None:
                self._sent[ref] = body
                self._held(ref)
        self.generation += 1
        items = tuple(Item(kind=ref.kind, id=ref.id, body=body) for ref, body in self._sent.items())
        return Snapshot(epoch=self._epoch, generation=self.generation, items=items)

    def delta(self) -> Delta | None:
        """What changed since the last answer, or None when it came to nothing."""
        put: list[Item] = []
        gone: list[Gone] = []
        while self._dirty:
            ref = next(iter(self._dirty))
            del self._dirty[ref]
            before, now = self._sent.get(ref), needed(self._view, self._node, ref)
            if now == before:
                continue
            if ref.kind == "network" and (now is None or before is None):
                self._dirty.update(dict.fromkeys(along(self._view, ref)))
            if now is None:
                del self._sent[ref]
                self._held(ref, now=False)
                gone.append(Gone(kind=ref.kind, id=ref.id))
            else:
                self._sent[ref] = now
                self._held(ref)
                put.append(Item(kind=ref.kind, id=ref.id, body=now))
        if not put and not gone:
            return None
        base, self.generation = self.generation, self.generation + 1
        return Delta(epoch=self._epoch, base=base, generation=self.generation, put=tuple(put), gone=tuple(gone))

    def _held(self, ref: Ref, *, now: bool = True) -> None:
        if ref.kind == "network":
            (self._holding.put if now else self._holding.drop)(self._node, ref.id)
