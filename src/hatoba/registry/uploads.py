"""Uploads in progress: a file each, `uploads/<repository's hash>/<id>`, that outlives the process.

The file's size is the upload's offset: no other record is needed to go on after a crash. The hash runs along while
the bytes come; a process that does not have it (a restart, too many uploads) reads the file once. What was answered
is synced. Memory is flat: at most two batches of `BATCH` bytes per request, one filling and one being written.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections import OrderedDict
from collections.abc import AsyncIterator
from pathlib import Path
from weakref import WeakValueDictionary

from hatoba.core.files import make_folder, sync_folder
from hatoba.core.ids import Ids
from hatoba.registry import names
from hatoba.registry.blobs import Blobs
from hatoba.registry.disk import Disk
from hatoba.registry.names import Digest, Hash
from hatoba.registry.problems import Problem
from hatoba.registry.ranges import Span, received

BATCH = 1024 * 1024
REMEMBERED = 512  # running hashes; another upload's file is read again
_ALGORITHM = "sha256"  # what nearly every client will ask for at the end


class _Running:
    """The hash of a file's first `size` bytes. Changed by one thread at a time, under the upload's lock."""

    def __init__(self) -> None:
        self.hash: Hash = names.hasher(_ALGORITHM)
        self.size = 0


class Uploads:
    def __init__(self, root: Path, disk: Disk, blobs: Blobs, ids: Ids) -> None:
        self._root = root / "uploads"
        self._disk = disk
        self._blobs = blobs
        self._ids = ids
        self._running: OrderedDict[Path, _Running] = OrderedDict()
        self._locks: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()

    async def start(self, repository: str) -> str:
        """Opens an upload; it is there after a crash."""
        upload = self._ids.uuid()
        await self._disk.run(_create, self._path(repository, upload))
        return upload

    async def size(self, repository: str, upload: str) -> int:
        """How much has arrived. Raises BLOB_UPLOAD_UNKNOWN."""
        return await self._disk.run(_size_of, self._path(repository, upload))

    async def append(self, repository: str, upload: str, body: AsyncIterator[bytes], span: Span | None = None) -> int:
        """Adds a chunk and returns the new size. `span` is where the client says it belongs: gaps are refused."""
        path = self._path(repository, upload)
        async with self._lock(path):
            return await self._append(path, body, span)

    async def finish(
        self, repository: str, upload: str, body: AsyncIterator[bytes], digest: Digest, span: Span | None = None
    ) -> int:
        """Adds the last chunk, verifies the whole and makes it a blob. Returns its size.

        Content of another digest ends the upload: DIGEST_INVALID. The caller holds a pin on the digest.
        """
        path = self._path(repository, upload)
        async with self._lock(path):
            size = await self._append(path, body, span)
            await self._verify(path, digest)
            await self._blobs.adopt(path, digest)
            return size

    async def receive(self, body: AsyncIterator[bytes], digest: Digest) -> int:
        """A whole blob in one request. Returns its size. The caller holds a pin on the digest."""
        path = self._blobs.stage()
        await self._disk.run(path.touch)
        try:
            size = await self._append(path, body, None)
            await self._verify(path, digest)
        except BaseException:
            await self._forget(path)  # nobody can come back to it
            raise
        await self._blobs.adopt(path, digest)
        return size

    async def cancel(self, repository: str, upload: str) -> None:
        path = self._path(repository, upload)
        async with self._lock(path):
            await self._disk.run(_size_of, path)
            await self._forget(path)

    async def expire(self, before: float) -> int:
        """Ends the uploads to which nothing was added since `before` (wall time). Returns how many."""
        return await self._disk.run(_expire, self._root, before)

    def _path(self, repository: str, upload: str) -> Path:
        # An upload is found only in the repository that it was opened in; what a client sends is never a path.
        if not upload.replace("-", "").isalnum():
            raise Problem("BLOB_UPLOAD_UNKNOWN")
        return self._root / hashlib.sha256(repository.encode()).hexdigest()[:32] / upload

    def _lock(self, path: Path) -> asyncio.Lock:
        return self._locks.setdefault(path, asyncio.Lock())

    async def _append(self, path: Path, body: AsyncIterator[bytes], span: Span | None) -> int:
        before = await self._disk.run(_size_of, path)
        if span is not None and span.first != before:
            raise Problem("RANGE_INVALID", headers={"range": received(before)})
        running = await self._running_at(path, before)
        file = await self._disk.run(os.open, path, os.O_WRONLY | os.O_APPEND)
        try:
            await self._take(file, running, body)
            if span is not None and running.size != before + span.length:
                await self._disk.run(os.ftruncate, file, before)
                raise Problem("SIZE_INVALID", f"{running.size - before} bytes came, Content-Range says {span.length}.")
            if running.size != before:
                await self._disk.run(os.fdatasync, file)
        finally:
            os.close(file)
        self._remember(path, running)
        return running.size

    async def _take(self, file: int, running: _Running, body: AsyncIterator[bytes]) -> None:
        batch: list[bytes] = []
        size = 0
        writing: asyncio.Future[None] | None = None
        try:
            async for chunk in body:
                batch.append(chunk)
                size += len(chunk)
                if size >= BATCH:
                    if writing is not None:
                        await self._disk.wait(writing)
                    writing = self._disk.start(_write, file, running, batch)
                    batch, size = [], 0
        finally:  # what came before the client went away is kept: it may go on from there
            if writing is not None:
                await self._disk.wait(writing)
            if batch:
                await self._disk.run(_write, file, running, batch)

    async def _running_at(self, path: Path, size: int) -> _Running:
        running = self._running.pop(path, None)
        # A write that failed half-way left more in the file than was hashed.
        return running if running is not None and running.size == size else await self._disk.run(_rehash, path)

    def _remember(self, path: Path, running: _Running) -> None:
        self._running[path] = running
        while len(self._running) > REMEMBERED:
            self._running.popitem(last=False)

    async def _verify(self, path: Path, digest: Digest) -> None:
        running = self._running.pop(path, None)
        if names.algorithm(digest) == _ALGORITHM and running is not None:
            actual = Digest(f"{_ALGORITHM}:{running.hash.hexdigest()}")
        else:
            actual = await self._disk.run(_digest_of, path, names.algorithm(digest))
        if actual != digest:
            await self._forget(path)
            raise Problem("DIGEST_INVALID", detail={"given": digest, "received": actual})
        await self._disk.run(_sync, path)

    async def _forget(self, path: Path) -> None:
        self._running.pop(path, None)
        await self._disk.run(path.unlink, missing_ok=True)


def _create(path: Path) -> None:
    make_folder(path.parent)
    path.touch(exist_ok=False)
    sync_folder(path.parent)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        raise Problem("BLOB_UPLOAD_UNKNOWN") from None


def _write(file: int, running: _Running, batch: list[bytes]) -> None:
    for chunk in batch:
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(file, rest) :]
        running.hash.update(chunk)
        running.size += len(chunk)


def _rehash(path: Path) -> _Running:
    running = _Running()
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(BATCH):
            running.hash.update(chunk)
            running.size += len(chunk)
    return running


def _digest_of(path: Path, algorithm: str) -> Digest:
    running = names.hasher(algorithm)
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(BATCH):
            running.update(chunk)
    return Digest(f"{algorithm}:{running.hexdigest()}")


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _expire(root: Path, before: float) -> int:
    ended = 0
    for path in root.glob("*/*"):
        with contextlib.suppress(FileNotFoundError):  # finished or cancelled meanwhile
            if path.stat().st_mtime < before:
                path.unlink()
                ended += 1
    return ended
