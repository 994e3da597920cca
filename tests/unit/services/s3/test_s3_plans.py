"""Listings, ranges, conditions and names: pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.aws.protocols.s3 import bucket_of_host
from hatoba.services.s3.access import source_of
from hatoba.services.s3.plan import conditions, listing, names, ranges
from hatoba.services.s3.plan.conditions import Conditions

KEYS = st.sets(st.text("ab/\U0010ffff", min_size=1, max_size=6), max_size=12)
TEXT = st.text("ab/", max_size=3)


class Ordered:
    def __init__(self, keys: set[str]) -> None:
        self.keys = sorted(keys)
        self.seen = 0

    def onward(self, first: str) -> Iterator[tuple[str, str]]:
        for key in self.keys[bisect_left(self.keys, first) :]:
            self.seen += 1
            yield key, key


def rolled_up(keys: set[str], prefix: str, delimiter: str) -> list[str]:
    """All entries of a listing, in the plainest way."""
    found = []
    for key in sorted(keys):
        if key.startswith(prefix):
            group = listing.group_of(key, prefix, delimiter)
            found.append(f"{group}*" if group else key)
    return list(dict.fromkeys(found))


@given(KEYS, TEXT, st.sampled_from(["", "/", "b", "a/"]), st.integers(1, 4))
def test_pages_join_to_the_whole(keys: set[str], prefix: str, delimiter: str, limit: int) -> None:
    ordered, after, entries = Ordered(keys), "", list[str]()
    for _ in range(20):
        page = listing.page(ordered.onward, prefix=prefix, delimiter=delimiter, after=after, limit=limit)
        entries += sorted([*page.found, *(f"{group}*" for group in page.prefixes)], key=lambda e: e.removesuffix("*"))
        assert len(page.found) + len(page.prefixes) <= limit
        if page.next is None:
            break
        assert page.next > after
        after = page.next
    assert entries == rolled_up(keys, prefix, delimiter)


@given(KEYS, TEXT)
def test_after_any_text_come_the_keys_behind_it(keys: set[str], after: str) -> None:
    page = listing.page(Ordered(keys).onward, prefix="", delimiter="", after=after, limit=100)
    assert list(page.found) == [key for key in sorted(keys) if key > after]


def test_what_is_rolled_up_is_not_gone_through() -> None:
    ordered = Ordered({f"{folder}/{number}" for folder in "abc" for number in range(1000)})
    page = listing.page(ordered.onward, prefix="", delimiter="/", after="", limit=10)
    assert page.prefixes == ("a/", "b/", "c/")
    assert ordered.seen <= 6
    listing.page(ordered.onward, prefix="b/", delimiter="", after="", limit=5)
    assert ordered.seen <= 13


@pytest.mark.parametrize(
    ("said", "size", "expected"),
    [
        (None, 10, None),
        ("bytes=0-", 10, (0, 10)),
        ("bytes=3-5", 10, (3, 3)),
        ("bytes=3-99", 10, (3, 7)),
        ("bytes=-4", 10, (6, 4)),
        ("bytes=-40", 10, (0, 10)),
        ("bytes=5-3", 10, None),
        ("bytes=-", 10, None),
        ("bytes=0-1,2-3", 10, None),
        ("items=0-1", 10, None),
        ("bytes=" + "9" * 30 + "-", 10, None),
    ],
)
def test_ranges_of_requests(said: str | None, size: int, expected: tuple[int, int] | None) -> None:
    assert ranges.span(said, size) == expected


@pytest.mark.parametrize(("said", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-1", 0)])
def test_ranges_without_a_byte(said: str, size: int) -> None:
    with pytest.raises(ranges.Unsatisfiable):
        ranges.span(said, size)


@pytest.mark.parametrize(
    ("asked", "outcome"),
    [
        ({"match": '"e"'}, ""),
        ({"match": "*"}, ""),
        ({"match": '"a", W/"e"'}, ""),
        ({"match": '"a"'}, "If-Match"),
        ({"match": '"e"', "unmodified_since": 50.0}, ""),
        ({"unmodified_since": 50.0}, "If-Unmodified-Since"),
        ({"unmodified_since": 100.0}, ""),
        ({"none_match": "e"}, "If-None-Match"),
        ({"none_match": "a", "modified_since": 200.0}, ""),
        ({"modified_since": 100.0}, "If-Modified-Since"),
        ({"modified_since": 99.0}, ""),
    ],
)
def test_conditions_before_one_another(asked: dict[str, str | float], outcome: str) -> None:
    assert conditions.judge(Conditions(**asked), "e", 100.9) == outcome  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("abc", True),
        ("a.b-c", True),
        ("ab", False),
        ("a..b", False),
        ("1.2.3.4", False),
        ("Abc", False),
        ("abc-", False),
    ],
)
def test_names_of_buckets(name: str, valid: bool) -> None:
    assert names.valid_bucket(name) is valid


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("localhost:4566", None),
        ("127.0.0.1:4566", None),
        ("s3.localhost", None),
        ("s3.us-east-1.amazonaws.com", None),
        ("s3-eu-west-1.amazonaws.com", None),
        ("s3.dualstack.eu-west-1.amazonaws.com", None),
        ("b.localhost:4566", "b"),
        ("my.dotted.localhost", "my.dotted"),
        ("b.s3.localhost:4566", "b"),
        ("my.s3.dotted.s3.eu-west-1.amazonaws.com", "my.s3.dotted"),
        ("B.S3.Amazonaws.com", "b"),
        ("hatoba.example", None),
        ("a/b.localhost", None),
    ],
)
def test_buckets_in_hosts(host: str, bucket: str | None) -> None:
    assert bucket_of_host(host) == bucket


def test_sources_of_copies() -> None:
    assert source_of("/b/a%20b%2Fc?versionId=v%2B") == ("b", "a b/c", "v+")
    assert source_of("b/k") == ("b", "k", None)
    assert source_of("b") == ("b", "", None)
