"""Content by digest, on disk: `blobs/<algorithm>/<two digits>/<hex>`, and nothing there is ever half written.

A blob arrives by `adopt` (a verified, synced file renamed into place) or `put` (small bytes, such as a manifest's).
The file's modification time tells when a push last wanted it: the collection spares what is younger than its grace.
Whoever is about to record that a repository holds a blob has it pinned meanwhile, so that it cannot be swept between
the two. One process owns the folder.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from hatoba.core.files import make_folder, sync_folder
from hatoba.core.ids import Ids
from hatoba.registry import names
from hatoba.registry.disk import Disk
from hatoba.registry.names import Digest
from hatoba.registry.problems import Problem


class Opened(NamedTuple):
    file: BinaryIO
    size: int


class Blobs:
    def __init__(self, root: Path, disk: Disk, ids: Ids) -> None:
        self._root = root / "blobs"
        self._staging = root / "staging"
        self._trash = root / "trash"
        self._disk = disk
        self._ids = ids
        self._pins: Counter[Digest] = Counter()

    async def prepare(self) -> None:
        """Makes the folders, and forgets what a crash left in staging and trash (nobody was told of it)."""
        await self._disk.run(self._prepare)

    def _prepare(self) -> None:
        for folder in (self._root, self._staging, self._trash):
            make_folder(folder)
        for folder in (self._staging, self._trash):
            for left in folder.iterdir():
                left.unlink()

    def path(self, digest: Digest) -> Path:
        algorithm, _, hexdigits = digest.partition(":")
        return self._root / algorithm / hexdigits[:2] / hexdigits

    async def size(self, digest: Digest, *, wanted: bool = False) -> int | None:
        """The blob's size, or None. `wanted` says that a push relies on it: its grace begins anew."""
        return await self._disk.run(_size, self.path(digest), wanted)

    async def open(self, digest: Digest) -> Opened | None:
        """The blob's file, for the caller to close."""
        return await self._disk.run(_open, self.path(digest))

    async def read(self, digest: Digest) -> bytes | None:
        """All of a small blob."""
        return await self._disk.run(_read, self.path(digest))

    async def put(self, data: bytes, digest: Digest) -> None:
        """Stores bytes whose digest the caller has computed; durable on return."""
        staged = self.stage()
        try:
            await self._disk.run(_write, staged, data)
        except Problem:  # a full disk: leave it no fuller
            await self._disk.run(staged.unlink, missing_ok=True)
            raise
        await self.adopt(staged, digest)

    def stage(self) -> Path:
        """A fresh path for content of which nobody is told before it is adopted."""
        return self._staging / self._ids.hex(32)

    async def adopt(self, staged: Path, digest: Digest) -> None:
        """Takes over a file whose content was verified and synced. Durable on return."""
        await self._disk.run(_adopt, staged, self.path(digest))

    @contextlib.contextmanager
    def pin(self, *digests: Digest) -> Iterator[None]:
        self._pins.update(digests)
        try:
            yield
        finally:
            self._pins.subtract(digests)
            self._pins = +self._pins

    def is_pinned(self, digest: Digest) -> bool:
        return digest in self._pins

    async def shelves(self) -> list[Path]:
        """The folders that blobs lie in, for the collection to walk one by one."""
        return await self._disk.run(lambda: sorted(self._root.glob("*/*")))

    async def older(self, shelf: Path, than: float) -> list[Digest]:
        """The blobs of a shelf that no push has wanted since `than` (wall time)."""
        return await self._disk.run(_older, shelf, than)

    def condemn(self, digest: Digest) -> Path | None:
        """Takes a blob out of the store at once (a rename, no await: nobody can begin to want it meanwhile).

        Returns what `burn` deletes, or None when the blob is gone already.
        """
        doomed = self._trash / self._ids.hex(32)
        try:
            self.path(digest).rename(doomed)
        except FileNotFoundError:
            return None
        return doomed

    def is_older(self, digest: Digest, than: float) -> bool:
        """Asked in one step with `condemn` or an unlinking, hence on the loop: a stat of a name just looked at."""
        try:
            return self.path(digest).stat().st_mtime < than
        except FileNotFoundError:
            return True

    async def burn(self, doomed: list[Path]) -> int:
        """Deletes what was condemned; returns its bytes."""
        return await self._disk.run(_burn, doomed)


def _size(path: Path, wanted: bool) -> int | None:
    try:
        if wanted:
            os.utime(path)
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _open(path: Path) -> Opened | None:
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        return None
    return Opened(file, os.fstat(file.fileno()).st_size)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _adopt(staged: Path, path: Path) -> None:
    make_folder(path.parent)
    os.utime(staged)  # its last byte may have come long ago
    # Also when the blob is there: the same bytes, a new beginning of its grace. Readers keep the file they opened.
    staged.rename(path)
    sync_folder(path.parent)


def _older(shelf: Path, than: float) -> list[Digest]:
    found = []
    with os.scandir(shelf) as entries:
        for entry in entries:
            digest = names.digest(f"{shelf.parent.name}:{entry.name}")
            if digest is not None and entry.stat().st_mtime < than:
                found.append(digest)
    return found


def _burn(doomed: list[Path]) -> int:
    size = 0
    for path in doomed:
        size += path.stat().st_size
        path.unlink()
    return size
