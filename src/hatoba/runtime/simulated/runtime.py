"""The port over a simulated host: what it asks for happens there, on the event loop's clock.

Storage is counted only: what a volume holds, and how much of its limit a group uses, is for the real one to show.
"""

from __future__ import annotations

import asyncio
import signal as signals
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import msgspec

from hatoba.core.secret import Secret
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
from hatoba.runtime.check import NAME, check
from hatoba.runtime.coalesce import Coalesce
from hatoba.runtime.failures import Failure, failure
from hatoba.runtime.feed import Feed
from hatoba.runtime.simulated.host import Simulated, SimulatedHost
from hatoba.runtime.simulated.process import SimulatedProcess


class SimulatedRuntime:
    """`base.Runtime`."""

    def __init__(self, host: SimulatedHost) -> None:
        self._host = host
        self._feed = Feed()
        self._stop_listening: Callable[[], None] = host.listen(self._feed.publish)
        self._pulls: Coalesce[Image] = Coalesce()

    async def pull(self, source: ImageSource, platform: Platform) -> Image:
        return await self._pulls.run((source.repository, source.reference), lambda: self._pull(source))

    async def _pull(self, source: ImageSource) -> Image:
        host = self._host
        self._host.check("pull", source.name)
        found = host.resolve(source)
        if found.digest not in host.images:
            await asyncio.sleep(host.delays.pull)
            host.pulls += 1
            host.images[found.digest] = msgspec.structs.replace(found, pulled_at=host.clock.now())
        for digest, image in list(host.images.items()):  # a tag that was moved names one image only
            names = tuple(name for name in image.names if name != source.name)
            names = (*names, source.name) if digest == found.digest else names
            host.images[digest] = msgspec.structs.replace(image, names=names)
        return host.images[found.digest]

    async def images(self) -> list[Image]:
        return list(self._host.images.values())

    async def remove_image(self, digest: str) -> None:
        self._host.check("remove_image", digest)
        self._host.images.pop(digest, None)

    async def create(self, spec: ContainerSpec) -> Container:
        host = self._host
        host.check("create", spec.id)
        if spec.id not in host.containers:
            check(spec)
            if spec.image not in host.images:
                raise failure(Failure.IMAGE_NOT_FOUND, f"image {spec.image} is not on this node")
            for mount in spec.mounts:
                if mount.kind == "volume" and not {(spec.group, mount.source), ("", mount.source)} & set(host.volumes):
                    raise failure(Failure.VOLUME, f"volume {mount.source} does not exist")
            await asyncio.sleep(host.delays.create)
            host.containers.setdefault(spec.id, Simulated(spec))
        return host.containers[spec.id].view()

    async def start(self, id: str) -> int:
        container = self._get(id)
        if container.state == "running":
            return container.pid
        self._host.check("start", id)
        await asyncio.sleep(self._host.delays.start)
        self._get(id)  # it may have been deleted meanwhile
        return container.pid or self._host.start(container)

    def _get(self, id: str) -> Simulated:
        container = self._host.containers.get(id)
        if container is None:
            raise failure(Failure.CONTAINER_NOT_FOUND, f"container {id} does not exist")
        return container

    async def signal(self, id: str, number: int) -> None:
        self._host.check("signal", id)
        self._host.signal(self._get(id), number)

    async def stop(self, id: str, signal: int, timeout: float) -> Exit | None:
        container = self._get(id)
        if container.state == "running":
            await self.signal(id, signal)
            try:
                async with asyncio.timeout(timeout):
                    await container.ended.wait()
            except TimeoutError:
                self._host.signal(container, signals.SIGKILL)
                await container.ended.wait()
        return container.exit

    async def delete(self, id: str) -> None:
        self._host.check("delete", id)
        container = self._host.containers.get(id)
        if container is None:
            return
        if container.state == "running":
            self._host.signal(container, signals.SIGKILL)
            await container.ended.wait()
        await asyncio.sleep(self._host.delays.delete)
        self._host.containers.pop(id, None)

    async def refresh(self, id: str, files: Mapping[str, Secret]) -> None:
        self._host.check("refresh", id)
        container = self._get(id)
        container.spec = msgspec.structs.replace(container.spec, files={**container.spec.files, **files})

    async def exec(self, id: str, spec: ExecSpec) -> SimulatedProcess:
        container = self._get(id)
        if container.state != "running":
            raise failure(Failure.CONTAINER_STATE, f"container {id} is not running")
        self._host.check("exec", id)
        behaviour = self._host.behave_exec(container.spec, spec)
        return SimulatedProcess(spec, behaviour, self._host.clock, container.ended)

    async def wait(self, id: str) -> Exit:
        container = self._get(id)
        while container.exit is None:
            await container.ended.wait()
        return container.exit

    async def containers(self) -> list[Container]:
        return [container.view() for container in self._host.containers.values()]

    def events(self) -> AsyncIterator[Event]:
        return self._feed.listen()

    async def stats(self, ids: Sequence[str]) -> dict[str, Stats]:
        self._host.check("stats", "")
        found = {id: self._host.containers[id] for id in ids if id in self._host.containers}
        now = self._host.clock.now()
        return {id: _stats(container, now) for id, container in found.items() if container.state == "running"}

    async def set_group(self, group: str, resources: Resources, storage: int | None = None) -> None:
        self._host.check("set_group", group)
        self._host.groups[group] = resources
        if storage is not None:
            self._host.storage.setdefault(group, Usage(used=0, limit=storage))

    async def share(self, group: str) -> Shared:
        self._host.check("share", group)
        number = self._host.share(group)
        return Shared(pidns=f"/proc/{number}/ns/pid", ipcns=f"/proc/{number}/ns/ipc")

    async def processes(self, group: str) -> frozenset[int]:
        own = {c.pid for c in self._host.containers.values() if c.spec.group == group and c.state == "running"}
        return frozenset(own | ({self._host.shared[group]} if group in self._host.shared else set()))

    async def remove_group(self, group: str) -> None:
        self._host.shared.pop(group, None)
        self._host.groups.pop(group, None)
        self._host.storage.pop(group, None)
        for key in [key for key in self._host.volumes if key[0] == group and group]:
            del self._host.volumes[key]

    async def make_volume(self, volume: Volume) -> None:
        self._host.check("make_volume", volume.name)
        if not NAME.fullmatch(volume.name):
            raise failure(Failure.VOLUME, f"{volume.name!r} cannot name a volume")
        self._host.volumes.setdefault((volume.group, volume.name), volume)

    async def volumes(self) -> list[Volume]:
        return [volume for (group, _), volume in sorted(self._host.volumes.items()) if not group]

    async def storage(self, group: str) -> Usage | None:
        return self._host.storage.get(group)

    async def close(self) -> None:
        self._stop_listening()
        self._feed.close()


def _stats(container: Simulated, now: float) -> Stats:
    behaviour, limits = container.behaviour, container.spec.resources
    cpu_ns = int((now - container.started_at) * behaviour.cpus * 1e9)
    return Stats(
        at=now,
        cpu_ns=cpu_ns,
        cpu_user_ns=cpu_ns,
        cpu_system_ns=0,
        per_cpu_ns=(),
        throttled_periods=0,
        throttled_ns=0,
        memory=behaviour.memory,
        memory_cache=0,
        memory_rss=behaviour.memory,
        memory_inactive_file=0,
        memory_max=behaviour.memory,
        memory_limit=limits.memory,
        oom_kills=0,
        pids=1,
        pids_limit=limits.pids,
        read_bytes=0,
        write_bytes=0,
        read_ops=0,
        write_ops=0,
    )
