"""Carries instructions out against the runtime and the network, and answers each with an event.

Launches are bounded: containers started without a bound make a machine unusable. A component that is away for a moment
postpones the instruction; everything else that fails is told as what it is.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Container
from pathlib import Path
from typing import Protocol

from hatoba.core.clock import Clock
from hatoba.core.errors import PortError
from hatoba.core.tasks import TaskGroup
from hatoba.fleet.model import ContainerWanted, Workload, container_id
from hatoba.node import events as step
from hatoba.node import metadata_file, translate
from hatoba.node.etc import etc_files
from hatoba.node.events import Instruction
from hatoba.node.held import Held
from hatoba.node.places import Places
from hatoba.node.registries import addresses, split
from hatoba.node.router import write_router
from hatoba.node.translate import Place
from hatoba.node.wiring import Wiring
from hatoba.runtime.base import Image, ImageConfig, ImageSource, Platform, Runtime, Shared, Stdio
from hatoba.runtime.failures import Failure, failure

log = logging.getLogger(__name__)

LAUNCHES = 8  # at a time
POSTPONE = 0.5  # seconds
REGISTRY_PATIENCE = 60.0  # seconds for which pulls from a registry of ours that does not answer are tried again

Emit = Callable[[str, step.Event], None]


class Output(Protocol):
    """Where containers' output goes: see `logs`."""

    async def open(self, workload: Workload, container: ContainerWanted) -> Stdio:
        """The FIFOs to hand to the runtime."""
        ...

    async def ended(self, workload: str, container: str) -> None:
        """The container will write no more: ship what is left, then forget it."""
        ...


