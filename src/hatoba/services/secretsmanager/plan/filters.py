"""Filters and orders of ListSecrets and BatchGetSecretValue. Pure.

By the reference of Filter: each matches by prefix, description and `all` without case; values that begin with `!` are
the ones that must not match. Several values of a filter are alternatives, several filters must all match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from hatoba.aws.shapes import secretsmanager as t


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is filtered and sorted by."""

    name: str
    description: str
    tags: Mapping[str, str]
    primary: str
    owner: str
    created: float
    changed: float
    accessed: float


_READ: dict[str, Callable[[Facts], Iterable[str]]] = {
    "name": lambda facts: (facts.name,),
    "description": lambda facts: (facts.description.lower(),),
    "tag-key": lambda facts: facts.tags.keys(),
    "tag-value": lambda facts: facts.tags.values(),
    "primary-region": lambda facts: (facts.primary,),
    "owning-service": lambda facts: (facts.owner,),
}


def checked(filters: Sequence[t.Filter]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = []
    for each in filters:
        key, values = each.get("Key"), each.get("Values")
        if key is None or not values:
            raise t.InvalidParameterException("A filter must have a Key and Values.")
        found.append((str(key), tuple(values)))
    return tuple(found)


def matches(filters: Iterable[tuple[str, tuple[str, ...]]], facts: Facts) -> bool:
    return all(_matches(key, values, facts) for key, values in filters)


def _matches(key: str, values: tuple[str, ...], facts: Facts) -> bool:
    wanted = [value for value in values if not value.startswith("!")]
    unwanted = [value[1:] for value in values if value.startswith("!")]
    if any(_has(key, value, facts) for value in unwanted):
        return False
    return not wanted or any(_has(key, value, facts) for value in wanted)


def _has(key: str, value: str, facts: Facts) -> bool:
    if key == "all":
        words = value.lower().split()
        said = " ".join(text for read in _READ.values() for text in read(facts)).lower()
        return any(word in said for word in words)
    if key == "description":
        value = value.lower()
    return any(text.startswith(value) for text in _READ[key](facts))


def order(facts: Facts, by: str, *, descending: bool) -> str:
    """A text whose order is the wanted one: tokens of pages remember it."""
    if by == "name":
        return _mirrored(facts.name) if descending else facts.name
    moment = {"created-date": facts.created, "last-changed-date": facts.changed, "last-accessed-date": facts.accessed}
    micros = int(moment[by] * 1_000_000)
    return f"{10**18 - micros if descending else micros:020d}:{facts.name}"


def _mirrored(name: str) -> str:
    """The reverse order of names, which are ASCII; a longer one comes before what it begins with."""
    return "".join(chr(0x7F - ord(character)) for character in name) + "\x7f"
