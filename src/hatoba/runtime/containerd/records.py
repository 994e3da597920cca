"""What this process knows of each container: its spec, whether it runs, how it ended, and who waits for that."""

from __future__ import annotations

import asyncio
from typing import Any

from hatoba.runtime.base import Container, ContainerSpec, Exit, Failure, State, failure
from hatoba.runtime.stubs.types.mount_pb2 import Mount


class Record:
    """One container. Mutable: events and calls of ours move it on, always on the event loop."""

    def __init__(self, spec: ContainerSpec, process: dict[str, Any], mounts: list[Mount] | None = None) -> None:
        self.spec = spec
        self.process = process  # of its OCI config: what an exec starts from
        self.mounts = mounts  # of its root file system; None when not asked for yet
        self.has_task = False
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

    def is_of(self, pid: int) -> bool:
        """Whether something told about a process is about the task that is there now.

        While one is being made, whatever is told is about an earlier one: it cannot end before we know its pid.
        """
        return pid == self.task_pid if self.task_pid or self.lock.locked() else True

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
