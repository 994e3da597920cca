"""Names, routes, ranges: what a path or a header says, for any text that a client may send."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.registry import names, ranges, routes
from hatoba.registry.access import credentials
from hatoba.registry.problems import Problem

T = TypeVar("T")


def outcome(work: Callable[..., T], *args: object) -> T | Problem:
    try:
        return work(*args)
    except Problem as problem:
        return problem


component = st.from_regex(r"[a-z0-9]{1,5}([._-][a-z0-9]{1,5})?", fullmatch=True)
repository = st.lists(
    component | st.sampled_from(["blobs", "uploads", "manifests", "tags", "list", "referrers"]), min_size=1, max_size=4
).map("/".join)


@given(
    repository, st.sampled_from(["manifests", "blobs", "referrers"]), st.from_regex(r"\w[\w.:-]{0,20}", fullmatch=True)
)
def test_any_name_is_read_back(name: str, word: str, reference: str) -> None:
    route = routes.parse(f"/v2/{name}/{word}/{reference}")
    assert route is not None
    if not (word == "blobs" and reference == "uploads"):
        assert (route.name, route.reference) == (name, reference) or name.endswith("/blobs/uploads")


@given(repository, st.uuids().map(str))
def test_upload_paths(name: str, upload: str) -> None:
    assert routes.parse(f"/v2/{name}/blobs/uploads/{upload}") == routes.Route(
        kind="upload", name=name, reference=upload
    )
    assert routes.parse(f"/v2/{name}/blobs/uploads/") == routes.Route(kind="uploads", name=name)
    assert routes.parse(f"/v2/{name}/tags/list") == routes.Route(kind="tags", name=name)


@given(st.text())
def test_no_path_breaks_the_parser(path: str) -> None:
    route = outcome(routes.parse, "/v2/" + path)
    if isinstance(route, Problem):
        assert route.code == "NAME_INVALID"
    else:
        assert route is None or route.name == "" or names.is_name(route.name)


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 300))
def test_a_range_is_what_a_slice_would_give(first: int, last: int, size: int) -> None:
    data = bytes(i % 256 for i in range(size))
    span = outcome(ranges.wanted, f"bytes={first}-{last}", size)
    if isinstance(span, Problem):
        assert span.status == 416
        assert first >= size
    elif span is None:
        assert last < first
    else:
        assert data[span.first : span.last + 1] == data[first : last + 1]
        assert span.length == len(data[first : last + 1])


@given(st.integers(0, 400), st.integers(1, 300))
def test_a_suffix_range(count: int, size: int) -> None:
    if count == 0:
        with pytest.raises(Problem):
            ranges.wanted("bytes=-0", size)
        return
    span = ranges.wanted(f"bytes=-{count}", size)
    assert span is not None
    assert (span.last, span.length) == (size - 1, min(count, size))


@given(st.text(max_size=40))
def test_no_header_breaks_the_readers(text: str) -> None:
    credentials(text)
    credentials("Basic " + text)
    outcome(ranges.wanted, text, 0)
    span = outcome(ranges.chunk, text)
    if isinstance(span, Problem):
        assert span.status == 400
    else:
        assert span is not None
        assert 0 <= span.first <= span.last


@pytest.mark.parametrize("text", ["bytes=0-", "bytes=-1", "bytes=0-0"])
def test_nothing_of_an_empty_blob(text: str) -> None:
    with pytest.raises(Problem):
        ranges.wanted(text, 0)


def test_tags() -> None:
    assert all(map(names.is_tag, ["v1", "_x", "A.b-c_d", "a" * 128]))
    assert not any(map(names.is_tag, ["", ".x", "-x", "a" * 129, "a:b", "a/b", "é", "a\n"]))
