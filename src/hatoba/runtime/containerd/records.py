"""What this process knows of each container: its spec, whether it runs, how it ended, and who waits for that."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from hatoba.runtime.base import Container, ContainerSpec, Exit, State
from hatoba.runtime.failures import Failure, failure
from hatoba.runtime.stubs.types.mount_pb2 import Mount


class Record:
    """One container. Mutable: events and calls of ours move it on, always on the event loop."""

    def __init__(self, spec: ContainerSpec, process: dict[str, Any], mounts: list[Mount] | None = None) -> None:
        self.spec = spec
        self.process = process  # of its OCI config: what an exec starts from
        self.mounts = mounts  # of its root file system; None when not asked for yet
        self.has_task = False
        self.unsure = False  # of its task, or a shim, may be left what containerd does not know (`tasks`)
        self.pid = 0  # while it runs
        self.task_pid = 0  # of the task that is there, also before it runs and after: tells it from an earlier one
        self.exit: Exit | None = None
        self.execs: dict[str, asyncio.Future[Exit]] = {}
        self.lock = asyncio.Lock()  # one start or delete at a time
        self._ended = asyncio.Event()

    def started(self, pid: int) -> None:
        if self.exit is None:  # a short life may be over before its start has been answered
            self.pid = self.task_pid = pid

    def renew(self) -> None:
        """About to be started (again)."""
        self.exit = None
        self._ended.clear()

    def has_ended(self, pid: int) -> bool:
        """Whether an exit told of process `pid` is that of the task that is there now, not of an earlier one.

        Of a task that it found half-made containerd tells no pid (0): then the process itself says.
        """
        return bool(self.task_pid) and (
            pid == self.task_pid or (pid == 0 and not os.path.exists(f"/proc/{self.task_pid}"))
        )

    def may_have(self, pid: int) -> bool:
        """Whether a task that was found may be the present one: one that is just being made tells its pid itself."""
        return pid == self.task_pid if self.task_pid else not self.lock.locked()

    def ended(self, exit: Exit) -> bool:
        """Whether that is news."""
        if self.exit is not None:
            return False
        self.exit = exit
        self.pid = 0
        self._ended.set()
        return True

    async def wait(self) -> Exit:
        await self._ended.wait()
        assert self.exit is not None
        return self.exit

    def view(self) -> Container:
        state: State = "stopped" if self.exit else "running" if self.pid else "created"
        return Container(
            id=self.spec.id,
            image=self.spec.image,
            labels=self.spec.labels,
            state=state,
            pid=self.pid,
            exit=self.exit,
        )


class Records:
    def __init__(self) -> None:
        self.all: dict[str, Record] = {}

    def get(self, id: str) -> Record:
        record = self.all.get(id)
        if record is None:
            raise failure(Failure.CONTAINER_NOT_FOUND, f"container {id} does not exist")
        return record
