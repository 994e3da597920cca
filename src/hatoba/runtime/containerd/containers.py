"""Containers: created, started, signalled and deleted, with as few calls to containerd as that takes.

A fresh start is four: Containers.Create, Snapshots.Prepare, Tasks.Create, Tasks.Start. The container is recorded before
its snapshot is made, because containerd's garbage collector keeps what a container names. The whole `ContainerSpec` is
kept with it, so that a new process of ours finds everything it needs.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal as signals
from collections.abc import Mapping

import msgspec
from google.protobuf import any_pb2

from hatoba.core.ids import Ids
from hatoba.core.secret import Secret
from hatoba.runtime import devices, oci, seccomp, users
from hatoba.runtime.base import ContainerSpec, Exit
from hatoba.runtime.cgroups import Cgroups
from hatoba.runtime.check import check
from hatoba.runtime.containerd import leftovers, rootfs, sharing
from hatoba.runtime.containerd.client import EXISTS, FAILED_PRECONDITION, NOT_FOUND, CallFailed, Client
from hatoba.runtime.containerd.files import Files
from hatoba.runtime.containerd.filters import Filters
from hatoba.runtime.containerd.images import Images, Stored
from hatoba.runtime.containerd.records import Record, Records
from hatoba.runtime.containerd.secrets import Secrets
from hatoba.runtime.containerd.settings import Settings
from hatoba.runtime.containerd.storage import Storage
from hatoba.runtime.failures import Failure, failure
from hatoba.runtime.machine import Machine
from hatoba.runtime.stubs.runc import options_pb2
from hatoba.runtime.stubs.services.containers.v1 import containers_pb2
from hatoba.runtime.stubs.services.snapshots.v1 import snapshots_pb2
from hatoba.runtime.stubs.services.tasks.v1 import tasks_pb2
from hatoba.runtime.stubs.types.mount_pb2 import Mount
from hatoba.runtime.stubs.types.task import task_pb2

SPEC_EXTENSION = "hatoba.spec"
SPEC_URL = "types.containerd.io/opencontainers/runtime-spec/1/Spec"

_ACCOUNTS = 256  # images whose user files are remembered


class Containers:
    def __init__(
        self,
        client: Client,
        settings: Settings,
        machine: Machine,
        cgroups: Cgroups,
        images: Images,
        records: Records,
        storage: Storage,
        ids: Ids,
    ) -> None:
        self._client = client
        self._settings = settings
        self._machine = machine
        self._cgroups = cgroups
        self._images = images
        self._records = records
        self._storage = storage
        self._ids = ids
        self._filters = Filters(settings.run / "crun")
        self._accounts: dict[str, tuple[str, str]] = {}
        options = options_pb2.Options(binary_name=settings.crun, root=str(settings.run / "crun"))
        packed = any_pb2.Any(type_url="containerd.runc.v1.Options", value=options.SerializeToString())
        self._runtime = containers_pb2.Container.Runtime(name="io.containerd.runc.v2", options=packed)
        self.secrets = Secrets(settings)
        self.files = Files(settings)
        options = options_pb2.Options(binary_name=str(self.secrets.wrapper), root=str(settings.run / "crun"))
        packed = any_pb2.Any(type_url="containerd.runc.v1.Options", value=options.SerializeToString())
        self._with_secrets = containers_pb2.Container.Runtime(name="io.containerd.runc.v2", options=packed)
        self.daemon_pid = 0

    async def create(self, spec: ContainerSpec) -> Record:
        known = self._records.all.get(spec.id)
        if known is not None:
            return known
        check(spec)
        if not spec.image:
            return await self._create_bare(spec)
        image = self._images.get(spec.image)
        user = users.resolve(spec.user, *await self._account_files(image))
        nodes = devices.resolve(spec.devices, privileged=spec.privileged)
        mounts = await self._storage.bound(spec, await self._layers(spec, image))
        if spec.files:
            self._keep_files(spec.id, spec.files, user.uid, user.gid)
        shown = msgspec.structs.replace(spec, mounts=(*mounts, *self.files.mounts(spec.id, spec.files)))
        config = oci.config(shown, self._machine, user, seccomp.installed(), self._netns(spec.netns), nodes)
        self._filters.annotate(spec.id, config)
        if spec.secrets:
            self.secrets.keep(spec.id, spec.secrets)
        await self._write(spec, config)
        process = self.secrets.add(spec.id, config["process"])
        record = Record(spec, process, await self._prepare(spec.id, image.chain_id))
        return self._records.all.setdefault(spec.id, record)

    def _keep_files(self, id: str, files: Mapping[str, Secret], uid: int, gid: int) -> None:
        try:
            self.files.keep(id, files, uid, gid)
        except OSError as error:
            code = Failure.DISK_FULL if error.errno == errno.ENOSPC else Failure.INTERNAL
            raise failure(code, f"the secret files of {id} cannot be written: {error.strerror}") from error

    def refresh(self, id: str, files: Mapping[str, Secret]) -> None:
        user = self._records.get(id).process["user"]
        self._keep_files(id, files, user["uid"], user["gid"])

    async def _create_bare(self, spec: ContainerSpec) -> Record:
        """One that has no image, and so no snapshot."""
        config = oci.config(spec, self._machine, users.resolve("", "", ""), seccomp.installed())
        self._filters.annotate(spec.id, config)
        await self._write(spec, config)
        return self._records.all.setdefault(spec.id, Record(spec, config["process"]))

    async def user(self, record: Record, name: str) -> users.User:
        """Who `name` is in a container's image."""
        return users.resolve(name, *await self._account_files(self._images.get(record.spec.image)))

    async def _write(self, spec: ContainerSpec, config: dict[str, object]) -> None:
        container = containers_pb2.Container(
            id=spec.id,
            image=spec.image,
            runtime=self._with_secrets if spec.secrets else self._runtime,
            spec=any_pb2.Any(type_url=SPEC_URL, value=msgspec.json.encode(config)),
            snapshotter=self._settings.snapshotter,
            snapshot_key=spec.id,
            extensions={SPEC_EXTENSION: any_pb2.Any(type_url=SPEC_EXTENSION, value=_known(spec))},
        )
        try:
            await self._client.call(
                self._client.containers.Create, containers_pb2.CreateContainerRequest(container=container)
            )
        except CallFailed as error:
            if error.status is not EXISTS:  # a creation that was cut short
                raise

    async def _prepare(self, id: str, chain_id: str) -> list[Mount]:
        request = snapshots_pb2.PrepareSnapshotRequest(snapshotter=self._settings.snapshotter, key=id, parent=chain_id)
        try:
            return list((await self._client.call(self._client.snapshots.Prepare, request)).mounts)
        except CallFailed as error:
            if error.status is EXISTS:
                return await self._mounts(id)
            if error.status is NOT_FOUND:
                raise failure(Failure.IMAGE_NOT_FOUND, f"the image of {id} is not on this node any more") from error
            raise

    async def _mounts(self, id: str) -> list[Mount]:
        request = snapshots_pb2.MountsRequest(snapshotter=self._settings.snapshotter, key=id)
        return list((await self._client.call(self._client.snapshots.Mounts, request)).mounts)

    async def _root(self, record: Record) -> list[Mount]:
        if not record.spec.image:
            return sharing.root(self._settings)
        if record.mounts is None:
            record.mounts = await self._made_mounts(record)
        return await self._storage.root(record.spec, record.mounts)

    async def _made_mounts(self, record: Record) -> list[Mount]:
        """Of a container that an earlier process of ours has recorded: it may have ended before the snapshot."""
        try:
            return await self._mounts(record.spec.id)
        except CallFailed as error:
            if error.status is not NOT_FOUND:
                raise
        return await self._prepare(record.spec.id, self._images.get(record.spec.image).chain_id)

    async def _account_files(self, image: Stored) -> tuple[str, str]:
        """/etc/passwd and /etc/group of an image, looked up once."""
        found = self._accounts.get(image.chain_id)
        if found is None:
            found = await self._read_accounts(image.chain_id) if image.chain_id else ("", "")
            if len(self._accounts) >= _ACCOUNTS:
                self._accounts.clear()
            self._accounts[image.chain_id] = found
        return found

    async def _read_accounts(self, chain_id: str) -> tuple[str, str]:
        folders = await self._folders(chain_id)
        return rootfs.read(folders, "/etc/passwd"), rootfs.read(folders, "/etc/group")

    async def _layers(self, spec: ContainerSpec, image: Stored) -> list[str]:
        """What new volumes are filled from; not asked for where there are none."""
        if not image.chain_id or all(mount.kind != "volume" for mount in spec.mounts):
            return []
        return await self._folders(image.chain_id)

    async def _folders(self, chain_id: str) -> list[str]:
        """Where an image's layers lie, uppermost first. A view tells; nothing is mounted."""
        snapshots, key = self._client.snapshots, f"view-{self._ids.hex(12)}"
        request = snapshots_pb2.ViewSnapshotRequest(snapshotter=self._settings.snapshotter, key=key, parent=chain_id)
        folders = rootfs.layers((await self._client.call(snapshots.View, request)).mounts)
        await self._remove_snapshot(key)
        return folders

    def _netns(self, path: str) -> str:
        """The path by which containerd, in its own mount namespace, finds a network namespace that we see at `path`.

        A namespace that was pinned after containerd started is not visible there; it is through /proc.
        """
        if path in ("", "host"):
            return path
        try:
            wanted = os.stat(path)
        except OSError as error:
            raise failure(Failure.CONTAINER_SPEC, f"network namespace {path}: {error.strerror}") from error
        for seen, named in (
            (f"/proc/{self.daemon_pid}/root{path}", path),
            (f"/proc/1/root{path}", f"/proc/1/root{path}"),
            (f"/proc/{os.getpid()}/root{path}", f"/proc/{os.getpid()}/root{path}"),
        ):
            try:
                found = os.stat(seen)
            except OSError:
                continue
            if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                return named
        raise failure(Failure.CONTAINER_SPEC, f"network namespace {path} cannot be seen by containerd")

    async def start(self, id: str) -> int:
        record = self._records.get(id)
        async with record.lock:
            if record.pid:
                return record.pid
            if record.exit is not None:
                await self._drop_task(record)
            record.renew()
            if not record.has_task:
                await self._create_task(record)
            return await self._start_task(record)

    async def _create_task(self, record: Record) -> None:
        spec, io = record.spec, record.spec.stdio
        request = tasks_pb2.CreateTaskRequest(
            container_id=spec.id,
            rootfs=await self._root(record),
            stdin=io.stdin,
            stdout=io.stdout,
            stderr="" if io.terminal else io.stderr,
            terminal=io.terminal,
        )
        try:
            record.task_pid = (await self._client.call(self._client.tasks.Create, request)).pid
        except CallFailed as error:
            if error.status is not EXISTS:
                await self._mend(record, error)
                raise _start_failure(error) from error
            process = await self._process(spec.id)  # made by an earlier start of ours, whose answer was lost
            record.task_pid = process.pid if process else 0
        record.has_task = True
        self._filters.learn(spec.id)

    async def _start_task(self, record: Record) -> int:
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
            await self._drop_task(record)
            raise _start_failure(error) from error
        record.started(answer.pid)
        return int(answer.pid)

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

    async def _mend(self, record: Record, error: CallFailed) -> None:
        """What a killed containerd, or a killed process of ours that asked it, has left half-made is made anew; the
        start is then to be tried again."""
        spec, id = record.spec, record.spec.id
        if "mkdir" in error.message and "file exists" in error.message:
            leftovers.clear(self._cgroups, self._settings, id)
        elif f"container `{id}` already exists" in error.message:
            await leftovers.clear_crun(
                self._cgroups, self._settings, id, oci.cgroup_path(self._machine, spec.group, id)
            )
        elif spec.image and "failed to mount rootfs" in error.message:
            await self._remove_snapshot(id)
            record.mounts = await self._prepare(id, self._images.get(record.spec.image).chain_id)
        else:
            return
        raise failure(Failure.UNAVAILABLE, f"{id} was half-made, and is made anew: {error.message}") from error

    async def signal(self, id: str, number: int, *, everything: bool = False) -> None:
        record = self._records.get(id)
        if not record.has_task or record.exit is not None:
            return
        request = tasks_pb2.KillRequest(container_id=id, signal=number, all=everything)
        try:
            await self._client.call(self._client.tasks.Kill, request)
        except CallFailed as error:
            if error.status not in (NOT_FOUND, FAILED_PRECONDITION) and "already finished" not in error.message:
                raise

    async def stop(self, id: str, number: int, timeout: float) -> Exit | None:
        record = self._records.get(id)
        if record.pid and record.exit is None:
            await self.signal(id, number)
            try:
                async with asyncio.timeout(timeout):
                    return await record.wait()
            except TimeoutError:
                await self.signal(id, signals.SIGKILL, everything=True)
                return await record.wait()
        return record.exit

    async def delete(self, id: str) -> None:
        record = self._records.all.get(id)
        if record is not None:
            async with record.lock:
                if record.pid and record.exit is None:
                    await self.signal(id, signals.SIGKILL, everything=True)
                    await record.wait()
                if record.has_task:
                    await self._drop_task(record)
        request = containers_pb2.DeleteContainerRequest(id=id)
        await self._quietly(self._client.containers.Delete, request)
        if (self._settings.bundles / id).exists():  # its task was being made when our end cut that short
            leftovers.clear(self._cgroups, self._settings, id)
        await self._remove_snapshot(id)
        self._records.all.pop(id, None)
        self.secrets.forget(id)
        self.files.forget(id)
        self._filters.forget(id)

    async def _drop_task(self, record: Record) -> None:
        """With its shim; one that was killed has left its socket. Where nothing else helps, to be tried again."""
        id = record.spec.id
        try:
            await self._quietly(self._client.tasks.Delete, tasks_pb2.DeleteTaskRequest(container_id=id))
        except CallFailed as error:
            if error.code != Failure.INTERNAL:
                raise
            leftovers.end_shim(self._cgroups, self._settings, id)
            raise failure(Failure.UNAVAILABLE, f"{id} is being cleared away: {error.message}") from error
        self._settings.shim_socket(id).unlink(missing_ok=True)
        record.has_task, record.task_pid = False, 0

    async def _remove_snapshot(self, key: str) -> None:
        request = snapshots_pb2.RemoveSnapshotRequest(snapshotter=self._settings.snapshotter, key=key)
        await self._quietly(self._client.snapshots.Remove, request)

    async def _quietly(self, method: object, request: object) -> None:
        """What is gone already is done."""
        try:
            await self._client.call(method, request)  # type: ignore[arg-type]  # an untyped stub
        except CallFailed as error:
            if error.status is not NOT_FOUND:
                raise


def _known(spec: ContainerSpec) -> bytes:
    """What containerd is told of a spec, for a later process of ours: all but its secrets."""
    return msgspec.json.encode(msgspec.structs.replace(spec, secrets={}, files={}))


def _start_failure(error: CallFailed) -> Exception:
    """crun's own words, without the wrapping of those who passed them on."""
    if error.code in (Failure.UNAVAILABLE, Failure.DISK_FULL):
        return error
    text = error.message.replace("failed to create shim task: ", "").replace("OCI runtime create failed: ", "")
    return failure(Failure.CONTAINER_START, text.removesuffix(": unknown"))
