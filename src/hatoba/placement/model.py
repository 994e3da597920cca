"""The words of placement. CPU is in units (1024 = one core), memory in bytes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from hatoba.placement.ledger import Use

MOST_NAMED = 5  # nodes of one kind, in a refusal
Port = tuple[int, str]  # (number, "tcp" or "udp") on the node itself
Lack = Literal["lost", "draining", "architecture", "feature", "gpu", "condition", "distinct", "cpu", "memory", "ports"]


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A node: what it has in all, and what may be asked about it. Two that are the same object have not changed."""

    id: str
    cpu: int
    memory: int
    architecture: str = ""
    ready: bool = True
    draining: bool = False
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)


class Condition(Protocol):
    """What a node must be like, as a hashable value."""

    def holds(self, site: Site, use: Use) -> bool: ...

    def words(self) -> str:
        """As it is told to whoever asks why a node would not do."""
        ...


class Order(msgspec.Struct, frozen=True):
    """A preference. Nodes that are equal by it are told apart by the one after it."""

    kind: Literal["spread", "pack", "random"]
    by: str = ""  # spread: the label whose values count as places ("": the node itself); pack: "cpu" or "memory"


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What one group of containers takes from the node it runs on, and where it would rather be.

    `group` is what is spread, and what a node may have one of only with `alone`.
    """

    cpu: int = 0
    memory: int = 0
    ports: frozenset[Port] = frozenset()
    architecture: str = ""  # "": any
    features: frozenset[tuple[str, str]] = frozenset()  # (label, its value or "" for any) that a node must have
    gpus: int = 0
    group: Any = ""  # hashable
    alone: bool = False
    conditions: tuple[Any, ...] = ()  # of `Condition`: all must hold
    order: tuple[Order, ...] = ()


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What something takes from the node that it is on. `counts`: the groups that it is one of."""

    node: str
    cpu: int = 0
    memory: int = 0
    ports: tuple[Port, ...] = ()
    counts: tuple[Hashable, ...] = ()


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    node: str


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why no node can take it: which nodes lack what. `closest` is the node that came nearest, and what it lacks."""

    needs: Needs
    lacking: Mapping[Lack, tuple[str, ...]]
    closest: tuple[str, Lack] | None = None

    def words(self) -> str:
        """ "no capacity: 2 nodes lack memory (need 512 MiB), 1 node is draining" """
        if not self.lacking:
            return "no capacity: there are no nodes"
        return "no capacity: " + ", ".join(
            clause(lack, len(nodes), self.needs) for lack, nodes in sorted(self.lacking.items())
        )

    def detail(self) -> str:
        """ "no capacity: 2 nodes lack memory (need 512 MiB): node-1, node-4; 1 node is draining: node-2" """
        if not self.lacking:
            return self.words()
        return "no capacity: " + "; ".join(
            f"{clause(lack, len(nodes), self.needs)}: {_named(nodes)}" for lack, nodes in sorted(self.lacking.items())
        )


def _named(nodes: tuple[str, ...]) -> str:
    rest = len(nodes) - MOST_NAMED
    return ", ".join(nodes[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def clause(lack: Lack, count: int, needs: Needs) -> str:
    """ "2 nodes lack memory (need 512 MiB)" """
    nodes, are, lack_, do = (f"{count} node", "is", "lacks", "does") if count == 1 else _many(count)
    match lack:
        case "cpu":
            return f"{nodes} {lack_} CPU (need {needs.cpu} units)"
        case "memory":
            return f"{nodes} {lack_} memory (need {needs.memory >> 20} MiB)"
        case "ports":
            ports = ", ".join(f"{number}/{protocol}" for number, protocol in sorted(needs.ports))
            return f"{nodes} {are} using a port that is needed ({ports})"
        case "architecture":
            return f"{nodes} {are} not {needs.architecture}"
        case "feature":
            wanted = (f"{label} {value}".rstrip() for label, value in sorted(needs.features))
            return f"{nodes} {do} not have {' and '.join(wanted)}"
        case "gpu":
            return f"{nodes} {lack_} GPUs (need {needs.gpus})"
        case "condition":
            return f"{nodes} {do} not meet ({' and '.join(condition.words() for condition in needs.conditions)})"
        case "distinct":
            return f"{nodes} {'has' if count == 1 else 'have'} one of the same group already"
        case _:
            return f"{nodes} {are} {lack}"


def _many(count: int) -> tuple[str, str, str, str]:
    return f"{count} nodes", "are", "lack", "do"
