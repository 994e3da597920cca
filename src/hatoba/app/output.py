"""Containers' output, from the nodes' sessions into the log room.

A node may write only where its own workloads' containers say that their output goes: into those streams, and no others
of the group.
"""

from __future__ import annotations

import msgspec

from hatoba.core.errors import PortError
from hatoba.core.keys import Scope
from hatoba.fleet.messages import Logs
from hatoba.fleet.model import ContainerWanted, Workload
from hatoba.gateway.call import Platform
from hatoba.node.logs.batch import LogBatch
from hatoba.node.logs.options import BadOption, Options
from hatoba.node.output import awslogs
from hatoba.services.logs.ingest import ingest

_decode = msgspec.msgpack.Decoder(LogBatch).decode
_LATER = 500  # statuses from here on mean: it may work later


class NotYours(PortError):
    """The node sent lines for a stream that is none of the workload's containers'."""


async def keep(platform: Platform, workload: Workload, logs: Logs) -> None:
    """Durable when it returns. Raises `AwsError` when the log room refuses, `PortError` when it may work later."""
    try:
        batch = _decode(logs.body)
    except msgspec.DecodeError as error:
        raise NotYours("not-yours", f"what was sent of {workload.id} cannot be read: {error}") from None
    if not any(_goes_there(workload, container, batch) for container in workload.containers):
        raise NotYours("not-yours", f"{workload.id} does not send its output to {batch.stream} of {batch.group}")
    scope = Scope(workload.key.partition, workload.key.account, batch.region or workload.key.region)
    await ingest(
        platform,
        scope,
        group=batch.group,
        stream=batch.stream,
        parts=batch.parts,
        create_group=batch.create_group,
    )


def _goes_there(workload: Workload, container: ContainerWanted, batch: LogBatch) -> bool:
    """As its node makes it out, from the same options."""
    if container.log is None or container.log.driver != "awslogs":
        return False
    try:
        own: Options = awslogs(workload.id, container, container.log)
    except BadOption:
        return False
    asked = (batch.group, batch.stream, batch.region, batch.create_group)
    return asked == (own.group, own.stream, own.region, own.create_group)
