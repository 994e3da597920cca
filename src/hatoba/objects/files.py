"""The engine: bytes come in as a stream and go out in any range; a file each, `bodies/<two digits>/<id>`.

    async with files.receive(body, (hashlib.md5(), …)) as kept:     # durable once entered
        with store.tx() as tx: tx.put(objects, Object(…, body=kept))
                                                        # whatever nobody wants is gone when the block is left
    async for piece in files.read(kept, first, length): …

Whether a file is wanted is asked of whoever keeps the records (`wanted`): a file without a record is nobody's. So a
crash at any moment leaves files that nobody wants at worst, and `sweep` finds those. Names are ids of our own: what a
client says never becomes a path. One process owns the folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from hatoba.core.checksums import Checksum
from hatoba.core.errors import PortError
from hatoba.core.files import make_folder, sync_folder
from hatoba.core.ids import Ids
from hatoba.core.secret import Sealer
from hatoba.objects.disk import Disk
from hatoba.objects.sealing import CHUNK, SEALED, Chunks, chunks, length_on_disk, new_key

log = logging.getLogger(__name__)

BATCH = 256 * 1024  # what one piece of work in a thread is about: of a stream two are in memory at most
_CONTEXT = b"object\0"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be recorded of a file."""

    id: str
    key: bytes  # sealed
    size: int


Wanted = Callable[[str], bool]  # an id → whether a record has it


class Files:
    def __init__(self, root: Path, sealer: Sealer, ids: Ids, wanted: Wanted) -> None:
        self._bodies = root / "bodies"
        self._staging = root / "staging"
        self._sealer = sealer
        self._ids = ids
        self._wanted = wanted
        self._disk = Disk()
        self._coming: set[str] = set()  # written, and not yet recorded
        self._reading: Counter[str] = Counter()
        self._releasing: set[asyncio.Future[None]] = set()

    async def prepare(self) -> None:
        """Makes the folders, and forgets what a crash left half written."""
        await self._disk.run(self._prepare)

    def _prepare(self) -> None:
        for folder in (self._staging, *(self._bodies / f"{number:02x}" for number in range(256))):
            make_folder(folder)
        for left in self._staging.iterdir():
            left.unlink()

    def close(self) -> None:
        self._disk.close()

    def _path(self, id_: str) -> Path:
        return self._bodies / id_[:2] / id_

    # --- in

    @contextlib.asynccontextmanager
    async def receive(
        self, body: AsyncIterator[bytes] | bytes, sums: Sequence[Checksum] = (), under: bytes | None = None
    ) -> AsyncIterator[Kept]:
        """All of the body, durable; `sums` have seen every byte of it. What no record wants at the end of the block is
        deleted. `under`: a key that seals the file's own once more, and without which it cannot be read. Raises
        `PortError`, `Full`, and whatever the body raises."""
        id_ = self._ids.hex(32)
        self._coming.add(id_)
        try:
            yield await self._take(id_, body, sums, under)
        finally:
            self._coming.discard(id_)
            self.release((id_,))

    async def _take(
        self, id_: str, body: AsyncIterator[bytes] | bytes, sums: Sequence[Checksum], under: bytes | None
    ) -> Kept:
        key = new_key()
        draft = _Draft(self._staging / id_, key, sums)
        try:
            if isinstance(body, bytes):
                await self._disk.run(draft.finish, [body], self._path(id_))
            else:
                await self._stream(draft, body, self._path(id_))
        except BaseException:
            await self._disk.run(draft.give_up)
            raise
        context = _CONTEXT + id_.encode()
        sealed = self._sealer.seal(key, context)
        return Kept(id=id_, key=sealed if under is None else Sealer(under).seal(sealed, context), size=draft.size)

    async def _stream(self, draft: _Draft, body: AsyncIterator[bytes], path: Path) -> None:
        batch: list[bytes] = []
        size = 0
        writing: asyncio.Future[None] | None = None
        try:
            async for piece in body:
                batch.append(piece)
                size += len(piece)
                if size >= BATCH:
                    if writing is not None:
                        await self._disk.wait(writing)
                    writing = self._disk.start(draft.add, batch)
                    batch, size = [], 0
        finally:
            if writing is not None:
                await self._disk.wait(writing)
        await self._disk.run(draft.finish, batch, path)

    # --- out

    async def bytes_of(self, kept: Kept, first: int, length: int, under: bytes | None = None) -> bytes:
        """A range in one piece: for what is small."""
        return await self._disk.run(self._read, kept, first, length, under)

    def read(self, parts: Sequence[tuple[Kept, int, int]], under: bytes | None = None) -> AsyncIterator[bytes]:
        """Ranges (file, first byte, length), one after the other. They can be read to their end even if nobody wants
        them any more by then."""
        return _Reading(self, parts, under).pieces()

    def _read(self, kept: Kept, first: int, length: int, under: bytes | None) -> bytes:
        if length <= 0:
            return b""
        context = _CONTEXT + kept.id.encode()
        sealed_key = kept.key if under is None else Sealer(under).unseal(kept.key, context)
        opener = Chunks(self._sealer.unseal(sealed_key, context))
        start, end = first // CHUNK, (first + length - 1) // CHUNK
        with self._path(kept.id).open("rb", buffering=0) as file:
            if start == 0 and os.fstat(file.fileno()).st_size != length_on_disk(kept.size):
                raise PortError("CORRUPT", f"the stored file {kept.id} has another size than was written")
            sealed = os.pread(file.fileno(), (end - start + 1) * SEALED, start * SEALED)
        last = chunks(kept.size) - 1
        plain = b"".join(
            opener.open(number, sealed[(number - start) * SEALED : (number - start + 1) * SEALED], last=number == last)
            for number in range(start, end + 1)
        )
        skipped = first - start * CHUNK
        return plain if skipped == 0 and len(plain) == length else plain[skipped : skipped + length]

    @contextlib.contextmanager
    def held(self, parts: Sequence[tuple[Kept, int, int]]) -> Iterator[None]:
        """They stay while the block lasts, whoever lets go of them."""
        ids = [kept.id for kept, _, _ in parts]
        self.hold(ids)
        try:
            yield
        finally:
            self.let_go(ids)

    def hold(self, ids: Iterable[str]) -> None:
        self._reading.update(ids)

    def let_go(self, ids: Iterable[str]) -> None:
        ids = tuple(ids)
        self._reading.subtract(ids)
        self._reading = +self._reading
        self.release(ids)

    # --- away

    def release(self, ids: Iterable[str]) -> None:
        """Deletes those that nobody wants, reads or is about to record: in the background, and now or when the last
        reader has gone."""
        gone = [id_ for id_ in ids if not (self._wanted(id_) or id_ in self._coming or self._reading[id_])]
        if gone:
            work = self._disk.start(_unlink, [self._path(id_) for id_ in gone])
            self._releasing.add(work)
            work.add_done_callback(self._released)

    def _released(self, work: asyncio.Future[None]) -> None:
        self._releasing.discard(work)
        if not work.cancelled() and (error := work.exception()) is not None:
            log.error("a stored file could not be deleted; the next start will try again: %s", error)

    async def settled(self) -> None:
        """Returns once what was released is gone."""
        while self._releasing:
            await asyncio.wait(set(self._releasing))

    async def sweep(self) -> int:
        """Deletes what a crash has left: files that nobody wants. Returns how many. Folder by folder."""
        swept = 0
        for folder in await self._disk.run(lambda: sorted(self._bodies.iterdir())):
            found = await self._disk.run(os.listdir, folder)
            left = [id_ for id_ in found if not (self._wanted(id_) or id_ in self._coming or self._reading[id_])]
            if left:
                await self._disk.run(_unlink, [folder / id_ for id_ in left])
            swept += len(left)
        return swept


