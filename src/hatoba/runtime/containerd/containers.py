"""Containers: created, started, signalled and deleted, with as few calls to containerd as that takes.

A fresh start is four: Containers.Create, Snapshots.Prepare, Tasks.Create, Tasks.Start. The container is recorded before
its snapshot is made, because containerd's garbage collector keeps what a container names. The whole `ContainerSpec` is
kept with it, so that a new process of ours finds everything it needs.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Mapping

import msgspec
from google.protobuf import any_pb2

from hatoba.core.ids import Ids
from hatoba.core.secret import Secret
from hatoba.runtime import devices, oci, seccomp, users
from hatoba.runtime.base import ContainerSpec, Exit
from hatoba.runtime.cgroups import Cgroups
from hatoba.runtime.check import check
from hatoba.runtime.containerd import rootfs
from hatoba.runtime.containerd.client import EXISTS, CallFailed, Client
from hatoba.runtime.containerd.files import Files
from hatoba.runtime.containerd.filters import Filters
from hatoba.runtime.containerd.images import Images, Stored
from hatoba.runtime.containerd.records import Record, Records
from hatoba.runtime.containerd.roots import Roots
from hatoba.runtime.containerd.secrets import Secrets
from hatoba.runtime.containerd.settings import Settings
from hatoba.runtime.containerd.storage import Storage
from hatoba.runtime.containerd.tasks import Tasks
from hatoba.runtime.failures import Failure, failure
from hatoba.runtime.machine import Machine
from hatoba.runtime.stubs.runc import options_pb2
from hatoba.runtime.stubs.services.containers.v1 import containers_pb2

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
        self._images = images
        self._records = records
        self._storage = storage
        self._roots = Roots(client, settings, images, storage, ids)
        self._tasks = Tasks(client, settings, machine, cgroups, self._roots)
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
        record = Record(spec, process, await self._roots.prepare(spec.id, image.chain_id))
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
        folders = await self._roots.folders(chain_id)
        return rootfs.read(folders, "/etc/passwd"), rootfs.read(folders, "/etc/group")

    async def _layers(self, spec: ContainerSpec, image: Stored) -> list[str]:
        """What new volumes are filled from; not asked for where there are none."""
        if not image.chain_id or all(mount.kind != "volume" for mount in spec.mounts):
            return []
        return await self._roots.folders(image.chain_id)

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
                await self._tasks.remove(record)
            record.renew()
            if not record.has_task:
                await self._tasks.create(record)
                self._filters.learn(id)
            return await self._tasks.start(record)

    async def signal(self, id: str, number: int) -> None:
        await self._tasks.signal(self._records.get(id), number)

    async def stop(self, id: str, number: int, timeout: float) -> Exit | None:
        record = self._records.get(id)
        if record.pid and record.exit is None:
            await self._tasks.signal(record, number)
            try:
                async with asyncio.timeout(timeout):
                    return await record.wait()
            except TimeoutError:
                return await self._tasks.end(record)
        return record.exit

    async def delete(self, id: str) -> None:
        record = self._records.all.get(id)
        if record is not None:
            async with record.lock:
                if record.pid and record.exit is None:
                    await self._tasks.end(record)
                if record.has_task:
                    await self._tasks.remove(record)
                if record.unsure:
                    await self._tasks.make_sure(record)
        request = containers_pb2.DeleteContainerRequest(id=id)
        await self._client.ensure_gone(self._client.containers.Delete, request)
        await self._roots.remove(id)
        self._records.all.pop(id, None)
        self.secrets.forget(id)
        self.files.forget(id)
        self._filters.forget(id)


def _known(spec: ContainerSpec) -> bytes:
    """What containerd is told of a spec, for a later process of ours: all but its secrets."""
    return msgspec.json.encode(msgspec.structs.replace(spec, secrets={}, files={}))