class Worker:
    def __init__(
        self,
        runtime: Runtime,
        wiring: Wiring,
        output: Output,
        folder: Path,
        clock: Clock,
        platform: Platform,
        emit: Emit,
        endpoint: str = "",
        endpoint6: str = "",
        *,
        told_by_file: bool = False,
    ) -> None:
        """`endpoint`, `endpoint6`, `told_by_file`: see `Places`."""
        self._runtime = runtime
        self._wiring = wiring
        self._output = output
        self._folder = folder
        self._clock = clock
        self._platform = platform
        self._emit = emit
        self.places = Places(wiring, folder, endpoint, endpoint6=endpoint6, told_by_file=told_by_file)
        self._images: dict[str, ImageConfig] = {}  # by digest
        self._launching = asyncio.Semaphore(LAUNCHES)
        self._tasks = TaskGroup("worker")

    async def start(self) -> None:
        for image in await self._runtime.images():
            self._images[image.digest] = image.config

    async def close(self) -> None:
        await self._tasks.close()

    def perform(self, held: Held, instruction: Instruction, known: Callable[[], Awaitable[None]]) -> None:
        """`known` returns once what led to the instruction is on disk: an agent that is killed in the middle of it
        knows of it afterwards."""
        acts: dict[step.Verb, Callable[[Held, str], Awaitable[None]]] = {
            "attach": self._attach,
            "detach": self._detach,
            "pull": self._pull,
            "launch": self._launch,
            "restart": self._restart,
            "refresh": self._refresh,
            "stop": self._stop,
            "delete": self._delete,
        }
        act = acts[instruction.verb]
        self._tasks.start(self._guarded(held, instruction, act, known), f"{instruction.verb} {held.workload.id}")

    async def _guarded(
        self,
        held: Held,
        instruction: Instruction,
        act: Callable[[Held, str], Awaitable[None]],
        known: Callable[[], Awaitable[None]],
    ) -> None:
        """A component that is away, or a failure of an act that has to succeed in the end, means: again, later."""
        await known()
        try:
            await act(held, instruction.container)
        except PortError as error:
            log.warning("%s %s: %s; again in %.1f s", *instruction, error, POSTPONE)
            await asyncio.sleep(POSTPONE)
            self._emit(held.workload.id, step.Postponed(instruction))

    # --- network

    async def _attach(self, held: Held, _: str) -> None:
        workload = held.workload
        try:
            await self.places.of(workload)
        except PortError as error:
            self._emit(workload.id, step.AttachFailed(error.code, error.message))
        else:
            self._emit(workload.id, step.Attached(self._clock.now(), self.places.seats(workload.id)))

    async def _detach(self, held: Held, _: str) -> None:
        await self.places.leave(held.workload)
        self._emit(held.workload.id, step.Detached())

    # --- containers

    async def _pull(self, held: Held, name: str) -> None:
        wanted = _container(held, name)
        started = self._clock.now()
        if not wanted.image.host and not self.places.registry:
            raise failure(Failure.UNAVAILABLE, "the platform's registry is not known before the first session")
        source = translate.image_source(wanted.image, self.places.registry)
        try:
            if wanted.image.host:
                await self._check_way(held.workload, source)
            image = await self._pulled(source, ours=not wanted.image.host)
        except PortError as error:
            if error.code == Failure.UNAVAILABLE:
                raise
            self._emit(held.workload.id, step.Failed(name, error.code, error.message, started))
            return
        self._images[image.digest] = image.config
        self._emit(held.workload.id, step.Pulled(name, image.digest, started, self._clock.now()))

    async def _check_way(self, workload: Workload, source: ImageSource) -> None:
        """A Fargate task's images come the way that the task's own packets would."""
        if workload.interface is None or workload.metadata.get("LaunchType") != "FARGATE":
            return
        host, port = split(source)
        known = await addresses(host)
        if known and not any(self._wiring.reaches(workload.interface, address) for address in known):
            raise failure(Failure.IMAGE_NETWORK, f"{host}:{port}: i/o timeout")

    async def _pulled(self, source: ImageSource, *, ours: bool) -> Image:
        """The platform's own registry is away while the control plane starts again: that is no fault of the task."""
        deadline = self._clock.monotonic() + REGISTRY_PATIENCE
        while True:
            try:
                return await self._runtime.pull(source, self._platform)
            except PortError as error:
                if not (ours and error.code == Failure.IMAGE_NETWORK and self._clock.monotonic() < deadline):
                    raise
                log.info("pull %s: %s; again in %.1f s", source.name, error, POSTPONE)
            await asyncio.sleep(POSTPONE)

    async def _launch(self, held: Held, name: str) -> None:
        wanted = _container(held, name)
        async with self._launching:
            try:
                event = await self._launched(held, wanted)
            except PortError as error:
                if error.code == Failure.UNAVAILABLE:
                    raise
                event = step.Failed(name, error.code, error.message)
        self._emit(held.workload.id, event)

    async def _launched(self, held: Held, wanted: ContainerWanted) -> step.Event:
        workload, status = held.workload, held.container(wanted.name)
        place = await self.places.of(workload)
        config = self._images.get(status.image_digest)
        if config is None:
            return step.Failed(wanted.name, Failure.IMAGE_NOT_FOUND, f"the image {wanted.image.name} was removed")
        stdio = await self._output.open(workload, wanted)
        shared = await self._shared(workload)
        spec = translate.container_spec(workload, wanted, config, status.image_digest, place, stdio, shared)
        if not spec.args:
            return step.Failed(wanted.name, Failure.CONTAINER_SPEC, "no command specified")
        try:
            self._write_files(workload, wanted, place, status.image_digest)
        except OSError as error:
            code = Failure.DISK_FULL if error.errno == errno.ENOSPC else Failure.INTERNAL
            raise failure(code, f"the files of {workload.id} cannot be written: {error.strerror}") from error
        await self._make_volumes(workload, wanted, config)
        container = await self._runtime.create(spec)
        created = self._clock.now()
        if spec.files:  # the first try of a launch that is taken up again may have written older ones
            await self._runtime.refresh(spec.id, spec.files)
        if container.state == "created":
            await self._runtime.start(spec.id)
        files = wanted.files.version if wanted.files is not None else 0
        return step.Launched(wanted.name, spec.id, created, self._clock.now(), files)

    async def _restart(self, held: Held, name: str) -> None:
        """The process again, in the same container: what it has written to its root is still there."""
        status = held.container(name)
        async with self._launching:
            began = self._clock.now()  # before its process can end: so that this end is told from the one before
            try:
                await self._runtime.start(status.runtime_id)
            except PortError as error:
                if error.code == Failure.UNAVAILABLE:
                    raise
                event: step.Event = step.Failed(name, error.code, error.message)
            else:
                event = step.Launched(name, status.runtime_id, status.created or began, began)
        self._emit(held.workload.id, event)

    async def _refresh(self, held: Held, name: str) -> None:
        """New contents of its secret files. One that is gone meanwhile needs none."""
        files = _container(held, name).files
        assert files is not None
        try:
            await self._runtime.refresh(held.container(name).runtime_id, files.contents)
        except PortError as error:
            if error.code != Failure.CONTAINER_NOT_FOUND:
                raise
        self._emit(held.workload.id, step.Refreshed(name, files.version))

    def _write_files(self, workload: Workload, wanted: ContainerWanted, place: Place, digest: str) -> None:
        folder = place.files / wanted.name
        folder.mkdir(parents=True, exist_ok=True)
        if wanted.interactive and not translate.stdin(wanted, place).exists():
            os.mkfifo(translate.stdin(wanted, place), 0o600)
        for mount in wanted.mounts:
            if mount.source and not os.path.exists(mount.source):
                os.makedirs(mount.source)  # as docker does for a bind mount
        if wanted.router is not None:
            write_router(wanted.router, place.files)
        for name, text in etc_files(workload, wanted, place).items():
            (folder / name).write_text(text)
        if translate.has_file(workload, place):
            self._write_metadata(workload, wanted, place, digest)

    def _write_metadata(self, workload: Workload, wanted: ContainerWanted, place: Place, digest: str) -> None:
        seats = self.places.seats(workload.id)
        seat = next((seat for seat in seats if seat.container == wanted.name), None)
        folder = metadata_file.folder(place.files, wanted.name)
        folder.mkdir(exist_ok=True)
        told = metadata_file.text(
            workload,
            wanted,
            container_id=container_id(workload.id, wanted.name),
            digest=digest,
            addresses=place.addresses_of(wanted.name),
            bindings=seat.bindings if seat is not None else (),
        )
        (folder / metadata_file.NAME).write_bytes(told)

    async def _shared(self, workload: Workload) -> Shared | None:
        """What its containers share, in a group with the workload's limits."""
        await self._runtime.set_group(workload.id, translate.task_resources(workload), workload.storage)
        if "task" in (workload.pid_mode, workload.ipc_mode):
            return await self._runtime.share(workload.id)
        return None

    async def _make_volumes(self, workload: Workload, wanted: ContainerWanted, image: ImageConfig) -> None:
        for volume in translate.volumes(workload, wanted, image):
            if not volume.provision and volume.name not in {known.name for known in await self._runtime.volumes()}:
                raise failure(
                    Failure.VOLUME,
                    f"volume detection failed, volume '{volume.name}' does not exist and autoprovision is set to false",
                )
            await self._runtime.make_volume(translate.volume(volume, workload.id))

    async def _stop(self, held: Held, name: str) -> None:
        wanted, status = _container(held, name), held.container(name)
        config = self._images.get(status.image_digest)
        number = _signal(config.stop_signal if config else "")
        exit_ = await self._runtime.stop(status.runtime_id, number, wanted.stop_timeout)
        if exit_ is None:
            self._emit(held.workload.id, step.Vanished(name))
        else:
            self._emit(held.workload.id, step.Exited(name, exit_.code, exit_.at, exit_.oom))

    async def _delete(self, held: Held, name: str) -> None:
        await self._runtime.delete(container_id(held.workload.id, name))
        await self._output.ended(held.workload.id, name)
        self._emit(held.workload.id, step.Deleted(name))

    async def sweep(self, held: Container[str]) -> None:
        """Cleans up after workloads that a crash left half cleaned."""
        names = await asyncio.to_thread(lambda: [path.name for path in self._folder.glob("*")])
        for name in names:
            if name not in held:
                self.cleaning(name)

    def cleaning(self, workload: str) -> None:
        """Once a workload is stopped: its cgroup and its files go."""
        self._tasks.start(self._clean(workload), f"clean {workload}")

    async def _clean(self, workload: str) -> None:
        for _ in range(20):  # a runtime that stays away longer leaves an empty cgroup to the next start's sweep
            try:
                await self._runtime.remove_group(workload)
            except PortError:
                await asyncio.sleep(POSTPONE)
            else:
                self.places.forget(workload)
                await asyncio.to_thread(shutil.rmtree, self._folder / workload, ignore_errors=True)
                return


def _container(held: Held, name: str) -> ContainerWanted:
    return next(c for c in held.workload.containers if c.name == name)


def _signal(name: str) -> int:
    """A stop signal by name or number, as images have it; SIGTERM when there is none or it is unknown."""
    text = name.upper()
    if text.isdigit():
        return int(text)
    try:
        return signal.Signals[text if text.startswith("SIG") else f"SIG{text}"].value
    except KeyError:
        return signal.SIGTERM.value
