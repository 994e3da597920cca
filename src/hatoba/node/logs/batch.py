"""What the agent sends to the control plane: events of one container for one stream, exactly once.

Each part comes from one of the container's outputs and says how far each event reaches in it. The control plane skips
what it has already, so a batch whose answer was lost is simply sent again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from hatoba.core.errors import HatobaError
from hatoba.streams.port import Batch

BATCH_EVENTS = 10_000
BATCH_BYTES = 1 << 20  # texts plus overhead, as PutLogEvents counts


class LogBatch(msgspec.Struct, frozen=True, kw_only=True):
    """`region` is None for the node's own. Without parts it only asks whether the stream can be written to."""

    container_id: str
    group: str
    stream: str
    region: str | None
    create_group: bool
    parts: tuple[Batch, ...]


class Rejected(HatobaError):
    """The control plane will never take this batch: there is no such group, or no permission."""


Send = Callable[[LogBatch], Awaitable[None]]
"""Returns when the control plane has the batch durably. Raises `Rejected`, or `PortError` when it may work later."""
