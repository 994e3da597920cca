"""Events on their way to the event bus: written with the change they tell of, forgotten once the bus has them.

There are none, and nothing is written, while the platform has no event bus.
"""

from __future__ import annotations

from hatoba.core.records import Record
from hatoba.store import Index, Table


class Outgoing(Record, frozen=True, kw_only=True):
    """The id is a number that only rises: within a scope events leave in its order."""

    type: str  # the event's detail-type
    detail: bytes  # JSON
    resources: tuple[str, ...]  # ARNs
    at: float


outgoing = Table("ecs.outgoing", Outgoing, indexes=(Index("all", lambda event: True),))
