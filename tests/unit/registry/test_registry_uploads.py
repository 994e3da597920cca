"""Uploads: what survives a restart, a client that goes away, two at once, a full disk."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator

import pytest

from hatoba.registry import names, uploads
from hatoba.registry.problems import Problem
from hatoba.registry.ranges import Span

DATA = os.urandom(3_500_000)  # several batches and a rest
DIGEST = names.digest_of(DATA)


async def stream(data: bytes, piece: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), piece):
        yield data[start : start + piece]


async def test_goes_on_after_a_restart(storage) -> None:
    upload = await storage.uploads.start("app")
    await storage.uploads.append("app", upload, stream(DATA[:2_000_000]))
    later = await storage.again()
    assert await later.uploads.size("app", upload) == 2_000_000
    span = Span(2_000_000, len(DATA) - 1)
    assert await later.uploads.finish("app", upload, stream(DATA[2_000_000:]), DIGEST, span) == len(DATA)
    assert await later.blobs.read(DIGEST) == DATA
    later.disk.close()


async def test_an_untouched_upload_survives_too(storage) -> None:
    upload = await storage.uploads.start("app")
    later = await storage.again()
    assert await later.uploads.size("app", upload) == 0
    later.disk.close()


async def test_a_client_that_goes_away_may_go_on(storage) -> None:
    async def cut() -> AsyncIterator[bytes]:
        async for piece in stream(DATA[:1_500_000]):
            yield piece
        raise ConnectionResetError

    upload = await storage.uploads.start("app")
    with pytest.raises(ConnectionResetError):
        await storage.uploads.append("app", upload, cut())
    size = await storage.uploads.size("app", upload)
    assert size == 1_500_000
    await storage.uploads.finish("app", upload, stream(DATA[size:]), DIGEST)
    assert await storage.blobs.read(DIGEST) == DATA


async def test_a_cancelled_request_leaves_a_usable_upload(storage) -> None:
    arrived = asyncio.Event()

    async def stall() -> AsyncIterator[bytes]:
        async for piece in stream(DATA[:2_500_000]):
            yield piece
        arrived.set()
        await asyncio.Event().wait()

    upload = await storage.uploads.start("app")
    request = asyncio.create_task(storage.uploads.append("app", upload, stall()))
    await arrived.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    size = await storage.uploads.size("app", upload)
    assert size == 2_500_000
    await storage.uploads.finish("app", upload, stream(DATA[size:]), DIGEST)


async def test_two_chunks_at_once_for_the_same_place(storage) -> None:
    upload = await storage.uploads.start("app")
    span = Span(0, len(DATA) - 1)
    both = [storage.uploads.append("app", upload, stream(DATA), span) for _ in range(2)]
    results = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Problem", "int"]
    await storage.uploads.finish("app", upload, stream(b""), DIGEST)


async def test_more_uploads_than_hashes_are_remembered(storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "REMEMBERED", 1)
    opened = [await storage.uploads.start("app") for _ in range(3)]
    for upload in opened:
        await storage.uploads.append("app", upload, stream(DATA[:1000]))
    for upload in opened:
        await storage.uploads.finish("app", upload, stream(DATA[1000:]), DIGEST)


async def test_a_full_disk_is_told_and_the_upload_goes_on_later(storage, monkeypatch: pytest.MonkeyPatch) -> None:
    write, writes = os.write, 0

    def full(file: int, data: memoryview) -> int:
        nonlocal writes
        writes += 1
        if writes > 12:
            raise OSError(errno.ENOSPC, "no space")
        return write(file, data[:60_000])  # half a piece: the hash and the file part ways

    upload = await storage.uploads.start("app")
    monkeypatch.setattr(uploads.os, "write", full)
    with pytest.raises(Problem) as refusal:
        await storage.uploads.append("app", upload, stream(DATA))
    assert (refusal.value.code, refusal.value.status) == ("NO_SPACE", 507)
    monkeypatch.setattr(uploads.os, "write", write)
    size = await storage.uploads.size("app", upload)
    assert 0 < size < len(DATA)
    await storage.uploads.finish("app", upload, stream(DATA[size:]), DIGEST)
    assert await storage.blobs.read(DIGEST) == DATA


async def test_expiry_spares_the_young(storage) -> None:
    old, young = [await storage.uploads.start("app") for _ in range(2)]
    (path,) = storage.root.glob(f"uploads/*/{old}")
    os.utime(path, (1000, 1000))
    assert await storage.uploads.expire(2000) == 1
    assert await storage.uploads.size("app", young) == 0
    with pytest.raises(Problem):
        await storage.uploads.size("app", old)


async def test_a_refused_single_post_leaves_no_file(storage) -> None:
    with pytest.raises(Problem):
        await storage.uploads.receive(stream(b"other"), DIGEST)
    assert [path for path in storage.root.rglob("*") if path.is_file()] == []