class _Reading:
    """Files held for a reader: until it has ended, or was forgotten before it began."""

    def __init__(self, files: Files, parts: Sequence[tuple[Kept, int, int]], under: bytes | None) -> None:
        self._files = files
        self._under = under
        self._parts = parts
        self._ids = tuple(kept.id for kept, _, _ in parts)
        files.hold(self._ids)

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            for kept, first, length in self._parts:
                end = first + length
                while first < end:
                    # Up to the end of a chunk, so that none is opened twice.
                    size = min(end - first, BATCH - first % CHUNK)
                    yield await self._files.bytes_of(kept, first, size, self._under)
                    first += size
        finally:
            self._end()

    def _end(self) -> None:
        ids, self._ids = self._ids, ()
        if ids:
            self._files.let_go(ids)

    def __del__(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: so has everything
            self._end()


class _Draft:
    """A file that is being written. Its functions run in a thread, one at a time."""

    def __init__(self, path: Path, key: bytes, sums: Sequence[Checksum]) -> None:
        self._path = path
        self._chunks = Chunks(key)
        self._sums = sums
        self._rest = bytearray()
        self._number = 0
        self._file = -1
        self.size = 0

    def add(self, batch: Sequence[bytes]) -> None:
        if self._file < 0:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        for piece in batch:
            for each in self._sums:
                each.update(piece)
            self.size += len(piece)
            self._rest += piece
            while len(self._rest) > CHUNK:  # one of exactly this size may be the last
                self._write(bytes(self._rest[:CHUNK]), last=False)
                del self._rest[:CHUNK]

    def finish(self, batch: Sequence[bytes], path: Path) -> None:
        """The last of it, and then it is durable under its name."""
        self.add(batch)
        self._write(bytes(self._rest), last=True)
        os.fsync(self._file)
        os.close(self._file)
        self._file = -1
        self._path.rename(path)
        sync_folder(path.parent)

    def give_up(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._path.unlink(missing_ok=True)

    def _write(self, plain: bytes, *, last: bool) -> None:
        rest = memoryview(self._chunks.seal(self._number, plain, last=last))
        self._number += 1
        while rest:
            rest = rest[os.write(self._file, rest) :]


def _unlink(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
