"""A page of a bucket's keys: in order, under a prefix, with what shares a delimiter rolled up.

`onward` gives the keys from a text on, in order, one at a time. Behind each common prefix the walk begins anew: what
is rolled up is not gone through. Source: S3's API reference, "ListObjectsV2"; the user guide, "Organizing objects".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")
Onward = Callable[[str], Iterator[tuple[str, T]]]  # keys ≥ a text, each with what it is

_LAST = "\U0010ffff"


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    found: tuple[T, ...]
    prefixes: tuple[str, ...]
    next: str | None  # the last key or common prefix of the page, where there is more behind it


def page(onward: Onward[T], *, prefix: str, delimiter: str, after: str, limit: int) -> Page[T]:
    """`after`: the last key or common prefix of the page before, or any text; `limit`: how many of both together."""
    found: list[T] = []
    prefixes: list[str] = []
    last = ""
    start: str | None = prefix if after < prefix else past(after, prefix, delimiter)
    while start is not None:
        walk, start = onward(start), None
        for key, what in walk:
            if not key.startswith(prefix):
                break
            if len(found) + len(prefixes) == limit:
                return Page(found=tuple(found), prefixes=tuple(prefixes), next=last)
            group = group_of(key, prefix, delimiter)
            if group is not None:
                prefixes.append(group)
                last, start = group, successor(group)
                break
            found.append(what)
            last = key
    return Page(found=tuple(found), prefixes=tuple(prefixes), next=None)


def page_of(onward: Onward[T], *, prefix: str, delimiter: str, after: str, limit: int) -> Page[T]:
    """The same, of none at all where none are asked for."""
    if limit == 0:
        return Page(found=(), prefixes=(), next=None)
    return page(onward, prefix=prefix, delimiter=delimiter, after=after, limit=limit)


def after_entry(key: str, entry: str, prefix: str, delimiter: str) -> str:
    """Behind one entry of a key; without one behind all of the key's, or all that is rolled up under it."""
    if not key or (not entry and group_of(key, prefix, delimiter) == key):
        return key
    return f"{key}\0{entry or _LAST}"


def group_of(key: str, prefix: str, delimiter: str) -> str | None:
    """The common prefix under which a key is rolled up. What stands behind U+0000, which no key has, tells entries of
    one key apart."""
    if not delimiter:
        return None
    key = key.partition("\0")[0]
    end = key.find(delimiter, len(prefix))
    return None if end < 0 else key[: end + len(delimiter)]


def past(after: str, prefix: str, delimiter: str) -> str | None:
    """The first text behind `after`: behind all that it rolls up, where it is a common prefix."""
    if after.startswith(prefix) and group_of(after, prefix, delimiter) == after:
        return successor(after)
    return f"{after}\0"


def successor(prefix: str) -> str | None:
    """The first text behind all that begin with `prefix`."""
    head = prefix.rstrip(_LAST)
    return head[:-1] + chr(ord(head[-1]) + 1) if head else None
