"""The runtime port on containerd: its parts put together, and what keeps them going.

The daemon and the containers outlive this object: a second `open` in the same folder finds both.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from hatoba.core.clock import Clock
from hatoba.core.errors import Refused
from hatoba.core.ids import Ids
from hatoba.core.secret import Secret
from hatoba.core.tasks import TaskGroup
from hatoba.runtime import cgroups, groups, machine, oci, seccomp, stats
from hatoba.runtime.base import (
    Container,
    ContainerSpec,
    Event,
    ExecSpec,
    Exit,
    Image,
    ImageSource,
    Platform,
    Resources,
    Shared,
    Stats,
    Usage,
    Volume,
)
from hatoba.runtime.containerd import sharing
from hatoba.runtime.containerd.client import Client
from hatoba.runtime.containerd.containers import SPEC_EXTENSION, Containers
from hatoba.runtime.containerd.daemon import Daemon
from hatoba.runtime.containerd.events import Events
from hatoba.runtime.containerd.execs import ContainerdProcess, Fifos, end_strays
from hatoba.runtime.containerd.images import Images
from hatoba.runtime.containerd.mountspace import MountSpace
from hatoba.runtime.containerd.records import Record, Records
from hatoba.runtime.containerd.settings import Settings
from hatoba.runtime.containerd.storage import Storage
from hatoba.runtime.failures import Failure, failure
from hatoba.runtime.stubs.services.containers.v1 import containers_pb2

log = logging.getLogger(__name__)

_RESTART_SECONDS = 1.0
_READY_SECONDS = 20.0


class ContainerdRuntime:
    """`base.Runtime`. Make it with `open`; `close` lets go of it, `shut_down` ends everything it runs."""

    def __init__(self, settings: Settings, clock: Clock, ids: Ids) -> None:
        self._settings = settings
        self._clock = clock
        self._cgroups = cgroups.detect()
        self._machine = machine.inspect(self._cgroups, settings.cgroup_parent, str(settings.init))
        self._daemon = Daemon(settings, self._cgroups)
        self._client = Client(settings.socket)
        self._records = Records()
        self._images = Images(self._client, settings.snapshotter, clock, ids)
        self._space = MountSpace()
        self._storage = Storage(settings, self._space)
        self._containers = Containers(
            self._client, settings, self._machine, self._cgroups, self._images, self._records, self._storage, ids
        )
        self._events = Events(self._client, self._records, self._machine, self._cgroups, clock)
        self._tasks = TaskGroup("runtime")

    @classmethod
    async def open(cls, settings: Settings, clock: Clock, ids: Ids) -> ContainerdRuntime:
        """Adopt or start containerd, and find what it runs. Raises `Refused` when it cannot be started."""
        runtime = cls(settings, clock, ids)
        try:
            await runtime._open()
        except BaseException:
            await runtime.close()
            raise
        return runtime

    async def _open(self) -> None:
        started = await self._daemon.ensure()
        self._containers.daemon_pid = self._space.pid = self._daemon.pid
        log.info("containerd %s, pid %d", "started" if started else "adopted", self._daemon.pid)
        await self._client.ensure_namespace()
        self._containers.secrets.prepare()
        self._containers.files.prepare()
        await self._images.load()
        await self._load()
        self._containers.secrets.sweep(self._records.all)
        self._containers.files.sweep(self._records.all)
        strays = await end_strays(self._client, self._records.all, self._settings.run / "exec")
        if strays:
            log.info("ended %d processes that an earlier agent ran inside containers", strays)
        self._tasks.start(self._supervise(), "supervise")
        self._tasks.start(self._events.follow(), "events")
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await self._events.ready.wait()
        except TimeoutError:
            raise Refused(f"containerd tells no events; see {self._settings.log}") from None

    async def _load(self) -> None:
        """The containers of an earlier process of ours. Whether they run is told by the first look at all tasks."""
        answer = await self._client.call(self._client.containers.List, containers_pb2.ListContainersRequest())
        for container in answer.containers:
            if SPEC_EXTENSION in container.extensions:
                spec = msgspec.json.decode(container.extensions[SPEC_EXTENSION].value, type=ContainerSpec)
                process = self._containers.secrets.add(spec.id, msgspec.json.decode(container.spec.value)["process"])
                self._records.all[spec.id] = record = Record(spec, process)
                record.unsure = True

    async def _supervise(self) -> None:
        """Containers live on without containerd; it only has to come back, and the events' look finds the rest."""
        while True:
            await self._daemon.died()
            log.warning("containerd ended; starting it again")
            try:
                await self._daemon.ensure()
            except Refused as error:
                log.error("containerd cannot be started again: %s", error)
                await asyncio.sleep(_RESTART_SECONDS)
            self._containers.daemon_pid = self._space.pid = self._daemon.pid

    async def pull(self, source: ImageSource, platform: Platform) -> Image:
        return await self._images.pull(source, platform)

    async def images(self) -> list[Image]:
        return self._images.all()

    async def remove_image(self, digest: str) -> None:
        await self._images.remove(digest)

    async def create(self, spec: ContainerSpec) -> Container:
        return (await self._containers.create(spec)).view()

    async def start(self, id: str) -> int:
        return await self._containers.start(id)

    async def signal(self, id: str, number: int) -> None:
        await self._containers.signal(id, number)

    async def stop(self, id: str, signal: int, timeout: float) -> Exit | None:
        return await self._containers.stop(id, signal, timeout)

    async def delete(self, id: str) -> None:
        await self._containers.delete(id)

    async def refresh(self, id: str, files: Mapping[str, Secret]) -> None:
        self._containers.refresh(id, files)

    async def exec(self, id: str, spec: ExecSpec) -> ContainerdProcess:
        record = self._records.get(id)
        if not record.pid:
            raise failure(Failure.CONTAINER_STATE, f"container {id} is not running")
        user = await self._containers.user(record, spec.user) if spec.user else None
        folder = self._settings.run / "exec"
        fifos = Fifos(folder, f"{id}.{spec.id}", terminal=spec.terminal) if spec.attach else None
        process = ContainerdProcess(self._client, record, spec, fifos)
        await process.start(user)
        return process

    async def wait(self, id: str) -> Exit:
        return await self._records.get(id).wait()

    async def containers(self) -> list[Container]:
        return [record.view() for record in self._records.all.values() if record.spec.image]

    def events(self) -> AsyncIterator[Event]:
        return self._events.feed.listen()

    async def stats(self, ids: Sequence[str]) -> dict[str, Stats]:
        running = [record.spec for id in ids if (record := self._records.all.get(id)) and record.pid]
        paths = {spec.id: oci.cgroup_path(self._machine, spec.group, spec.id) for spec in running}
        now = self._clock.now()

        def read_all() -> dict[str, Stats]:
            found = {id: stats.stats(self._cgroups, path, now) for id, path in paths.items()}
            return {id: counted for id, counted in found.items() if counted is not None}

        return await asyncio.to_thread(read_all)

    async def set_group(self, group: str, resources: Resources, storage: int | None = None) -> None:
        groups.set_group(self._cgroups, f"{self._settings.cgroup_parent}/{group}", resources)
        if storage is not None:
            await self._storage.limit(group, storage)

    async def share(self, group: str) -> Shared:
        await self._containers.create(sharing.spec(group))
        return sharing.shared(await self._containers.start(sharing.holder(group)))

    async def processes(self, group: str) -> frozenset[int]:
        return frozenset(groups.processes(self._cgroups, f"{self._settings.cgroup_parent}/{group}"))

    async def remove_group(self, group: str) -> None:
        if sharing.holder(group) in self._records.all:
            await self._containers.delete(sharing.holder(group))
        await self._storage.remove(group)
        await groups.remove_when_empty(self._cgroups, f"{self._settings.cgroup_parent}/{group}")

    async def make_volume(self, volume: Volume) -> None:
        await self._storage.make(volume)

    async def volumes(self) -> list[Volume]:
        return await self._storage.all()

    async def storage(self, group: str) -> Usage | None:
        return await self._storage.usage(group)

    async def close(self) -> None:
        await self._tasks.close()
        self._events.feed.close()
        await self._client.close()
        self._space.close()

    async def shut_down(self) -> None:
        """End containerd and every container; leave no process, mount, socket or cgroup. The images stay."""
        await self.close()
        await self._daemon.stop()


async def stop_leftovers(settings: Settings) -> None:
    """`shut_down` for an instance that no process of ours looks after."""
    await Daemon(settings, cgroups.detect()).stop()


def available(settings: Settings) -> list[str]:
    """What is missing on this machine for this runtime, in sentences; empty when all is there."""
    missing = []
    for command in (settings.containerd, settings.crun, "containerd-shim-runc-v2", "unshare"):
        if shutil.which(command) is None:
            missing.append(f"{command} is not installed")
    for path, package in (
        (settings.init, "tini"),
        (settings.pause, "catatonit"),
        (seccomp.PROFILE, "golang-github-containers-common"),
    ):
        if not path.exists():
            missing.append(f"{path} is missing: install {package}")
    if os.geteuid() != 0:
        missing.append("running containers takes root")
    return missing
