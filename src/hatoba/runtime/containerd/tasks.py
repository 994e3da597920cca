"""containerd's tasks: what runs of a container. Made, started, signalled, taken away.

containerd takes back a call whose caller is gone, not always whole: a shim that was just being started, or was about
to end, stays for ever. So a record is `unsure` from before a task is asked for, or asked away, until that was answered,
and from the start if an earlier process of ours has made it. Before such a container goes, containerd is let finish,
and what it has left is cleared away.
"""

from __future__ import annotations

import functools
import signal as signals

from hatoba.runtime import oci
from hatoba.runtime.base import Exit
from hatoba.runtime.cgroups import Cgroups
from hatoba.runtime.containerd import leftovers
from hatoba.runtime.containerd.client import EXISTS, FAILED_PRECONDITION, NOT_FOUND, CallFailed, Client
from hatoba.runtime.containerd.records import Record
from hatoba.runtime.containerd.roots import Roots
from hatoba.runtime.containerd.settings import Settings
from hatoba.runtime.failures import Failure, failure
from hatoba.runtime.machine import Machine
from hatoba.runtime.stubs.services.tasks.v1 import tasks_pb2
from hatoba.runtime.stubs.types.task import task_pb2


class Tasks:
    """Of one container only one of these is under way at a time: the record's lock is the caller's."""

    def __init__(self, client: Client, settings: Settings, machine: Machine, cgroups: Cgroups, roots: Roots) -> None:
        self._client = client
        self._settings = settings
        self._machine = machine
        self._cgroups = cgroups
        self._roots = roots

    async def create(self, record: Record) -> None:
        spec, io = record.spec, record.spec.stdio
        request = tasks_pb2.CreateTaskRequest(
            container_id=spec.id,
            rootfs=await self._roots.of(record),
            stdin=io.stdin,
            stdout=io.stdout,
            stderr="" if io.terminal else io.stderr,
            terminal=io.terminal,
        )
        record.unsure = True
        try:
            record.task_pid = (await self._client.call(self._client.tasks.Create, request)).pid
        except CallFailed as error:
            if error.status is not EXISTS:
                await self._mend(record, error)
                record.unsure = error.code == Failure.UNAVAILABLE
                raise _start_failure(error) from error
            process = await self._process(spec.id)  # made by an earlier start of ours, whose answer was lost
            record.task_pid = process.pid if process else 0
        record.has_task, record.unsure = True, False

    async def start(self, record: Record) -> int:
        id = record.spec.id
        try:
            answer = await self._client.call(self._client.tasks.Start, tasks_pb2.StartRequest(container_id=id))
        except CallFailed as error:
            if error.code == Failure.UNAVAILABLE:
                raise
            process = await self._process(id)
            if process and process.status == task_pb2.RUNNING:  # by an earlier start of ours, whose answer was lost
                record.started(process.pid)
                return process.pid
            await self.remove(record)
            raise _start_failure(error) from error
        record.started(answer.pid)
        return int(answer.pid)

    async def signal(self, record: Record, number: int, *, everything: bool = False) -> None:
        if not record.has_task or record.exit is not None:
            return
        request = tasks_pb2.KillRequest(container_id=record.spec.id, signal=number, all=everything)
        try:
            await self._client.call(self._client.tasks.Kill, request)
        except CallFailed as error:
            if error.status not in (NOT_FOUND, FAILED_PRECONDITION) and "already finished" not in error.message:
                raise

    async def end(self, record: Record) -> Exit:
        """With everything that it has started."""
        await self.signal(record, signals.SIGKILL, everything=True)
        return await record.wait()

    async def remove(self, record: Record) -> None:
        """With its shim; one that was killed has left its socket. Where nothing else helps, to be tried again."""
        id = record.spec.id
        record.unsure = True
        try:
            known = await self._client.ensure_gone(
                self._client.tasks.Delete, tasks_pb2.DeleteTaskRequest(container_id=id)
            )
        except CallFailed as error:
            if error.code != Failure.INTERNAL:
                raise
            leftovers.end_shim(self._cgroups, self._settings, id)
            raise failure(Failure.UNAVAILABLE, f"{id} is being cleared away: {error.message}") from error
        self._settings.shim_socket(id).unlink(missing_ok=True)
        record.has_task, record.task_pid, record.unsure = False, 0, not known

    async def make_sure(self, record: Record) -> None:
        """That nothing is left of an unsure one."""
        if await leftovers.let_finish(self._settings, record.spec.id, functools.partial(self._is_made, record.spec.id)):
            await self.remove(record)
        if record.unsure:
            await self._clear(record)

    async def _process(self, id: str) -> task_pb2.Process | None:
        """What containerd knows of a task."""
        try:
            answer = await self._client.call(self._client.tasks.Get, tasks_pb2.GetRequest(container_id=id))
        except CallFailed as error:
            if error.status is not NOT_FOUND:
                raise
            return None
        process: task_pb2.Process = answer.process
        return process

    async def _is_made(self, id: str) -> bool:
        return await self._process(id) is not None

    async def _clear(self, record: Record) -> None:
        cgroup = oci.cgroup_path(self._machine, record.spec.group, record.spec.id)
        await leftovers.clear_crun(self._cgroups, self._settings, record.spec.id, cgroup)
        record.unsure = False

    async def _mend(self, record: Record, error: CallFailed) -> None:
        """What a killed containerd, or a killed process of ours that asked it, has left half-made is made anew; the
        start is then to be tried again."""
        spec, id = record.spec, record.spec.id
        if "mkdir" in error.message and "file exists" in error.message:
            await self.make_sure(record)
        elif f"container `{id}` already exists" in error.message:
            await self._clear(record)
        elif spec.image and "failed to mount rootfs" in error.message:
            await self._roots.remake(record)
        else:
            return
        raise failure(Failure.UNAVAILABLE, f"{id} was half-made, and is made anew: {error.message}") from error


def _start_failure(error: CallFailed) -> Exception:
    """crun's own words, without the wrapping of those who passed them on."""
    if error.code in (Failure.UNAVAILABLE, Failure.DISK_FULL):
        return error
    text = error.message.replace("failed to create shim task: ", "").replace("OCI runtime create failed: ", "")
    return failure(Failure.CONTAINER_START, text.removesuffix(": unknown"))
