"""What the operator does with the fleet's nodes: looks at them, closes one to new tasks, lets go of one for good; and
takes Spot capacity back, as AWS does without being asked.

An ECS cluster drains its own container instances (UpdateContainerInstancesState). These verbs are the machine owner's:
they hold for every cluster and for Fargate too.
"""

from __future__ import annotations

from hatoba.core.clock import Clock
from hatoba.core.errors import Refused
from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.fleet.reports import expel
from hatoba.services.ecs.model.task import tasks
from hatoba.services.ecs.spot import interrupt
from hatoba.store import Store
from hatoba.store.store import View

_HEAD = ("NAME", "ID", "STATE", "TASKS", "CPU", "MEMORY", "ADDRESS", "ATTRIBUTES")
_GIB = 1 << 30


class Nodes:
    """Each verb answers with what is to be told. Raises `Refused`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, _: str) -> str:
        every = sorted(self._store.all(fleet.nodes), key=lambda node: node.number)
        rows = [_HEAD, *(self._row(node) for node in every)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        return "".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"
            for row in rows
        )

    def _row(self, node: fleet.Node) -> tuple[str, ...]:
        state = node.state if node.schedulable else f"{node.state}, closed"
        said = (f"{name}={value}" if value else name for name, value in sorted(node.attributes.items()))
        return (
            node.name,
            node.id,
            state,
            str(self._store.count(fleet.workloads, "node", node.id)),
            str(node.cpu),
            f"{node.memory / _GIB:.1f} GiB",
            node.address or "-",
            " ".join(said),
        )

    async def cordon(self, name: str) -> str:
        return await self._open(name, schedulable=False)

    async def uncordon(self, name: str) -> str:
        return await self._open(name, schedulable=True)

    async def _open(self, name: str, *, schedulable: bool) -> str:
        with self._store.tx() as tx:
            node = _the_node(tx, name)
            tx.put(fleet.nodes, replace(node, schedulable=schedulable))
        await self._store.durable()
        return (
            f"{node.name} takes new tasks again.\n"
            if schedulable
            else f"{node.name} takes no new tasks; those there run on.\n"
        )

    async def remove(self, name: str) -> str:
        """A node that is gone for good. Its certificate is worth nothing from then on."""
        node = _the_node(self._store, name)
        if node.state == "ready":
            raise Refused(
                f"{node.name} is connected. End its agent first (`hatoba down` over there), and wait until it is lost."
            )
        expel(self._store, node.id)  # what it ran is replaced, whatever state it was last seen in
        await self._store.durable()
        return f"{node.name} is forgotten.\n"


class Spot:
    """`hatoba interrupt`: so that what a service does about it can be tried."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def interrupt(self, reference: str) -> str:
        """A task by its id or ARN; an interruption as any other (`services/ecs/spot`)."""
        id_ = reference.rpartition("/")[2]
        with self._store.tx() as tx:
            found = next((task for task in tx.index(tasks, "spot", True) if task.id == id_), None)
            if found is None:
                raise Refused(f"{reference} is no running task of the capacity provider FARGATE_SPOT.")
            interrupt(tx, found, self._clock.now())
        await self._store.durable()
        return f"{found.arn} is interrupted: it has its stop timeout to end.\n"


def _the_node(view: View, name: str) -> fleet.Node:
    """By id, or by a name that only one has."""
    found = [node for node in view.all(fleet.nodes) if name in (node.id, node.name)]
    if not found:
        raise Refused(f"There is no node {name}. `hatoba node list` shows those there are.")
    if len(found) > 1:
        raise Refused(f"{len(found)} nodes are called {name}: use an id, as `hatoba node list` shows them.")
    return found[0]
