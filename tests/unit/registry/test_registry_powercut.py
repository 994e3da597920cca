"""A power cut at any moment: of the disk only what was synced is left. What was answered is there, and nothing half.

The disk is watched: every fsync of a file keeps its content, every fsync of a folder its names. A rebuilt folder has
exactly that; content that was never synced is torn in half.
"""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hatoba.core.ids import SeededIds
from hatoba.registry import names
from hatoba.registry.blobs import Blobs
from hatoba.registry.disk import Disk
from hatoba.registry.ranges import Span
from hatoba.registry.uploads import Uploads

DATA = bytes(range(256)) * 9000  # 2.3 MB
DIGEST = names.digest_of(DATA)


class Watched:
    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.files: dict[int, bytes] = {}
        self.folders: dict[Path, dict[str, int]] = {}
        self.syncs = 0
        self.rebuilt = 0
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, self._watch)

    def _watch(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if stat.S_ISDIR(status.st_mode):
            self.folders[path] = {entry.name: entry.inode() for entry in os.scandir(path)}
        else:
            self.files[status.st_ino] = path.read_bytes()
        self.syncs += 1
        self.no_half_blobs()

    def after_the_cut(self) -> Path:
        self.rebuilt += 1
        target = self.root.parent / f"rebuilt-{self.rebuilt}"
        self._rebuild(self.root, target)
        return target

    def _rebuild(self, source: Path, target: Path) -> None:
        target.mkdir()
        for name, inode in self.folders.get(source, {}).items():
            if (source / name).is_dir() or (source / name) in self.folders:
                self._rebuild(source / name, target / name)
            else:
                (target / name).write_bytes(self.files.get(inode, _torn(source / name)))

    def no_half_blobs(self) -> None:
        for path in self.after_the_cut().glob("blobs/*/*/*"):
            assert names.digest_of(path.read_bytes()) == f"{path.parent.parent.name}:{path.name}"


def _torn(path: Path) -> bytes:
    """What may be left of a file that was never synced."""
    data = path.read_bytes() if path.exists() else b""
    return data[: len(data) // 2]


async def stream(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 100_000):
        yield data[start : start + 100_000]


class Process:
    def __init__(self, root: Path, seed: int = 0) -> None:
        self.disk = Disk()
        self.blobs = Blobs(root, self.disk, SeededIds(seed))
        self.uploads = Uploads(root, self.disk, self.blobs, SeededIds(seed))


async def test_what_was_answered_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(tmp_path / "registry", monkeypatch)
    before = Process(watched.root)
    await before.blobs.prepare()
    number = 0

    async def after() -> Process:
        nonlocal number
        number += 1
        process = Process(watched.after_the_cut(), number)
        await process.blobs.prepare()
        return process

    upload = await before.uploads.start("app")
    assert await (await after()).uploads.size("app", upload) == 0

    await before.uploads.append("app", upload, stream(DATA[:1_500_000]), Span(0, 1_499_999))
    later = await after()
    assert await later.uploads.size("app", upload) == 1_500_000
    await later.uploads.finish("app", upload, stream(DATA[1_500_000:]), DIGEST)
    assert await later.blobs.read(DIGEST) == DATA

    await before.uploads.finish("app", upload, stream(DATA[1_500_000:]), DIGEST)
    assert await (await after()).blobs.read(DIGEST) == DATA

    other = names.digest_of(DATA[1:])
    await before.uploads.receive(stream(DATA[1:]), other)
    assert await (await after()).blobs.read(other) == DATA[1:]

    # Bytes that nobody answered for, and a last request that adds none: it answers for all of them.
    async def cut() -> AsyncIterator[bytes]:
        async for piece in stream(DATA[2:]):
            yield piece
        raise ConnectionResetError

    upload = await before.uploads.start("app")
    with pytest.raises(ConnectionResetError):
        await before.uploads.append("app", upload, cut())
    third = names.digest_of(DATA[2:])
    await before.uploads.finish("app", upload, stream(b""), third)
    assert await (await after()).blobs.read(third) == DATA[2:]

    small = names.digest_of(b"manifest")
    await before.blobs.put(b"manifest", small)
    assert await (await after()).blobs.read(small) == b"manifest"
    assert watched.syncs > 10
