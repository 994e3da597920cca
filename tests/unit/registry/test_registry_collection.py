"""Collection: what goes, what stays, and that no push can lose a blob to it."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

from hatoba.core.clock import ManualClock, SystemClock
from hatoba.registry import names
from hatoba.registry.blobs import Blobs
from hatoba.registry.collection import GRACE, Collected, _condemn, collect
from hatoba.registry.engine import Engine
from hatoba.registry.memory import MemoryRepositories, OpenAccess
from hatoba.registry.names import Digest
from hatoba.registry.uploads import Uploads
from tests.conformance.oci.client import Client, image

NOW = SystemClock().now()  # the files' times are the kernel's


def aged(storage, *digests: Digest, age: float = GRACE + 1) -> None:
    for digest in digests:
        os.utime(storage.blobs.path(digest), (NOW - age, NOW - age))


async def run(engine: Engine, grace: float = GRACE) -> Collected:
    return await collect(engine.blobs, engine.uploads, engine.repositories, ManualClock(NOW), grace=grace)


async def make(storage) -> tuple[Engine, Client, MemoryRepositories]:
    repositories = MemoryRepositories("app", "other")
    engine = Engine(storage.root, repositories, OpenAccess(), ids=storage.blobs._ids)
    return engine, Client(engine), repositories


async def test_what_an_image_needs_stays(storage) -> None:
    engine, client, _ = await make(storage)
    manifest = await client.push_image("app", "v1", b"layer")
    aged(storage, manifest, names.digest_of(b"layer"))
    assert await run(engine) == Collected(uploads=0, links=0, blobs=0, bytes=0)
    engine.close()


async def test_a_deleted_image_goes_with_its_layers(storage) -> None:
    engine, client, _ = await make(storage)
    manifest = await client.push_image("app", "v1", b"layer")
    await client("DELETE", f"/v2/app/manifests/{manifest}")
    for path in storage.root.glob("blobs/*/*/*"):
        os.utime(path, (NOW - GRACE - 1,) * 2)
    collected = await run(engine)
    assert (collected.links, collected.blobs) == (2, 3)
    assert collected.bytes > len(b"layer")
    assert [path for path in storage.root.rglob("*") if path.is_file()] == []
    engine.close()


async def test_a_layer_that_another_image_shares_stays(storage) -> None:
    engine, client, _ = await make(storage)
    first = await client.push_image("app", "v1", b"shared", b"one")
    await client.push_image("other", "v1", b"shared")
    await client("DELETE", f"/v2/app/manifests/{first}")
    aged(storage, names.digest_of(b"shared"), names.digest_of(b"one"))
    await run(engine)
    assert (await client("GET", f"/v2/app/blobs/{names.digest_of(b'shared')}")).status == 404
    assert (await client("GET", f"/v2/other/blobs/{names.digest_of(b'shared')}")).body == b"shared"
    engine.close()


async def test_an_unfinished_push_has_its_grace(storage) -> None:
    engine, client, _ = await make(storage)
    young, old = await client.push_blob("app", b"young"), await client.push_blob("app", b"old")
    aged(storage, young, age=GRACE - 1)
    aged(storage, old)
    assert (await run(engine)).blobs == 1
    assert (await client("HEAD", f"/v2/app/blobs/{young}")).status == 200
    assert (await client("HEAD", f"/v2/app/blobs/{old}")).status == 404
    engine.close()


async def test_asking_for_a_blob_begins_its_grace_anew(storage) -> None:
    """A client that was told that the blob is there will not send it."""
    engine, client, _ = await make(storage)
    digest = await client.push_blob("app", b"layer")
    aged(storage, digest)
    assert (await client("HEAD", f"/v2/app/blobs/{digest}")).status == 200
    assert (await run(engine)).links == 0
    engine.close()


async def test_a_pinned_blob_stays(storage) -> None:
    engine, _, _ = await make(storage)
    digest = names.digest_of(b"orphan")
    await engine.blobs.put(b"orphan", digest)
    aged(storage, digest)
    with engine.blobs.pin(digest):
        assert (await run(engine)).blobs == 0
    assert (await run(engine)).blobs == 1
    engine.close()


class SlowBlobs(Blobs):
    """The loop comes late to the end of a thread's work, as it may under load."""

    async def adopt(self, staged: Path, digest: Digest) -> None:
        await super().adopt(staged, digest)
        await asyncio.sleep(0.002)


async def test_pushes_and_collections_at_once(storage) -> None:
    """Without any grace for files, and every file looking old: what was answered is there all the same."""
    repositories = MemoryRepositories("app")
    engine = Engine(storage.root, repositories, OpenAccess(), ids=storage.blobs._ids)
    engine.blobs = SlowBlobs(storage.root, engine.disk, storage.blobs._ids)
    engine.uploads = Uploads(storage.root, engine.disk, engine.blobs, storage.blobs._ids)
    client = Client(engine)
    chance = random.Random(7)
    pushing = True

    async def sweep() -> None:
        while pushing:
            # Files only: links of unfinished pushes are what the grace is for.
            before = NOW * 2
            for shelf in await engine.blobs.shelves():
                await engine.blobs.burn(await _condemn(engine.blobs, repositories, shelf, before))

    async def push(number: int) -> None:
        for turn in range(6):
            layer = f"layer {chance.randrange(4)}".encode()
            config = f"{number} {turn}".encode()
            digests = [await client.push_blob("app", content) for content in (config, layer)]
            manifest = await client.push_manifest("app", image(config, layer), f"t{number}")
            for digest in digests:
                assert (await client("GET", f"/v2/app/blobs/{digest}")).status == 200
            assert (await client("GET", f"/v2/app/manifests/{manifest}")).status == 200
            if chance.random() < 0.5:
                await client("DELETE", f"/v2/app/manifests/{manifest}")

    sweeping = asyncio.create_task(sweep())
    await asyncio.gather(*(push(number) for number in range(6)))
    pushing = False
    await sweeping
    engine.close()


async def test_what_a_crash_left_in_trash_and_staging_goes(storage) -> None:
    digest = names.digest_of(b"x")
    await storage.blobs.put(b"x", digest)
    assert storage.blobs.condemn(digest) is not None
    storage.blobs.stage().write_bytes(b"half")
    assert await storage.blobs.read(digest) is None
    later = await storage.again()
    assert [path for path in later.root.rglob("*") if path.is_file()] == []
    later.disk.close()
