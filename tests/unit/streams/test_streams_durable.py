"""What the disk keeps: restarts, cuts at every byte, full disks, retention."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
from pathlib import Path

import pytest

from hatoba.core.clock import ManualClock
from hatoba.core.errors import PortError, Refused
from hatoba.streams import segments
from hatoba.streams.engine import RETRY_SECONDS, DiskStreams
from hatoba.streams.port import Batch, Position, Query

DAY = 24 * 3600 * 1000


def journals(root: Path) -> list[Path]:
    return sorted(root.glob("*.journal"))


async def opened(root: Path, held: int = 1 << 20) -> DiskStreams:
    return await DiskStreams.open(root, ManualClock(), held_bytes=held)


async def texts(streams: DiskStreams, *names: str) -> list[str]:
    return [located.event.message for located in (await streams.read(Query(streams=names))).events]


def batch(*messages: str, time: int = 1, end: int = 0) -> Batch:
    ends = [end - len(messages) + 1 + n for n in range(len(messages))] if end else ()
    return Batch(times=[time] * len(messages), messages=messages, producer="p" if end else "", ends=ends)


@pytest.mark.parametrize("held", [100, 1 << 20], ids=["in segments", "in the journal"])
async def test_a_restart_finds_everything_and_goes_on(tmp_path: Path, held: int) -> None:
    streams = await opened(tmp_path, held)
    for n in range(10):
        await streams.append("a", batch(f"{n}", end=n + 1))
    before = await streams.stats(["a"])
    end = (await streams.read(Query(streams=["a"], limit=4))).last
    await streams.close()
    streams = await opened(tmp_path, held)
    assert await streams.stats(["a"]) == before
    assert await streams.append("a", batch("9", end=10)) == 0
    assert await streams.append("a", batch("9", "10", end=11)) == 1
    assert await texts(streams, "a") == [str(n) for n in range(11)]
    # A position that was given out before leads to the same place.
    assert end == Position(1, "a", 3)
    assert (await streams.read(Query(streams=["a"], after=end))).events[0].event.message == "4"
    await streams.close()


async def test_deleting_outlives_a_restart(tmp_path: Path) -> None:
    streams = await opened(tmp_path, 100)
    await streams.append("a", batch("x" * 200))
    await streams.append("a", batch("still in the journal"))
    await streams.delete("a")
    await streams.append("a", batch("anew"))
    await streams.close()
    streams = await opened(tmp_path)
    assert await texts(streams, "a") == ["anew"]
    await streams.close()


async def test_a_cut_at_any_byte_of_the_journal_leaves_whole_appends(tmp_path: Path) -> None:
    original, cut = tmp_path / "original", tmp_path / "cut"
    streams = await opened(original)
    for n in range(4):
        await streams.append(f"s{n % 2}", batch(f"{n}a", f"{n}b", time=n))
    await streams.close()
    (journal,) = journals(original)
    size = journal.stat().st_size
    seen = set()
    for length in range(size + 1):
        shutil.rmtree(cut, ignore_errors=True)
        shutil.copytree(original, cut)
        os.truncate(cut / journal.name, length)
        streams = await opened(cut)
        found = await texts(streams, "s0", "s1")
        assert found == [f"{n}{x}" for n in range(len(found) // 2) for x in "ab"]
        seen.add(len(found))
        # What is written behind the cut is read at the next opening.
        await streams.append("s0", batch("more", time=9))
        await streams.close()
        if length % 16 == 0:
            streams = await opened(cut)
            assert await texts(streams, "s0", "s1") == [*found, "more"]
            await streams.close()
    assert seen == {0, 2, 4, 6, 8}


async def test_a_damaged_byte_in_the_journal_ends_the_reading_there(tmp_path: Path) -> None:
    streams = await opened(tmp_path)
    for n in range(3):
        await streams.append("a", batch(f"{n}" * 20))
    await streams.close()
    (journal,) = journals(tmp_path)
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 1
    journal.write_bytes(data)
    streams = await opened(tmp_path)
    assert await texts(streams, "a") == ["0" * 20]
    await streams.close()


async def test_a_checkpoint_cut_off_anywhere_neither_loses_nor_repeats(tmp_path: Path) -> None:
    # The segment is as a crash may leave it, and the journal of before is still there.
    streams = await opened(tmp_path / "before")
    for n in range(20):
        await streams.append("a", batch(f"{n:02}" * 30, end=n + 1, time=n))
    await streams.close()
    expected = [f"{n:02}" * 30 for n in range(20)]
    shutil.copytree(tmp_path / "before", tmp_path / "after")
    streams = await opened(tmp_path / "after", 100)
    await streams.append("b", batch("pushes the checkpoint"))
    await streams.close()
    where = segments.folder(tmp_path / "after", "a")
    (segment,) = where.iterdir()
    for length in range(0, segment.stat().st_size + 1, 7):
        cut = tmp_path / f"cut{length}"
        shutil.copytree(tmp_path / "before", cut)
        segments.folder(cut, "a").mkdir(parents=True)
        (segments.folder(cut, "a") / segment.name).write_bytes(segment.read_bytes()[:length])
        streams = await opened(cut, 100)
        assert await streams.append("a", batch("again", end=20)) == 0
        assert await texts(streams, "a") == expected
        await streams.append("a", batch("new", time=99))
        await streams.close()
        streams = await opened(cut)
        assert await texts(streams, "a") == [*expected, "new"]
        await streams.close()


async def test_a_full_disk_refuses_and_shows_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite
    streams = await opened(tmp_path)
    await streams.append("a", batch("before"))
    tail = streams.subscribe(lambda stream: True)

    def full(descriptor: int, data: bytes, offset: int) -> int:
        if len(data) > 10:
            return real(descriptor, data[: len(data) - 10], offset)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(PortError) as refused:
        await streams.append("a", batch("lost", end=1))
    assert refused.value.code == "DiskFull"
    assert await texts(streams, "a") == ["before"]
    monkeypatch.setattr(os, "pwrite", real)
    # It goes on by itself once there is room, and the repetition is not taken for a stored one.
    assert await streams.append("a", batch("after", end=1)) == 1
    tail.close()
    assert [[located.event.message for located in some] async for some in tail] == [["after"]]
    await streams.close()
    streams = await opened(tmp_path)
    assert await texts(streams, "a") == ["before", "after"]
    await streams.close()


async def test_segments_that_cannot_be_written_stay_readable_and_are_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = segments._write

    def full(where: Path, path: str, offset: int, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    clock = ManualClock()
    streams = await DiskStreams.open(tmp_path, clock, held_bytes=2_000)
    monkeypatch.setattr(segments, "_write", full)
    taken = 0
    with contextlib.suppress(PortError):  # when memory has taken twice what it should, it says so
        for taken in range(200):
            await streams.append("a", batch("x" * 100, time=taken))
    assert 5 < taken < 50
    assert len(await texts(streams, "a")) == taken
    monkeypatch.setattr(segments, "_write", real)
    clock.advance(RETRY_SECONDS)
    await streams.append("a", batch("y", time=1000))  # the next attempt empties the memory
    assert len(await texts(streams, "a")) == taken + 1
    await streams.close()
    assert segments.load(segments.folder(tmp_path, "a"))


async def test_retention_removes_whole_segments_and_keeps_the_counters(tmp_path: Path) -> None:
    streams = await opened(tmp_path, 10)
    for day in range(5):
        await streams.append("a", batch(f"day {day}", time=day * DAY, end=day + 1))
        await streams.append("a", batch(f"day {day} later", time=day * DAY + 1))
    await streams.close()
    streams = await opened(tmp_path, 10)
    assert await streams.expire("a", 2 * DAY) > 0
    left = await texts(streams, "a")
    assert left[-1] == "day 4 later"
    assert "day 0" not in left
    assert "day 2" in left  # a segment goes only when all of it is too old
    assert await streams.expire("a", 100 * DAY) > 0
    assert await texts(streams, "a") == []
    assert (await streams.stats(["a"]))[0].bytes == 0
    assert await streams.expire("a", 100 * DAY) == 0
    await streams.close()
    streams = await opened(tmp_path, 10)
    assert await streams.append("a", batch("repeated", end=5)) == 0
    await streams.append("a", batch("on", time=101 * DAY))
    (located,) = (await streams.read(Query(streams=["a"]))).events
    assert located.event.sequence == 10
    await streams.close()


async def test_the_journal_is_dropped_once_segments_hold_its_contents(tmp_path: Path) -> None:
    streams = await opened(tmp_path, 50_000)
    for n in range(100):
        await asyncio.gather(*(streams.append(f"s{i}", batch("x" * 500, time=n)) for i in range(10)))
    await streams.close()
    assert sum(path.stat().st_size for path in journals(tmp_path)) < 300_000
    assert len(segments.load(segments.folder(tmp_path, "s0"))) > 2
    streams = await opened(tmp_path)
    assert len(await texts(streams, *(f"s{i}" for i in range(10)))) == 1000
    await streams.close()


async def test_one_folder_has_one_writer(tmp_path: Path) -> None:
    streams = await opened(tmp_path)
    with pytest.raises(Refused, match="Another Hatoba"):
        await opened(tmp_path)
    await streams.close()
    await (await opened(tmp_path)).close()


async def test_closing_answers_everybody(tmp_path: Path) -> None:
    streams = await opened(tmp_path)
    appends = [asyncio.ensure_future(streams.append("a", batch(f"{n}"))) for n in range(5)]
    await asyncio.sleep(0)
    await streams.close()
    assert await asyncio.gather(*appends) == [1] * 5
    with pytest.raises(PortError):
        await streams.append("a", batch("late"))
