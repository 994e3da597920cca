"""The words of placement. CPU is in units (1024 = one core), memory in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Port = tuple[int, str]  # (number, "tcp" or "udp") on the node itself
Lack = Literal["lost", "draining", "architecture", "cpu", "memory", "ports"]


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What one group of containers takes from the node it runs on. `group` is what it is spread by."""

    cpu: int = 0
    memory: int = 0
    ports: frozenset[Port] = frozenset()
    architecture: str = ""  # "": any
    group: str = ""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A node as the scheduler sees it: what is free on it, and how many of each group it runs already."""

    id: str
    cpu: int
    memory: int
    architecture: str = ""
    ready: bool = True
    draining: bool = False
    ports: frozenset[Port] = frozenset()  # taken
    running: int = 0
    groups: Mapping[str, int] = msgspec.field(default_factory=dict)


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    node: str


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why no node can take it: which nodes lack what. `closest` is the node that came nearest, and what it lacks."""

    needs: Needs
    lacking: Mapping[Lack, tuple[str, ...]]
    closest: tuple[str, Lack] | None = None

    def words(self) -> str:
        """ "no capacity: 2 nodes lack memory (need 512 MiB), 1 is draining" """
        if not self.lacking:
            return "no capacity: there are no nodes"
        return "no capacity: " + ", ".join(
            _clause(lack, len(nodes), self.needs) for lack, nodes in sorted(self.lacking.items())
        )


def _clause(lack: Lack, count: int, needs: Needs) -> str:
    nodes, are, lack_ = (f"{count} node", "is", "lacks") if count == 1 else (f"{count} nodes", "are", "lack")
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
        case _:
            return f"{nodes} {are} {lack}"
