"""The engine that keeps objects' bytes: what is told of is durable, whole and sealed; what nobody wants is gone."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hatoba.core.errors import PortError
from hatoba.core.ids import RandomIds
from hatoba.core.secret import Sealer
from hatoba.objects.files import BATCH, Files, Kept
from hatoba.objects.sealing import CHUNK, SEALED


class Land:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.wanted: set[str] = set()
        self.files = self.opened()

    def opened(self, key: bytes = bytes(32)) -> Files:
        return Files(self.root, Sealer(key), RandomIds(), lambda id_: id_ in self.wanted)

    async def put(self, data: bytes, piece: int = 100_000) -> Kept:
        async with self.files.receive(pieces(data, piece)) as kept:
            self.wanted.add(kept.id)
        return kept

    async def got(self, kept: Kept, first: int, length: int) -> bytes:
        return b"".join([piece async for piece in self.files.read([(kept, first, length)])])

    def there(self) -> list[str]:
        return sorted(path.name for path in self.root.glob("*/*/*"))

    def path(self, kept: Kept) -> Path:
        return self.root / "bodies" / kept.id[:2] / kept.id


async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.fixture
async def land(tmp_path: Path) -> AsyncIterator[Land]:
    land = Land(tmp_path)
    await land.files.prepare()
    yield land
    await land.files.settled()
    land.files.close()


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, BATCH, BATCH + CHUNK, 3 * BATCH + 5])
async def test_every_size_and_range(land: Land, size: int) -> None:
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    md5 = hashlib.md5()
    async with land.files.receive(pieces(data, 99_999), (md5,)) as kept:
        land.wanted.add(kept.id)
    assert (kept.size, md5.digest()) == (size, hashlib.md5(data).digest())
    assert await land.got(kept, 0, size) == data
    for first, length in ((0, 1), (CHUNK - 1, 2), (CHUNK, CHUNK), (size // 2, size - size // 2), (size - 1, 1)):
        if first >= 0 and first + length <= size:
            assert await land.got(kept, first, length) == data[first : first + length]
            assert await land.files.bytes_of(kept, first, length) == data[first : first + length]


async def test_it_is_sealed_on_disk(land: Land) -> None:
    kept = await land.put(b"secret" * 1000)
    data = land.path(kept).read_bytes()
    assert b"secret" not in data
    assert len(data) == 6016
    with pytest.raises(Exception, match="master key"):
        await land.opened(bytes(31) + b"\1").bytes_of(kept, 0, 6000)


@pytest.mark.parametrize("spoil", ["changed", "cut", "swapped", "longer", "another"])
async def test_what_was_changed_on_disk_is_not_given_out(land: Land, spoil: str) -> None:
    kept, other = await land.put(bytes(3 * CHUNK)), await land.put(bytes(3 * CHUNK))
    path = land.path(kept)
    data = path.read_bytes()
    match spoil:
        case "changed":
            data = data[:100] + bytes([data[100] ^ 1]) + data[101:]
        case "cut":
            data = data[: 2 * SEALED]
        case "swapped":
            data = data[SEALED : 2 * SEALED] + data[:SEALED] + data[2 * SEALED :]
        case "longer":
            data += data[:SEALED]
        case "another":
            data = land.path(other).read_bytes()
    path.write_bytes(data)
    with pytest.raises(PortError):
        await land.got(kept, 0, kept.size)


async def test_what_is_not_recorded_is_gone(land: Land) -> None:
    with pytest.raises(ZeroDivisionError):
        async with land.files.receive(b"abc"):
            raise ZeroDivisionError
    async with land.files.receive(b"abc") as kept:
        assert land.path(kept).exists()
    await land.files.settled()
    assert land.there() == []


async def test_a_body_that_breaks_off_leaves_nothing(land: Land) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(3 * BATCH)
        raise PortError("CUT", "the client went away")

    with pytest.raises(PortError):
        async with land.files.receive(broken()):
            pass
    assert land.there() == []
    assert list((land.root / "staging").iterdir()) == []


async def test_a_writer_that_is_cancelled_leaves_nothing(land: Land) -> None:
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield bytes(3 * BATCH)
        begun.set()
        await asyncio.Event().wait()

    async def take() -> None:
        async with land.files.receive(endless()):
            pass

    task = asyncio.create_task(take())
    await begun.wait()
    task.cancel()
    await asyncio.wait({task})
    assert list((land.root / "staging").iterdir()) == []


async def test_a_reader_reads_on_what_was_released(land: Land) -> None:
    kept = await land.put(bytes(5 * BATCH))
    reading = land.files.read([(kept, 0, kept.size)])
    size = len(await anext(reading))
    land.wanted.clear()
    land.files.release([kept.id])
    await land.files.settled()
    async for piece in reading:
        size += len(piece)
    assert size == kept.size
    await land.files.settled()
    assert land.there() == []


async def test_a_reader_that_never_began_holds_nothing(land: Land) -> None:
    kept = await land.put(b"abc")
    reading = land.files.read([(kept, 0, 3)])
    land.wanted.clear()
    del reading
    await land.files.settled()
    assert land.there() == []


async def test_a_crash_s_leftovers_are_swept(land: Land) -> None:
    kept = await land.put(b"abc")
    lost = await land.put(b"def")
    land.wanted.discard(lost.id)
    (land.root / "staging" / "half").write_bytes(b"x")
    again = land.opened()
    await again.prepare()
    async with again.receive(b"ghi"):  # what is just coming is nobody's yet, and stays
        assert await again.sweep() == 1
        assert len(land.there()) == 2
    assert await again.bytes_of(kept, 0, 3) == b"abc"
    await again.settled()
    again.close()
    assert land.there() == [kept.id]
    assert list((land.root / "staging").iterdir()) == []


async def test_it_is_durable_before_it_is_told_of(land: Land, monkeypatch: pytest.MonkeyPatch) -> None:
    """Content, then name, then the folder: in this order."""
    from hatoba.objects import files

    seen: list[str] = []
    monkeypatch.setattr(files.os, "fsync", lambda _: seen.append("content"))
    monkeypatch.setattr(files, "sync_folder", lambda _: seen.append("folder"))
    rename = Path.rename
    monkeypatch.setattr(Path, "rename", lambda path, to: (seen.append("name"), rename(path, to))[1])
    async with land.files.receive(b"abc"):
        assert seen == ["content", "name", "folder"]
