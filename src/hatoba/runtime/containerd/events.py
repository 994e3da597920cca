"""Exits and out-of-memory kills, without a gap: containerd's event stream, and a look at all tasks after each break.

containerd says nothing when a subscription begins, so we send an event to ourselves: once it comes back, whatever
happens later will come too, and the look at all tasks covers what happened before. Exits are taken once, whichever way
they become known.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import grpc.aio
from google.protobuf import any_pb2

from hatoba.core.clock import Clock
from hatoba.core.errors import PortError
from hatoba.runtime import oci, stats
from hatoba.runtime.base import Exit, Exited, OutOfMemory
from hatoba.runtime.cgroups import Cgroups
from hatoba.runtime.containerd.client import NOT_FOUND, CallFailed, Client, metadata
from hatoba.runtime.containerd.records import Record, Records
from hatoba.runtime.failures import Failure
from hatoba.runtime.feed import Feed
from hatoba.runtime.machine import Machine
from hatoba.runtime.stubs.events import task_pb2 as task_events
from hatoba.runtime.stubs.services.events.v1 import events_pb2
from hatoba.runtime.stubs.services.tasks.v1 import tasks_pb2
from hatoba.runtime.stubs.types.task import task_pb2

log = logging.getLogger(__name__)

_ECHO = "/hatoba/echo"
_ECHO_SECONDS = 0.03
_PAUSE_SECONDS = 0.1
_TRIES = 3
_LOST = 137  # a process of which nothing is left but its absence

_RUNNING = (task_pb2.RUNNING, task_pb2.PAUSED, task_pb2.PAUSING)


class Events:
    def __init__(self, client: Client, records: Records, machine: Machine, cgroups: Cgroups, clock: Clock) -> None:
        self._client = client
        self._records = records
        self._machine = machine
        self._cgroups = cgroups
        self._clock = clock
        self.feed = Feed()
        self.ready = asyncio.Event()

    async def follow(self) -> None:
        """Runs for as long as we do."""
        while True:
            try:
                await self._follow()
            except (grpc.aio.AioRpcError, PortError) as error:
                log.info("containerd's events broke off: %s", error)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _follow(self) -> None:
        filters = ['topic=="/tasks/exit"', 'topic=="/tasks/oom"', f'topic=="{_ECHO}"']
        request = events_pb2.SubscribeRequest(filters=filters)
        stream = self._client.events.Subscribe(request, metadata=metadata(), wait_for_ready=True)
        echo = asyncio.ensure_future(self._echo())
        try:
            async for envelope in stream:
                if envelope.topic == _ECHO:
                    if not echo.done():
                        echo.cancel()
                        await self.resync()
                        self.ready.set()
                else:
                    self._take(envelope.topic, envelope.event)
        finally:
            echo.cancel()
            stream.cancel()

    async def _echo(self) -> None:
        nothing = any_pb2.Any(type_url="containerd.events.TaskPaused")
        while True:
            await self._client.call(self._client.events.Publish, events_pb2.PublishRequest(topic=_ECHO, event=nothing))
            await asyncio.sleep(_ECHO_SECONDS)

    def _take(self, topic: str, event: any_pb2.Any) -> None:
        if topic == "/tasks/oom":
            oom = task_events.TaskOOM.FromString(event.value)
            if oom.container_id in self._records.all:
                self.feed.publish(OutOfMemory(id=oom.container_id, at=self._clock.now()))
            return
        ended = task_events.TaskExit.FromString(event.value)
        record = self._records.all.get(ended.container_id)
        if record is None:
            return
        exit = Exit(code=ended.exit_status, at=_seconds(ended.exited_at))
        if ended.id == ended.container_id:
            if record.has_ended(ended.pid):
                self._ended(record, exit)
        else:
            _exec_ended(record, ended.id, exit)

    def _ended(self, record: Record, exit: Exit) -> None:
        """The kernel's own counter tells whether memory was the reason, so no order of events matters.

        The container's cgroup is there until its task is deleted, which we do after this.
        """
        if record.exit is not None:
            return
        cgroup = oci.cgroup_path(self._machine, record.spec.group, record.spec.id)
        if stats.oom_kills(self._cgroups, cgroup):
            exit = Exit(code=exit.code, at=exit.at, oom=True)
        if record.ended(exit):
            self.feed.publish(Exited(id=record.spec.id, exit=exit))

    async def resync(self) -> None:
        """Compare what runs with what we believe runs."""
        believed = {id for id, record in self._records.all.items() if record.pid}
        answer = await self._client.call(self._client.tasks.List, tasks_pb2.ListTasksRequest())
        tasks = {task.id: task for task in answer.tasks}
        for id, record in list(self._records.all.items()):
            task = tasks.get(id)
            if task is not None:
                self._compare(record, task)
            elif id in believed and record.pid:
                await self._missing(record)
            elif record.unsure and not record.pid and record.exit is None:
                await self._inherited(record)
            await self._resync_execs(record)

    async def _inherited(self, record: Record) -> None:
        """Whether one that an earlier process of ours has made runs: who finds it not running will take it away."""
        for _ in range(_TRIES):
            try:
                await self._missing(record)
            except CallFailed as error:
                if error.code == Failure.UNAVAILABLE:
                    raise
                log.warning("containerd cannot tell whether %s runs: %s", record.spec.id, error.message)
            else:
                return

    async def _missing(self, record: Record) -> None:
        """A list leaves out a task whose shim is slow to answer; asked for by name, it is known or it is not."""
        request = tasks_pb2.GetRequest(container_id=record.spec.id)
        try:
            self._compare(record, (await self._client.call(self._client.tasks.Get, request)).process)
        except CallFailed as error:
            if error.status is not NOT_FOUND:
                raise
            if record.pid:
                record.has_task, record.task_pid = False, 0
                self._ended(record, Exit(code=_LOST, at=self._clock.now()))

    def _compare(self, record: Record, task: Any) -> None:
        if not record.may_have(task.pid):
            return
        record.has_task, record.task_pid = True, task.pid
        if task.status in _RUNNING:
            record.started(task.pid)
        elif task.status == task_pb2.STOPPED:
            self._ended(record, Exit(code=task.exit_status, at=_seconds(task.exited_at)))

    async def _resync_execs(self, record: Record) -> None:
        for exec_id in list(record.execs):
            request = tasks_pb2.GetRequest(container_id=record.spec.id, exec_id=exec_id)
            try:
                process = (await self._client.call(self._client.tasks.Get, request)).process
            except CallFailed as error:
                if error.status is not NOT_FOUND:
                    raise
                _exec_ended(record, exec_id, Exit(code=_LOST, at=self._clock.now()))
                continue
            if process.status == task_pb2.STOPPED:
                _exec_ended(record, exec_id, Exit(code=process.exit_status, at=_seconds(process.exited_at)))


def _exec_ended(record: Record, exec_id: str, exit: Exit) -> None:
    waiting = record.execs.get(exec_id)
    if waiting is not None and not waiting.done():
        waiting.set_result(exit)


def _seconds(timestamp: Any) -> float:
    return int(timestamp.seconds) + int(timestamp.nanos) / 1e9
