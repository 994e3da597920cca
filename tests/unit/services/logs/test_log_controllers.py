"""What happens by itself: deleted events go, and those past their retention."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hatoba.core.clock import ManualClock
from hatoba.core.ids import SeededIds
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.core.secret import Sealer
from hatoba.gateway.tags import tags
from hatoba.services.logs import model
from hatoba.services.logs.controller import RETENTION_PERIOD, Reaper, Retention
from hatoba.services.logs.model import Group, Stream
from hatoba.services.logs.plan.intake import DAY
from hatoba.store import Store
from hatoba.store.sqlite import SqliteJournal
from hatoba.streams.port import Batch, Query
from hatoba.streams.simulated import MemoryStreams

SCOPE = Scope("aws", "123456789012", "us-east-1")
NOW = 1_700_000_000


class Counted(MemoryStreams):
    """Counts how often it is asked to let go."""

    asked = 0

    async def expire(self, stream: str, before: int) -> int:
        self.asked += 1
        return await super().expire(stream, before)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = Store(SqliteJournal(tmp_path / "store.sqlite"), [*model.TABLES, tags], Sealer(b"k" * 32))
    made.open()
    yield made
    made.close()


def made(store: Store) -> Stream:
    with store.tx() as tx:
        tx.put(model.groups, Group(key=model.groups.key(SCOPE, "g"), created=NOW, retention=1))
        return model.put_stream(tx, SCOPE, "g", "s", ids=SeededIds(), now=NOW)


async def texts(streams: MemoryStreams, stream: Stream) -> list[str]:
    return [found.event.message for found in (await streams.read(Query(streams=[stream.events]))).events]


async def test_the_events_of_a_deleted_group_are_cleared_away_once(store: Store) -> None:
    streams = MemoryStreams(ManualClock(NOW))
    stream = made(store)
    await streams.append(stream.events, Batch(times=[1], messages=["x"]))
    reaper = Reaper(store, streams)
    assert list(reaper.keys()) == []
    with store.tx() as tx:
        group = tx.find(model.groups, SCOPE, "g")
        assert group is not None
        model.delete_group(tx, group)
    (key,) = reaper.keys()
    # The hint, and the same hint again.
    assert await reaper.reconcile(key) is None
    assert await reaper.reconcile(key) is None
    assert await texts(streams, stream) == []
    assert list(reaper.keys()) == []


async def test_what_is_past_its_retention_goes_and_the_disk_is_spared(store: Store) -> None:
    clock = ManualClock(NOW)
    streams = Counted(clock)
    stream = made(store)
    await streams.append(stream.events, Batch(times=[NOW * 1000 - DAY + 1], messages=["x"]))
    retention = Retention(store, streams, clock)
    (key,) = retention.keys()
    assert await retention.reconcile(key) == NOW + RETENTION_PERIOD
    assert await texts(streams, stream) == ["x"]
    clock.advance(60)  # the runner's slow period
    assert await retention.reconcile(key) == NOW + RETENTION_PERIOD
    assert streams.asked == 1
    clock.advance(RETENTION_PERIOD)
    await retention.reconcile(key)
    assert await texts(streams, stream) == []
    # Another retention counts at once, none for ever.
    with store.tx() as tx:
        group = tx.put(model.groups, replace(store.get(model.groups, key), retention=3))
    await retention.reconcile(key)
    assert streams.asked == 3
    with store.tx() as tx:
        tx.put(model.groups, replace(group, retention=None))
    assert await retention.reconcile(key) is None
    assert list(retention.keys()) == []
