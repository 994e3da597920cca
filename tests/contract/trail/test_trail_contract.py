"""What every trail does: the one on disk and its twin in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hatoba.core.errors import Refused
from hatoba.trail.disk import FORMAT, DiskTrail
from hatoba.trail.port import Attribute, Entry, Question, Thing, Trail
from hatoba.trail.simulated import MemoryTrail

BLUE = "arn:aws:ecs:us-east-1:1:cluster/blue"


@pytest.fixture(params=["disk", "memory"])
async def trail(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Trail]:
    made: Trail = DiskTrail(tmp_path / "trail.db") if request.param == "disk" else MemoryTrail()
    yield made
    await made.close()


def entry(number: int, **given: Any) -> Entry:
    known: dict[str, Any] = {
        "id": f"e{number}",
        "time": float(number),
        "account": "1",
        "region": "us-east-1",
        "name": "RunTask",
        "source": "ecs.amazonaws.com",
        "user": "ann",
        "access_key": "AKIA1",
        "read_only": False,
        "document": b"{}",
    }
    return Entry(**{**known, **given})


async def ids(trail: Trail, **asked: Any) -> list[str]:
    found = await trail.find(Question(**{"account": "1", "region": "us-east-1", **asked}))
    return [each.id for _, each in found]


async def test_the_newest_first_and_whole(trail: Trail) -> None:
    things = (Thing("AWS::ECS::Cluster", BLUE),)
    entries = [entry(2, things=things, document=b'{"a": 1}'), entry(1), entry(3, read_only=True)]
    await trail.add(entries)
    found = [each for _, each in await trail.find(Question(account="1", region="us-east-1"))]
    assert found == [entries[2], entries[0], entries[1]]


async def test_accounts_and_regions_see_their_own(trail: Trail) -> None:
    await trail.add([entry(1), entry(2, account="2"), entry(3, region="eu-west-1")])
    assert await ids(trail) == ["e1"]
    assert await ids(trail, account="2") == ["e2"]
    assert await ids(trail, region="eu-west-1") == ["e3"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (("id", "e2"), ["e2"]),
        (("name", "StopTask"), ["e2"]),
        (("source", "iam.amazonaws.com"), ["e3"]),
        (("user", "bob"), ["e2"]),
        (("access_key", "AKIA1"), ["e3", "e1"]),
        (("read_only", "true"), ["e3"]),
        (("read_only", "false"), ["e2", "e1"]),
        (("kind", "AWS::ECS::Cluster"), ["e2", "e1"]),
        (("thing", BLUE), ["e1"]),
        (("thing", "blue"), ["e1"]),
        (("thing", "lue"), []),
        (("user", "ann' OR 1=1 --"), []),
    ],
)
async def test_found_by_an_attribute(trail: Trail, where: tuple[Attribute, str], expected: Sequence[str]) -> None:
    green = Thing("AWS::ECS::Cluster", "arn:aws:ecs:us-east-1:1:cluster/green")
    await trail.add(
        [
            entry(1, things=(Thing("AWS::ECS::Cluster", BLUE),)),
            entry(2, name="StopTask", user="bob", access_key="AKIA2", things=(green,)),
            entry(3, source="iam.amazonaws.com", read_only=True),
        ]
    )
    assert await ids(trail, where=where) == expected


async def test_between_two_times(trail: Trail) -> None:
    await trail.add([entry(number) for number in range(1, 6)])
    assert await ids(trail, since=2.0, until=4.0) == ["e4", "e3", "e2"]


@pytest.mark.parametrize("where", [None, ("user", "ann"), ("thing", "blue")])
async def test_page_by_page_each_once_also_at_the_same_time(trail: Trail, where: Any) -> None:
    things = (Thing("AWS::ECS::Cluster", BLUE),)
    await trail.add([entry(number, time=float(number // 4), things=things) for number in range(10)])
    seen: list[str] = []
    after = None
    while found := await trail.find(Question(account="1", region="us-east-1", where=where, after=after, limit=3)):
        seen += [each.id for _, each in found]
        after = found[-1][0]
        await trail.add([entry(100 + len(seen), time=50.0, things=things)])  # what is newer does not disturb
    assert seen == [f"e{number}" for number in (9, 8, 7, 6, 5, 4, 3, 2, 1, 0)]


async def test_added_twice_is_kept_once_as_it_was_first(trail: Trail) -> None:
    await trail.add([entry(1, document=b"first")])
    await trail.add([entry(1, document=b"second"), entry(2)])
    found = await trail.find(Question(account="1", region="us-east-1"))
    assert [(each.id, each.document) for _, each in found] == [("e2", b"{}"), ("e1", b"first")]


async def test_the_oldest_is_forgotten_by_age_and_by_size(trail: Trail) -> None:
    things = (Thing("AWS::ECS::Cluster", BLUE),)
    await trail.add([entry(number, document=b"x" * 20_000, things=things) for number in range(100)])
    await trail.forget(before=50.0, most_bytes=10**9)
    assert len(await ids(trail, limit=1000)) == 50
    assert len(await ids(trail, limit=1000, where=("thing", "blue"))) == 50
    await trail.forget(before=0.0, most_bytes=500_000)
    left = await ids(trail, limit=1000)
    assert 0 < len(left) < 26
    assert left == [f"e{number}" for number in range(99, 99 - len(left), -1)]


async def test_it_is_there_again_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "trail.db"
    first = DiskTrail(path)
    await first.add([entry(1)])
    await first.close()
    second = DiskTrail(path)
    assert await ids(second) == ["e1"]
    await second.close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trail.db"
    sqlite3.connect(path, isolation_level=None).execute(f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(Refused, match="newer"):
        DiskTrail(path)


def test_a_file_that_is_no_trail_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trail.db"
    path.write_bytes(b"something else entirely" * 1000)
    with pytest.raises(Refused, match="cannot be used"):
        DiskTrail(path)
