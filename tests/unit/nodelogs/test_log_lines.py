"""Cutting bytes into events: the same however the bytes arrive, and wherever a crash made it begin again."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.node.logs import lines
from hatoba.node.logs.lines import Grouper, Line, Splitter

# Bytes with newlines, characters of every length, torn ones and ones that are no UTF-8 at all.
_pieces = st.sampled_from([b"a", b"b", b"\n", b"\n\n", "é".encode(), "☃".encode(), "😀".encode(), b"\xff", b"\xe2\x98"])
_bytes = st.lists(_pieces, max_size=60).map(b"".join)


def split(data: bytes, cuts: list[int], start: int = 0) -> list[Line]:
    splitter, found, at = Splitter(start), list[Line](), 0
    for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        found += splitter.feed(data[at:cut])
        at = cut
    return found + splitter.finish()


@pytest.fixture(autouse=True, scope="module")
def short_events() -> object:
    with patch.object(lines, "EVENT_BYTES", 12):
        yield


@given(_bytes, st.lists(st.integers(0, 1000), max_size=6))
def test_how_bytes_arrive_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    assert split(data, cuts) == split(data, [])


@given(_bytes, st.lists(st.integers(0, 1000), max_size=3))
def test_a_crash_between_events_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    whole = split(data, [])
    for number, line in enumerate(whole):
        assert split(data[line.end :], cuts, line.end) == whole[number + 1 :]


@given(_bytes)
def test_nothing_is_lost_and_nothing_is_too_long(data: bytes) -> None:
    found = split(data, [])
    assert [line.start for line in found] == [0, *(line.end for line in found)][:-1]
    assert (found[-1].end if found else 0) == len(data)
    for line in found:
        assert data[line.start : line.end].removesuffix(b"\n").decode("utf-8", "replace") == line.text
        assert len(line.text.encode()) <= 12


@given(st.text("aé☃😀", max_size=50))
def test_no_character_is_torn(text: str) -> None:
    assert "".join(line.text for line in split(text.encode(), [])) == text


def test_a_line_that_fits_exactly_stays_whole() -> None:
    assert [line.text for line in split(b"x" * 12 + b"\ny\n", [12])] == ["x" * 12, "y"]


def test_lines_are_grouped_until_the_next_one_begins() -> None:
    grouper = Grouper(r"^\d")
    first = grouper.feed(split(b"tail\n1 a\n b\n2 c\n", []))
    assert [event.text for event in first] == ["tail", "1 a\n b"]
    assert grouper.start == 12
    assert [event.text for event in grouper.finish()] == ["2 c"]
    assert grouper.start is None


def test_a_group_that_grows_too_long_is_cut() -> None:
    grouper = Grouper(r"^\d")
    events = grouper.feed(split(b"1 23\n abc\n defg\n2\n", [])) + grouper.finish()
    assert [event.text for event in events] == ["1 23\n abc", " defg", "2"]
    assert [event.end for event in events] == [10, 16, 18]


def test_no_group_spans_where_the_batch_before_a_crash_ended() -> None:
    grouper = Grouper(r"^\d", barrier=7)
    assert [event.text for event in grouper.feed(split(b"1 a\n b\n c\n2\n", []))] == ["1 a\n b", " c"]
