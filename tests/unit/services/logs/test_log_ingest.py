"""How a node's batches get in, and what it is told when they do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hatoba.core.clock import ManualClock
from hatoba.core.errors import AwsError
from hatoba.core.ids import SeededIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.gateway.access import EverythingPasses, KnownKeys
from hatoba.gateway.call import Platform
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.tags import tags
from hatoba.services.logs import model
from hatoba.services.logs.api import logs
from hatoba.services.logs.ingest import ingest, store
from hatoba.store import Store
from hatoba.store.sqlite import SqliteJournal
from hatoba.streams.port import Batch, Query, Streams
from hatoba.streams.simulated import MemoryStreams

SCOPE = Scope("aws", "123456789012", "us-east-1")


@pytest.fixture
async def streams() -> MemoryStreams:
    return MemoryStreams(ManualClock())


@pytest.fixture
async def platform(tmp_path: Path, streams: MemoryStreams) -> AsyncIterator[Platform]:
    sealer = Sealer(b"k" * 32)
    records = Store(SqliteJournal(tmp_path / "store.sqlite"), [*model.TABLES, tags], sealer)
    records.open()
    plane = ControlPlane(
        store=records,
        clock=ManualClock(),
        ids=SeededIds(),
        pager=Pager(sealer),
        rooms=[logs],
        identities=KnownKeys(),
        authorizer=EverythingPasses(),
    )
    plane.provide(Streams, streams)  # type: ignore[type-abstract]
    yield plane
    records.close()


def part(*messages: str, producer: str = "c/stdout", first: int = 1) -> Batch:
    ends = [first + n for n in range(len(messages))]
    return Batch(times=[1] * len(messages), messages=messages, producer=producer, ends=ends)


async def test_both_outputs_of_a_container_go_into_one_stream_once(platform: Platform, streams: MemoryStreams) -> None:
    async def send() -> int:
        return await ingest(
            platform,
            SCOPE,
            group="g",
            stream="ecs/web/t",
            parts=[part("out"), part("err", producer="c/stderr")],
            create_group=True,
        )

    assert await send() == 2
    assert await send() == 0
    (stream,) = model.streams_of(platform.store, SCOPE, "g")
    page = await streams.read(Query(streams=[stream.events]))
    assert [found.event.message for found in page.events] == ["out", "err"]


async def test_two_nodes_that_make_a_stream_at_once_make_one(platform: Platform) -> None:
    await asyncio.gather(
        *(
            ingest(platform, SCOPE, group="g", stream="s", parts=[part("x", producer=f"c{n}")], create_group=True)
            for n in range(3)
        )
    )
    assert len(model.streams_of(platform.store, SCOPE, "g")) == 1


async def test_a_full_disk_is_no_reason_to_give_up(platform: Platform, streams: MemoryStreams) -> None:
    streams.full = True
    with pytest.raises(AwsError) as refused:
        await ingest(platform, SCOPE, group="g", stream="s", parts=[part("x")], create_group=True)
    assert refused.value.code == "ServiceUnavailableException"
    streams.full = False
    assert await ingest(platform, SCOPE, group="g", stream="s", parts=[part("x")], create_group=True) == 1


async def test_what_can_never_be_stored_is_told_apart(platform: Platform) -> None:
    with pytest.raises(AwsError) as refused:
        await ingest(platform, SCOPE, group="g", stream="s", parts=[part("\ud800")], create_group=True)
    assert refused.value.code == "InvalidParameterException"


async def test_events_that_arrive_behind_a_deletion_leave_nothing(platform: Platform, streams: MemoryStreams) -> None:
    await ingest(platform, SCOPE, group="g", stream="s", parts=[], create_group=True)
    (stream,) = model.streams_of(platform.store, SCOPE, "g")
    with platform.store.tx() as tx:
        model.delete_stream(tx, stream)
    await streams.delete(stream.events)  # the reaper was faster
    with pytest.raises(AwsError, match="log stream does not exist"):
        await store(platform.store, streams, stream, [part("late")])
    assert (await streams.read(Query(streams=[stream.events]))).events == []
