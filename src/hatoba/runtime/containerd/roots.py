"""The root file system of a container: a snapshot of its image, and the mounts that it is put together from."""

from __future__ import annotations

from hatoba.core.ids import Ids
from hatoba.runtime.containerd import rootfs, sharing
from hatoba.runtime.containerd.client import EXISTS, NOT_FOUND, CallFailed, Client
from hatoba.runtime.containerd.images import Images
from hatoba.runtime.containerd.records import Record
from hatoba.runtime.containerd.settings import Settings
from hatoba.runtime.containerd.storage import Storage
from hatoba.runtime.failures import Failure, failure
from hatoba.runtime.stubs.services.snapshots.v1 import snapshots_pb2
from hatoba.runtime.stubs.types.mount_pb2 import Mount


class Roots:
    def __init__(self, client: Client, settings: Settings, images: Images, storage: Storage, ids: Ids) -> None:
        self._client = client
        self._settings = settings
        self._images = images
        self._storage = storage
        self._ids = ids

    async def of(self, record: Record) -> list[Mount]:
        """What its task is to be given."""
        if not record.spec.image:
            return sharing.root(self._settings)
        if record.mounts is None:
            record.mounts = await self._found(record)
        return await self._storage.root(record.spec, record.mounts)

    async def remake(self, record: Record) -> None:
        await self.remove(record.spec.id)
        record.mounts = await self._prepared(record)

    async def prepare(self, id: str, chain_id: str) -> list[Mount]:
        request = snapshots_pb2.PrepareSnapshotRequest(snapshotter=self._settings.snapshotter, key=id, parent=chain_id)
        try:
            return list((await self._client.call(self._client.snapshots.Prepare, request)).mounts)
        except CallFailed as error:
            if error.status is EXISTS:
                return await self._mounts(id)
            if error.status is NOT_FOUND:
                raise failure(Failure.IMAGE_NOT_FOUND, f"the image of {id} is not on this node any more") from error
            raise

    async def folders(self, chain_id: str) -> list[str]:
        """Where an image's layers lie, uppermost first. A view tells; nothing is mounted."""
        snapshots, key = self._client.snapshots, f"view-{self._ids.hex(12)}"
        request = snapshots_pb2.ViewSnapshotRequest(snapshotter=self._settings.snapshotter, key=key, parent=chain_id)
        found = rootfs.layers((await self._client.call(snapshots.View, request)).mounts)
        await self.remove(key)
        return found

    async def remove(self, key: str) -> None:
        request = snapshots_pb2.RemoveSnapshotRequest(snapshotter=self._settings.snapshotter, key=key)
        await self._client.ensure_gone(self._client.snapshots.Remove, request)

    async def _found(self, record: Record) -> list[Mount]:
        """Of a container that an earlier process of ours has recorded: it may have ended before the snapshot."""
        try:
            return await self._mounts(record.spec.id)
        except CallFailed as error:
            if error.status is not NOT_FOUND:
                raise
        return await self._prepared(record)

    async def _prepared(self, record: Record) -> list[Mount]:
        return await self.prepare(record.spec.id, self._images.get(record.spec.image).chain_id)

    async def _mounts(self, id: str) -> list[Mount]:
        request = snapshots_pb2.MountsRequest(snapshotter=self._settings.snapshotter, key=id)
        return list((await self._client.call(self._client.snapshots.Mounts, request)).mounts)
