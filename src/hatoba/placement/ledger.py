"""What every node has in use, kept change by change: a decision never adds up what is there.

Whoever keeps the records tells the ledger of each change, also of one that is taken back. So that those who keep
something derived from it (`board`) need not look at every node again, it knows which nodes changed since when.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator

from hatoba.placement.model import Load, Port


class Use:
    """What is in use on one node. Only the ledger, and those who took a copy, change it."""

    __slots__ = ("counts", "cpu", "memory", "ports", "running")

    def __init__(self) -> None:
        self.cpu = 0
        self.memory = 0
        self.running = 0
        self.ports: dict[Port, int] = {}
        self.counts: dict[Hashable, int] = {}

    def add(self, load: Load) -> None:
        self.cpu += load.cpu
        self.memory += load.memory
        self.running += 1
        for port in load.ports:
            self.ports[port] = self.ports.get(port, 0) + 1
        for group in load.counts:
            self.counts[group] = self.counts.get(group, 0) + 1

    def remove(self, load: Load) -> None:
        self.cpu -= load.cpu
        self.memory -= load.memory
        self.running -= 1
        for port in load.ports:
            _less(self.ports, port)
        for group in load.counts:
            _less(self.counts, group)

    def copy(self) -> Use:
        other = Use()
        other.cpu, other.memory, other.running = self.cpu, self.memory, self.running
        other.ports, other.counts = self.ports.copy(), self.counts.copy()
        return other

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Use) and all(getattr(self, name) == getattr(other, name) for name in Use.__slots__)

    __hash__ = None  # type: ignore[assignment]  # it changes


def _less(counts: dict[Port, int] | dict[Hashable, int], key: Hashable) -> None:
    left = counts[key] - 1  # type: ignore[index]
    if left:
        counts[key] = left  # type: ignore[index]
    else:
        del counts[key]  # type: ignore[arg-type]


NOTHING = Use()


class Ledger:
    def __init__(self) -> None:
        self._uses: dict[str, Use] = {}
        self._changed: OrderedDict[str, int] = OrderedDict()  # node → when, the latest last
        self.version = 0

    def change(self, before: Load | None, after: Load | None) -> None:
        """Something was there and is now otherwise: came (no `before`), went (no `after`), grew, moved."""
        if before == after:
            return
        self.version += 1
        if before is not None:
            use = self._uses[before.node]
            use.remove(before)
            if not use.running:
                del self._uses[before.node]
            self._note(before.node)
        if after is not None:
            use = self._uses.get(after.node) or self._uses.setdefault(after.node, Use())
            use.add(after)
            self._note(after.node)

    def _note(self, node: str) -> None:
        self._changed[node] = self.version
        self._changed.move_to_end(node)

    def use(self, node: str) -> Use:
        """To be read, not kept and not changed."""
        return self._uses.get(node, NOTHING)

    def since(self, version: int) -> Iterator[str]:
        """The nodes that changed after `version`, each once."""
        for node in reversed(self._changed):
            if self._changed[node] <= version:
                return
            yield node
