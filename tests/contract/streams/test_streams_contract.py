"""What every implementation of log streams does: the one on disk and its twin in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatoba.core.clock import ManualClock
from hatoba.core.errors import PortError
from hatoba.streams.engine import DiskStreams
from hatoba.streams.port import Batch, Located, Page, Position, Query, Streams
from hatoba.streams.simulated import MemoryStreams


@pytest.fixture(params=["disk", "disk-small-memory", "memory"])
async def streams(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Streams]:
    clock = ManualClock(1_000.0)
    made: Streams
    if request.param == "memory":
        made = MemoryStreams(clock)
    else:
        # With next to no memory every few events are moved into segments.
        held = 300 if request.param == "disk-small-memory" else 1 << 20
        made = await DiskStreams.open(tmp_path / "streams", clock, held_bytes=held)
    yield made
    await made.close()


def batch(*events: tuple[int, str]) -> Batch:
    return Batch(times=[time for time, _ in events], messages=[message for _, message in events])


def texts(page: Page) -> list[str]:
    return [located.event.message for located in page.events]


async def test_events_are_read_in_order_of_time_then_of_arrival(streams: Streams) -> None:
    await streams.append("a", batch((10, "first"), (30, "third")))
    await streams.append("a", batch((20, "second"), (30, "fourth")))
    page = await streams.read(Query(streams=["a"]))
    assert texts(page) == ["first", "second", "third", "fourth"]
    assert page.complete
    assert [located.event.sequence for located in page.events] == [0, 2, 1, 3]
    assert {located.event.ingested for located in page.events} == {1_000_000}
    assert texts(await streams.read(Query(streams=["a"], backward=True))) == ["fourth", "third", "second", "first"]


async def test_times_bound_a_reading_start_included_end_not(streams: Streams) -> None:
    await streams.append("a", batch((10, "x"), (20, "y"), (30, "z")))
    assert texts(await streams.read(Query(streams=["a"], start=20))) == ["y", "z"]
    assert texts(await streams.read(Query(streams=["a"], end=20))) == ["x"]
    assert texts(await streams.read(Query(streams=["a"], start=10, end=30, backward=True))) == ["y", "x"]


async def test_a_reading_goes_on_where_the_page_before_ended(streams: Streams) -> None:
    await streams.append("a", batch(*((n // 3, f"{n:03}") for n in range(50))))
    for backward in (False, True):
        seen: list[str] = []
        after: Position | None = None
        while True:
            page = await streams.read(Query(streams=["a"], after=after, limit=7, backward=backward))
            seen += texts(page)
            after = page.last
            if page.complete:
                break
        assert seen == sorted((f"{n:03}" for n in range(50)), reverse=backward)
    # At the end the position stays, and what comes later is found from there.
    end = (await streams.read(Query(streams=["a"]))).last
    assert (await streams.read(Query(streams=["a"], after=end))).last == end
    await streams.append("a", batch((99, "new")))
    assert texts(await streams.read(Query(streams=["a"], after=end))) == ["new"]


async def test_a_page_is_bounded_by_bytes_but_never_empty_for_it(streams: Streams) -> None:
    await streams.append("a", batch((1, "x" * 1000), (2, "y" * 10), (3, "z" * 10)))
    page = await streams.read(Query(streams=["a"], max_bytes=100))
    assert texts(page) == ["x" * 1000]
    assert not page.complete
    assert texts(await streams.read(Query(streams=["a"], max_bytes=100, after=page.last))) == ["y" * 10, "z" * 10]


async def test_a_filter_that_finds_nothing_still_gets_on(streams: Streams) -> None:
    await streams.append("a", batch(*((n, str(n)) for n in range(30))))
    page = await streams.read(Query(streams=["a"], match=lambda text: text == "29", max_scan=10))
    assert (texts(page), page.complete, page.last) == ([], False, Position(9, "a", 9))
    page = await streams.read(Query(streams=["a"], match=lambda text: text == "29", after=page.last))
    assert (texts(page), page.complete) == (["29"], True)


async def test_many_streams_are_merged_by_time(streams: Streams) -> None:
    for name in "abc":
        await streams.append(name, batch(*((n * 10 + ord(name), f"{n}{name}") for n in range(20))))
    page = await streams.read(Query(streams=["c", "a", "b", "never-written"]))
    assert [located.position for located in page.events] == sorted(located.position for located in page.events)
    assert len(page.events) == 60


async def test_what_a_producer_repeats_is_stored_once(streams: Streams) -> None:
    first = Batch(times=[1, 2], messages=["a", "b"], producer="p", ends=[10, 20])
    assert await streams.append("s", first) == 2
    assert await streams.append("s", first) == 0
    # Sent again after a crash, cut differently: only what is beyond is new.
    again = Batch(times=[1, 2, 3], messages=["a", "b", "c"], producer="p", ends=[10, 20, 30])
    assert await streams.append("s", again) == 1
    assert await streams.append("s", Batch(times=[4], messages=["d"], producer="q", ends=[10])) == 1
    assert await streams.append("s", batch((1, "a"))) == 1  # without a producer nothing is a repetition
    assert texts(await streams.read(Query(streams=["s"]))) == ["a", "a", "b", "c", "d"]


async def test_repetitions_in_flight_together_are_stored_once(streams: Streams) -> None:
    one = Batch(times=[1, 2], messages=["a", "b"], producer="p", ends=[10, 20])
    more = Batch(times=[1, 2, 3], messages=["a", "b", "c"], producer="p", ends=[10, 20, 30])
    counts = await asyncio.gather(*(streams.append("s", each) for each in (one, more, one, more)))
    assert counts == [2, 1, 0, 0]


@pytest.mark.parametrize(
    "bad",
    [
        Batch(times=[1, 2], messages=["x"]),
        Batch(times=[1], messages=["x"], producer="p"),
        Batch(times=[-1], messages=["x"]),
        Batch(times=[1 << 63], messages=["x"]),
        Batch(times=[1], messages=["\ud800"]),
    ],
)
async def test_what_cannot_be_stored_is_refused_and_harms_nobody_else(streams: Streams, bad: Batch) -> None:
    good = asyncio.ensure_future(streams.append("a", batch((1, "good"))))
    with pytest.raises(PortError, match="BadBatch"):
        await streams.append("a", bad)
    assert await good == 1
    assert texts(await streams.read(Query(streams=["a"]))) == ["good"]


async def test_stats_count_what_is_stored(streams: Streams) -> None:
    await streams.append("a", batch((20, "four"), (10, "äö")))
    found, nothing = await streams.stats(["a", "b"])
    assert (found.first_time, found.last_time, found.last_ingested, found.bytes) == (10, 20, 1_000_000, 8 + 2 * 26)
    assert (nothing.first_time, nothing.last_time, nothing.bytes) == (None, None, 0)


async def test_deleting_forgets_everything_and_the_id_can_begin_anew(streams: Streams) -> None:
    await streams.append("a", Batch(times=[1], messages=["old"], producer="p", ends=[10]))
    await streams.append("b", batch((1, "other")))
    await streams.delete("a")
    assert texts(await streams.read(Query(streams=["a", "b"]))) == ["other"]
    assert await streams.append("a", Batch(times=[2], messages=["new"], producer="p", ends=[5])) == 1
    page = await streams.read(Query(streams=["a"]))
    assert [(located.event.sequence, located.event.message) for located in page.events] == [(0, "new")]


async def test_followers_get_what_becomes_durable_and_nothing_else(streams: Streams) -> None:
    await streams.append("a", batch((1, "before")))
    tail = streams.subscribe(lambda stream: stream != "b")
    await asyncio.gather(*(streams.append(name, batch((2, f"in {name}"))) for name in "abc"))
    seen: list[Located] = []
    async for located in tail:
        seen += located
        if len(seen) == 2:
            tail.close()
    assert [(located.stream, located.event.message) for located in seen] == [("a", "in a"), ("c", "in c")]
    await streams.append("a", batch((3, "after")))
    assert len(seen) == 2


async def test_a_slow_follower_misses_events_but_never_holds_them_up(streams: Streams) -> None:
    tail = streams.subscribe(lambda stream: True)
    for _ in range(3):
        await streams.append("a", batch(*((1, "x") for _ in range(5_000))))
    assert tail.missed == 5_000
    tail.close()


_event = st.tuples(st.integers(0, 40), st.text("ab\n☃", max_size=3))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    appends=st.lists(st.tuples(st.sampled_from("abc"), st.lists(_event, min_size=1, max_size=6)), max_size=12),
    start=st.none() | st.integers(0, 40),
    end=st.none() | st.integers(0, 40),
    limit=st.integers(1, 9),
    scan=st.integers(1, 9),
    backward=st.booleans(),
    small=st.booleans(),
)
def test_any_paging_reads_exactly_what_was_appended(
    tmp_path_factory: pytest.TempPathFactory,
    appends: list[tuple[str, list[tuple[int, str]]]],
    start: int | None,
    end: int | None,
    limit: int,
    scan: int,
    backward: bool,
    small: bool,
) -> None:
    async def journey() -> None:
        where = tmp_path_factory.mktemp("streams")
        disk = await DiskStreams.open(where, ManualClock(), held_bytes=400 if small else 1 << 20)
        model: list[tuple[int, str, int, str]] = []
        counts = dict.fromkeys("abc", 0)
        for stream, events in appends:
            await disk.append(stream, batch(*events))
            for time, message in events:
                model.append((time, stream, counts[stream], message))
                counts[stream] += 1
        wanted = [
            row
            for row in sorted(model, reverse=backward)
            if (start is None or row[0] >= start) and (end is None or row[0] < end) and "a" not in row[3]
        ]
        seen: list[tuple[int, str, int, str]] = []
        after: Position | None = None
        for _ in range(200):
            query = Query(
                streams=list("abc"),
                start=start,
                end=end,
                after=after,
                limit=limit,
                max_scan=scan,
                backward=backward,
                match=lambda text: "a" not in text,
            )
            page = await disk.read(query)
            seen += [(*located.position, located.event.message) for located in page.events]
            after = page.last
            if page.complete:
                break
        assert seen == wanted
        await disk.close()

    asyncio.run(journey())
