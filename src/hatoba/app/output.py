"""Containers' output, from the nodes' sessions into the log room.

A node may write only where its own workloads' containers say their output goes.
"""

from __future__ import annotations

import msgspec

from hatoba.core.errors import PortError
from hatoba.core.keys import Scope
from hatoba.fleet.messages import Logs
from hatoba.fleet.model import Workload
from hatoba.gateway.call import Platform
from hatoba.node.logs.batch import LogBatch
from hatoba.services.logs.ingest import ingest

_decode = msgspec.msgpack.Decoder(LogBatch).decode
_LATER = 500  # statuses from here on mean: it may work later


class NotYours(PortError):
    """The node sent lines for a group that none of the workload's containers names."""


async def keep(platform: Platform, workload: Workload, logs: Logs) -> None:
    """Durable when it returns. Raises `AwsError` when the log room refuses, `PortError` when it may work later."""
    batch = _decode(logs.body)
    wanted = [c.log for c in workload.containers if c.log is not None and c.log.group == batch.group]
    if not wanted:
        raise NotYours("not-yours", f"{workload.id} does not send its output to {batch.group}")
    scope = Scope(workload.key.partition, workload.key.account, batch.region or workload.key.region)
    await ingest(
        platform,
        scope,
        group=batch.group,
        stream=batch.stream,
        parts=batch.parts,
        create_group=batch.create_group,
    )
