"""Between the worker, which starts and deletes containers, and `logs`, which carries their output.

`awslogs` ships to the control plane. Without a log configuration output goes nowhere: the runtime gets /dev/null.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from hatoba.core.errors import PortError
from hatoba.fleet.model import ContainerWanted, Workload
from hatoba.node.logs.batch import LogBatch, Rejected, Send
from hatoba.node.logs.node_logs import NodeLogs
from hatoba.node.logs.options import BadOption, parse
from hatoba.node.session import Session
from hatoba.node.translate import container_id
from hatoba.runtime.base import Stdio

LOGS = "logs"  # `PortError.code` of what the log driver has against a container


class ShippedOutput:
    """Implements `worker.Output`."""

    def __init__(self, logs: NodeLogs) -> None:
        self._logs = logs

    async def open(self, workload: Workload, container: ContainerWanted) -> Stdio:
        """Raises `PortError("logs", …)` when the log group refuses, or an option is wrong."""
        wanted = container.log
        if wanted is None or wanted.driver != "awslogs":
            return Stdio(terminal=container.terminal)
        id_ = container_id(workload.id, container.name)
        try:
            options = parse(
                wanted.options, container=container.name, container_id=id_, task_id=workload.id, blocking=True
            )
            pipes = await self._logs.open(id_, options)
            await self._logs.announce(id_)
        except (BadOption, Rejected) as error:
            raise PortError(LOGS, str(error)) from error
        return Stdio(
            stdout=pipes.stdout, stderr="" if container.terminal else pipes.stderr, terminal=container.terminal
        )

    async def ended(self, workload: str, container: str) -> None:
        await self._logs.drain(container_id(workload, container))


def sender(session: Callable[[], Session], workload_of: Callable[[str], str | None]) -> Send:
    """How `NodeLogs` reaches the control plane."""

    async def send(batch: LogBatch) -> None:
        workload = workload_of(batch.container_id)
        if workload is None:
            raise Rejected(f"container {batch.container_id} belongs to no workload any more")
        kept = await session().logs(workload, msgspec.msgpack.encode(batch))
        if kept.error == "ServiceUnavailableException":  # a full disk: it will pass
            raise PortError(kept.error, kept.detail)
        if kept.error:
            raise Rejected(f"{kept.error}: {kept.detail}")

    return send
