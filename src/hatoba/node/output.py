"""Between the worker, which starts and deletes containers, and `logs`, which carries their output.

`awslogs` ships to the control plane, other drivers elsewhere (`logs.drivers`), FireLens to the socket that the task's
router opens. Without a log configuration output goes nowhere: the runtime gets /dev/null.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from hatoba.core.errors import HatobaError, PortError
from hatoba.fleet.model import ContainerWanted, LogWanted, Workload, container_id
from hatoba.node.logs import drivers
from hatoba.node.logs.batch import LogBatch, Rejected, Send
from hatoba.node.logs.drivers.writer import Writer
from hatoba.node.logs.node_logs import NodeLogs
from hatoba.node.logs.options import BadOption, Options, parse
from hatoba.node.router import router_socket
from hatoba.node.session import Session
from hatoba.runtime.base import Stdio

LOGS = "logs"  # `PortError.code` of what the log driver has against a container


def awslogs(workload: str, container: ContainerWanted, wanted: LogWanted) -> Options:
    """Pure, for the control plane to tell whose a stream is. Raises `BadOption`."""
    id_ = container_id(workload, container.name)
    return parse(wanted.options, container=container.name, container_id=id_, task_id=workload, blocking=True)


class ShippedOutput:
    """Implements `worker.Output`."""

    """`tasks` holds the workloads' folders, `files` those of drivers that write files."""

    def __init__(self, logs: NodeLogs, tasks: Path, files: Path) -> None:
        self._logs = logs
        self._tasks = tasks
        self._files = files

    async def open(self, workload: Workload, container: ContainerWanted) -> Stdio:
        """Raises `PortError("logs", …)` when the log group refuses, or an option is wrong."""
        if container.log is None or container.log.driver == "none":
            return Stdio(terminal=container.terminal)
        id_ = container_id(workload.id, container.name)
        try:
            options = self._options(workload, container, container.log, id_)
            pipes = await self._logs.open(id_, options)
            await self._logs.announce(id_)
        except (BadOption, Rejected) as error:
            raise PortError(LOGS, refusal(container.log, error)) from error
        except PortError as error:
            if container.log.driver == "awslogs":
                raise
            raise PortError(LOGS, refusal(container.log, error)) from error
        return Stdio(
            stdout=pipes.stdout, stderr="" if container.terminal else pipes.stderr, terminal=container.terminal
        )

    def _options(self, workload: Workload, container: ContainerWanted, wanted: LogWanted, id_: str) -> Options:
        if wanted.driver == "awslogs":
            return awslogs(workload.id, container, wanted)
        options = {**wanted.options, **{name: secret.reveal() for name, secret in wanted.secrets.items()}}
        if wanted.router:
            socket = router_socket(self._tasks / workload.id)
            options = {**options, "fluentd-address": f"unix://{socket}", "fluentd-async": "true"}
        writer = Writer(
            id=id_,
            name=_docker_name(workload, container),
            image=container.image.name,
            host=os.uname().nodename,
            guest=workload.metadata.get("LaunchType") == "FARGATE",
            files=self._files,
            labels=container.labels,
            environment=container.environment,
        )
        return drivers.parse(wanted.driver, options, writer)

    async def ended(self, workload: str, container: str) -> None:
        await self._logs.drain(container_id(workload, container))


def refusal(wanted: LogWanted, error: HatobaError) -> str:
    """What a log driver has against a container, in Fargate's words."""
    if isinstance(error, BadOption):
        return f"failed to validate logger args: {error} : exit status 1"
    if wanted.driver == "awslogs":
        return (
            "failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log "
            f"stream: {error} : exit status 1"
        )
    return f"failed to initialize logging driver: {error}"


def _docker_name(workload: Workload, container: ContainerWanted) -> str:
    """As the ECS agent names a container to Docker; what drivers tell of it."""
    family, revision = workload.metadata.get("Family", "task"), workload.metadata.get("Revision", "0")
    return f"ecs-{family}-{revision}-{container.name}-{workload.id[:20]}"


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
