"""Images: resolved at their registry, fetched into containerd's content store, unpacked into snapshots, remembered.

containerd 1.6 leaves resolving and fetching to its clients; unpacking and storing are its own. An image is kept under
its digest, with the names it was pulled by as a label. Its manifest, config and snapshots hang together by containerd's
garbage collection labels; layers do not: once unpacked, their compressed content is of no use on a node, and goes with
the lease that protects a pull in progress.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from hatoba.core.clock import Clock
from hatoba.core.ids import Ids
from hatoba.runtime.base import Image, ImageSource, Platform
from hatoba.runtime.coalesce import Coalesce
from hatoba.runtime.containerd.client import EXISTS, NOT_FOUND, CallFailed, Client
from hatoba.runtime.containerd.content import Content
from hatoba.runtime.containerd.unpack import Unpacker
from hatoba.runtime.distribution import manifest as m
from hatoba.runtime.distribution.client import Repository
from hatoba.runtime.failures import Failure, failure
from hatoba.runtime.stubs.services.images.v1 import images_pb2
from hatoba.runtime.stubs.services.leases.v1 import leases_pb2
from hatoba.runtime.stubs.types import descriptor_pb2

_LEASE = "hatoba-pulls"
_DOWNLOADS = 4  # side by side, over all pulls
_NAMES = 16  # an image is remembered under; a label holds 4096 bytes
_DETAILS = "hatoba/image"


class _Details(msgspec.Struct, frozen=True, kw_only=True):
    """What a label of the image keeps for us."""

    names: tuple[str, ...]
    chain_id: str
    config: str  # its digest
    size: int
    pulled_at: float


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    image: Image
    chain_id: str  # the snapshot that containers start from; "" when it has no layers
    config: str


class Images:
    def __init__(self, client: Client, snapshotter: str, clock: Clock, ids: Ids) -> None:
        self._client = client
        self._snapshotter = snapshotter
        self._clock = clock
        self._content = Content(client)
        self._unpacker = Unpacker(client, snapshotter, ids)
        self._known: dict[str, Stored] = {}
        self._pulls: Coalesce[Image] = Coalesce()  # by what is asked for
        self._arrivals: Coalesce[None] = Coalesce()  # by what it turns out to be
        self._naming = asyncio.Lock()
        self._fetches: Coalesce[None] = Coalesce()
        self._slots = asyncio.Semaphore(_DOWNLOADS)
        self._under_way = 0

    async def load(self) -> None:
        """What an earlier process has pulled."""
        answer = await self._client.call(self._client.images.List, images_pb2.ListImagesRequest())
        for record in answer.images:
            if _DETAILS not in record.labels:
                continue
            details = msgspec.json.decode(record.labels[_DETAILS], type=_Details)
            file = m.parse_config(await self._content.read(details.config))
            self._known[record.name] = _stored(record.name, details, file)

    def all(self) -> list[Image]:
        return [stored.image for stored in self._known.values()]

    def get(self, digest: str) -> Stored:
        stored = self._known.get(digest)
        if stored is None:
            raise failure(Failure.IMAGE_NOT_FOUND, f"image {digest} is not on this node")
        return stored

    async def remove(self, digest: str) -> None:
        self._known.pop(digest, None)
        request = images_pb2.DeleteImageRequest(name=digest, sync=True)
        try:
            await self._client.call(self._client.images.Delete, request)
        except CallFailed as error:
            if error.status is not NOT_FOUND:
                raise

    async def pull(self, source: ImageSource, platform: Platform) -> Image:
        user = source.credentials.username if source.credentials else ""
        key = (source.scheme, source.host, source.repository, source.reference, source.name, user, platform)
        return await self._pulls.run(key, lambda: self._pull(source, platform))

    async def _pull(self, source: ImageSource, platform: Platform) -> Image:
        repository = Repository(source)
        content, media_type, digest = await repository.manifest(source.reference)
        if digest not in self._known:
            await self._arrivals.run(digest, lambda: self._arrive(repository, content, media_type, digest, platform))
        return await self._name(digest, source.name)

    async def _arrive(
        self,
        repository: Repository,
        content: bytes,
        media_type: str,
        digest: str,
        platform: Platform,
    ) -> None:
        """Bring the image here. A failed pull keeps its lease: what it has fetched is resumed by the next."""
        await self._lease()
        self._under_way += 1
        try:
            top = m.parse(content, media_type)
            details, file = await self._fetch(repository, content, top, digest, platform)
            await self._record(digest, top, len(content), details)
        finally:
            self._under_way -= 1
        self._known[digest] = _stored(digest, details, file)
        if not self._under_way:
            await self._release()

    async def _fetch(
        self,
        repository: Repository,
        content: bytes,
        top: m.Manifest,
        digest: str,
        platform: Platform,
    ) -> tuple[_Details, m.ConfigFile]:
        documents: list[tuple[bytes, str, dict[str, str]]] = []  # parents after children: what they refer to is there
        manifest, own = top, content
        if top.manifests is not None:
            chosen = m.choose(top, platform)
            own, own_type, _ = await repository.manifest(chosen.digest)
            manifest = m.parse(own, own_type or chosen.media_type)
            documents.append((content, digest, {"containerd.io/gc.ref.content.m.0": chosen.digest}))
        if manifest.config is None:
            raise failure(Failure.IMAGE_MANIFEST, "an index within an index is not supported")
        config = await repository.small_blob(manifest.config.digest)
        file = m.parse_config(config)
        m.check_layers(manifest, file, platform)
        chain = m.chain_ids(file.diff_ids)
        await self._layers(repository, manifest.layers, file.diff_ids, chain)
        snapshot = {f"containerd.io/gc.ref.snapshot.{self._snapshotter}": chain[-1]} if chain else {}
        documents.insert(0, (config, manifest.config.digest, snapshot))
        documents.insert(1, (own, m.digest(own), {"containerd.io/gc.ref.content.config": manifest.config.digest}))
        for text, name, labels in documents:
            await self._content.write(text, name, labels, _LEASE)
        size = manifest.config.size + sum(layer.size for layer in manifest.layers)
        details = _Details(
            names=(),
            chain_id=chain[-1] if chain else "",
            config=manifest.config.digest,
            size=size,
            pulled_at=self._clock.now(),
        )
        return details, file

    async def _layers(
        self,
        repository: Repository,
        layers: Sequence[m.Descriptor],
        diff_ids: Sequence[str],
        chain: Sequence[str],
    ) -> None:
        """Fetch side by side, unpack in order; from above the highest snapshot that is here already."""
        first = 0
        for index in reversed(range(len(chain))):
            if await self._unpacker.hold(chain[index], _LEASE):
                first = index + 1
                break
        fetches = [asyncio.ensure_future(self._layer(repository, layer)) for layer in layers[first:]]
        try:
            for index, fetch in enumerate(fetches, start=first):
                await fetch
                parent = chain[index - 1] if index else ""
                await self._unpacker.layer(layers[index], diff_ids[index], parent, chain[index], _LEASE)
        finally:
            for fetch in fetches:
                fetch.cancel()
            await asyncio.gather(*fetches, return_exceptions=True)

    async def _layer(self, repository: Repository, layer: m.Descriptor) -> None:
        async def fetch() -> None:
            async with self._slots:
                await self._content.fetch(repository, layer.digest, layer.size, _LEASE)

        await self._fetches.run(layer.digest, fetch)

    async def _lease(self) -> None:
        try:
            await self._client.call(self._client.leases.Create, leases_pb2.CreateRequest(id=_LEASE))
        except CallFailed as error:
            if error.status is not EXISTS:
                raise

    async def _release(self) -> None:
        try:
            await self._client.call(self._client.leases.Delete, leases_pb2.DeleteRequest(id=_LEASE))
        except CallFailed as error:
            if error.status is not NOT_FOUND:
                raise

    async def _record(self, digest: str, top: m.Manifest, size: int, details: _Details) -> None:
        target = descriptor_pb2.Descriptor(media_type=top.media_type, digest=digest, size=size)
        record = images_pb2.Image(name=digest, target=target, labels=_labels(details))
        try:
            await self._client.call(self._client.images.Create, images_pb2.CreateImageRequest(image=record))
        except CallFailed as error:
            if error.status is not EXISTS:
                raise
            await self._client.call(self._client.images.Update, images_pb2.UpdateImageRequest(image=record))

    async def _name(self, digest: str, name: str) -> Image:
        """See that the image is listed under this name, and no other is: a tag that was moved names one image only."""
        async with self._naming:
            for known, stored in list(self._known.items()):
                names = tuple(other for other in stored.image.names if other != name)
                if known == digest:
                    names = stored.image.names if name in stored.image.names else (*names, name)[-_NAMES:]
                if names != stored.image.names:
                    await self._rename(known, names)
            return self.get(digest).image

    async def _rename(self, digest: str, names: tuple[str, ...]) -> None:
        stored = self._known[digest]
        image = msgspec.structs.replace(stored.image, names=names)
        details = _Details(
            names=names,
            chain_id=stored.chain_id,
            config=stored.config,
            size=image.size,
            pulled_at=image.pulled_at,
        )
        request = images_pb2.UpdateImageRequest(image=images_pb2.Image(name=digest, labels=_labels(details)))
        request.update_mask.paths.append(f"labels.{_DETAILS}")
        try:
            await self._client.call(self._client.images.Update, request)
        except CallFailed as error:
            if error.status is not NOT_FOUND:
                raise
        if digest in self._known:  # it may have been removed meanwhile
            self._known[digest] = msgspec.structs.replace(stored, image=image)


def _labels(details: _Details) -> Mapping[str, str]:
    return {_DETAILS: msgspec.json.encode(details).decode()}


def _stored(digest: str, details: _Details, file: m.ConfigFile) -> Stored:
    image = Image(
        digest=digest,
        names=details.names,
        config=file.config,
        platform=file.platform,
        size=details.size,
        pulled_at=details.pulled_at,
    )
    return Stored(image=image, chain_id=details.chain_id, config=details.config)
