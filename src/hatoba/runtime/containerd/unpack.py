"""Layers become snapshots: one per chain id, unpacked by containerd, shared by all images that have them."""

from __future__ import annotations

from hatoba.core.ids import Ids
from hatoba.runtime.coalesce import Coalesce
from hatoba.runtime.containerd.client import EXISTS, NOT_FOUND, CallFailed, Client
from hatoba.runtime.distribution.manifest import Descriptor
from hatoba.runtime.failures import Failure, failure
from hatoba.runtime.stubs.services.diff.v1 import diff_pb2
from hatoba.runtime.stubs.services.leases.v1 import leases_pb2
from hatoba.runtime.stubs.services.snapshots.v1 import snapshots_pb2 as pb
from hatoba.runtime.stubs.types import descriptor_pb2

_APPLY_SECONDS = 1800.0
_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


class Unpacker:
    def __init__(self, client: Client, snapshotter: str, ids: Ids) -> None:
        self._client = client
        self._snapshotter = snapshotter
        self._ids = ids
        self._unpacking: Coalesce[None] = Coalesce()

    async def hold(self, chain_id: str, lease: str) -> bool:
        """Whether the snapshot is here; if so, keep it under the lease, whatever is collected meanwhile."""
        if not await self._has(chain_id):
            return False
        resource = leases_pb2.Resource(id=chain_id, type=f"snapshots/{self._snapshotter}")
        await self._client.call(
            self._client.leases.AddResource, leases_pb2.AddResourceRequest(id=lease, resource=resource)
        )
        return await self._has(chain_id)

    async def _has(self, chain_id: str) -> bool:
        request = pb.StatSnapshotRequest(snapshotter=self._snapshotter, key=chain_id)
        try:
            await self._client.call(self._client.snapshots.Stat, request)
        except CallFailed as error:
            if error.status is NOT_FOUND:
                return False
            raise
        return True

    async def layer(self, layer: Descriptor, diff_id: str, parent: str, chain_id: str, lease: str) -> None:
        """Unpack one layer upon its parent ("" for the lowest). Its content must be in the store."""
        await self._unpacking.run(chain_id, lambda: self._layer(layer, diff_id, parent, chain_id, lease))

    async def _layer(self, layer: Descriptor, diff_id: str, parent: str, chain_id: str, lease: str) -> None:
        snapshots = self._client.snapshots
        key = f"unpack-{self._ids.hex(12)} {chain_id}"
        prepare = pb.PrepareSnapshotRequest(snapshotter=self._snapshotter, key=key, parent=parent)
        mounts = (await self._client.call(snapshots.Prepare, prepare, lease=lease)).mounts
        try:
            apply = diff_pb2.ApplyRequest(diff=descriptor(layer), mounts=mounts)
            applied = (await self._client.call(self._client.diff.Apply, apply, timeout=_APPLY_SECONDS)).applied
            if applied.digest != diff_id:
                raise failure(
                    Failure.IMAGE_MANIFEST, f"layer {layer.digest} unpacks to {applied.digest}, not {diff_id}"
                )
            commit = pb.CommitSnapshotRequest(snapshotter=self._snapshotter, name=chain_id, key=key)
            await self._client.call(snapshots.Commit, commit, lease=lease)
        except CallFailed as error:
            await self._drop(key)
            if error.status is EXISTS:
                return
            if error.code == Failure.INTERNAL:
                raise failure(Failure.IMAGE_MANIFEST, f"layer {layer.digest}: {error.message}") from error
            raise
        except BaseException:
            await self._drop(key)
            raise

    async def _drop(self, key: str) -> None:
        request = pb.RemoveSnapshotRequest(snapshotter=self._snapshotter, key=key)
        try:
            await self._client.call(self._client.snapshots.Remove, request)
        except CallFailed as error:
            if error.status is not NOT_FOUND:
                raise


def descriptor(layer: Descriptor) -> descriptor_pb2.Descriptor:
    return descriptor_pb2.Descriptor(media_type=layer.media_type or _GZIP, digest=layer.digest, size=layer.size)
