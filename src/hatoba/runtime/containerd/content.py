"""containerd's content store: blobs written in chunks and resumed where they stopped, small ones read whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc.aio

from hatoba.runtime.containerd.client import (
    EXISTS,
    FAILED_PRECONDITION,
    NOT_FOUND,
    CallFailed,
    Client,
    metadata,
    translate,
)
from hatoba.runtime.distribution.client import Repository
from hatoba.runtime.failures import Failure, failure
from hatoba.runtime.stubs.services.content.v1 import content_pb2 as pb

_CHUNK = 1 << 20
_SMALL = 8 << 20


class Content:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def has(self, digest: str) -> bool:
        try:
            await self._client.call(self._client.content.Info, pb.InfoRequest(digest=digest))
        except CallFailed as error:
            if error.status is NOT_FOUND:
                return False
            raise
        return True

    async def read(self, digest: str) -> bytes:
        """A document; not for layers."""
        stream = self._client.content.Read(pb.ReadContentRequest(digest=digest), metadata=metadata())
        parts, size = [], 0
        try:
            async for part in stream:
                parts.append(part.data)
                size += len(part.data)
                if size > _SMALL:
                    raise failure(Failure.INTERNAL, f"{digest} is too large for a document")
        except grpc.aio.AioRpcError as error:
            raise translate(error) from error
        return b"".join(parts)

    async def write(self, content: bytes, digest: str, labels: Mapping[str, str], lease: str) -> None:
        async with _Writer(self._client, digest, len(content), lease) as writer:
            if writer.exists:
                await self._label(digest, labels)
                return
            writer.restart()
            await writer.send(content)
            await writer.commit(labels)

    async def _label(self, digest: str, labels: Mapping[str, str]) -> None:
        """Content that was here before may be referenced by more than it was then."""
        if labels:
            request = pb.UpdateRequest(info=pb.Info(digest=digest, labels=labels))
            request.update_mask.paths.extend(f"labels.{name}" for name in labels)
            await self._client.call(self._client.content.Update, request)

    async def fetch(self, repository: Repository, digest: str, size: int, lease: str) -> None:
        """A layer from the registry into the store, from where an earlier attempt stopped. Checked by containerd."""
        async with _Writer(self._client, digest, size, lease) as writer:
            if not writer.exists and writer.offset < size:
                async with repository.blob(digest, writer.offset) as (start, chunks):
                    if start < writer.offset:
                        writer.restart()
                    async for block in _blocks(chunks):
                        await writer.send(block)
            if not writer.exists:
                await writer.commit({})


async def _blocks(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Small chunks gathered, so that a message to containerd is worth its cost."""
    gathered = bytearray()
    async for chunk in chunks:
        gathered += chunk
        if len(gathered) >= _CHUNK:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


class _Writer:
    """One blob being written. `exists` when it is there already; `offset` is what an earlier attempt has left."""

    def __init__(self, client: Client, digest: str, size: int, lease: str) -> None:
        self._client = client
        self._stream: Any = client.content.Write(metadata=metadata(lease))
        self._digest, self._size = digest, size
        self.offset = 0
        self.exists = False

    async def __aenter__(self) -> _Writer:
        try:
            # Naming the digest at once makes containerd put a blob that it has already under our lease.
            opened = await self._exchange(
                pb.WriteContentRequest(action=pb.STAT, ref=self._ref, total=self._size, expected=self._digest)
            )
            self.offset = opened.offset
        except CallFailed as error:
            if error.status is not EXISTS:
                self._stream.cancel()
                raise
            self.exists = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stream.cancel()  # a commit has been answered by now; anything else is to be resumed

    @property
    def _ref(self) -> str:
        return f"hatoba-{self._digest}"

    def restart(self) -> None:
        """Write from the beginning, whatever was there: containerd truncates at a write to offset 0."""
        self.offset = 0

    async def send(self, data: bytes) -> None:
        for start in range(0, len(data), 4 * _CHUNK):
            part = data[start : start + 4 * _CHUNK]
            await self._exchange(pb.WriteContentRequest(action=pb.WRITE, offset=self.offset, data=part))
            self.offset += len(part)

    async def commit(self, labels: Mapping[str, str]) -> None:
        request = pb.WriteContentRequest(
            action=pb.COMMIT, total=self._size, expected=self._digest, offset=self.offset, labels=labels
        )
        try:
            await self._exchange(request)
        except CallFailed as error:
            if error.status is EXISTS:
                return
            if error.status is not FAILED_PRECONDITION:
                raise
            await self._client.call(self._client.content.Abort, pb.AbortRequest(ref=self._ref))  # do not resume this
            raise failure(Failure.IMAGE_MANIFEST, f"{self._digest}: {error.message}") from error

    async def _exchange(self, request: Any) -> Any:
        try:
            await self._stream.write(request)
            answer = await self._stream.read()
        except grpc.aio.AioRpcError as error:
            raise translate(error) from error
        if not isinstance(answer, pb.WriteContentResponse):
            raise failure(Failure.INTERNAL, f"{self._digest}: containerd ended the write: {self._stream.details()}")
        return answer
