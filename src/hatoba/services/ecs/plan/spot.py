"""Spot tasks give way: which of them, when a task that is not of Spot capacity finds no room.

As few as possible, the youngest first, and none while what is ending already leaves room enough.
"""

from __future__ import annotations

from collections.abc import Sequence

from hatoba.services.ecs.model.task import Part

REASON = "Your Spot Task was interrupted."
CODE = "SpotInterruption"


class Occupant(Part, frozen=True, kw_only=True):
    """A Spot task that runs, and what it takes from its node. CPU in units, memory in bytes."""

    id: str
    cpu: int
    memory: int
    created_at: float


class Room(Part, frozen=True, kw_only=True):
    """A node that would do but for its room: what is free on it, or soon will be."""

    node: str
    cpu: int
    memory: int
    spot: tuple[Occupant, ...] = ()


def giving_way(cpu: int, memory: int, count: int, rooms: Sequence[Room]) -> tuple[str, ...]:
    """The tasks to interrupt so that `count` tasks of this size find room, as many of them as can."""
    left = {room.node: room for room in rooms}
    chosen: list[str] = []
    for _ in range(count):
        ways = [(len(ids), node, ids) for node, room in left.items() if (ids := _way(cpu, memory, room)) is not None]
        if not ways:
            break
        _, node, ids = min(ways)
        left[node] = _taken(left[node], ids, cpu, memory)
        chosen += ids
    return tuple(chosen)


def _way(cpu: int, memory: int, room: Room) -> tuple[str, ...] | None:
    """Who must go for one task; None when even all of them would not be enough."""
    free_cpu, free_memory = room.cpu, room.memory
    ids: list[str] = []
    for occupant in sorted(room.spot, key=lambda one: (-one.created_at, one.id)):
        if free_cpu >= cpu and free_memory >= memory:
            break
        free_cpu, free_memory = free_cpu + occupant.cpu, free_memory + occupant.memory
        ids.append(occupant.id)
    return tuple(ids) if free_cpu >= cpu and free_memory >= memory else None


def _taken(room: Room, ids: Sequence[str], cpu: int, memory: int) -> Room:
    gone = [one for one in room.spot if one.id in ids]
    return Room(
        node=room.node,
        cpu=room.cpu + sum(one.cpu for one in gone) - cpu,
        memory=room.memory + sum(one.memory for one in gone) - memory,
        spot=tuple(one for one in room.spot if one.id not in ids),
    )
