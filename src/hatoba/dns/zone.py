"""Names we know → what is to be said about them. Pure.

A zone knows single names, and may own whole trees (`origins`): below an origin a name that is not known does not exist,
anywhere else it is somebody else's and `find` answers None. Negative answers are short-lived, so that a name which
appears is seen within seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from hatoba.dns.base import Entry, Find, Found

NEGATIVE_TTL = 5  # Cloud Map promises changes in under five seconds; so must every negative answer keep
SOA = f"localhost. nobody.invalid. 1 3600 600 86400 {NEGATIVE_TTL}"

Lookup = Callable[[str], Entry | None]


class Zone:
    """Names by lookup: a table's, or names that are computed."""

    def __init__(self, lookup: Lookup, origins: Iterable[str] = ()) -> None:
        self._lookup = lookup
        self._origins = frozenset(origins)

    @classmethod
    def of(cls, entries: Mapping[str, Entry], origins: Iterable[str] = ()) -> Zone:
        """Of a table. What lies between a name and its origin exists too, though it has nothing (RFC 8020)."""
        owned = frozenset(origins)
        table = dict(entries)
        if owned:
            for name in entries:
                for between in _up_to(name, owned):
                    table.setdefault(between, Entry())
        return cls(table.get, owned)

    def find(self, name: str, kind: str) -> Found | None:
        origin = next((each for each in _up(name) if each in self._origins), None) if self._origins else None
        if kind == "SOA" and name == origin:
            return Found(kind=kind, values=(SOA,), ttl=NEGATIVE_TTL)
        entry = self._lookup(name)
        if entry is None and name == origin:
            entry = Entry()
        if entry is not None:
            return _of_kind(entry, kind, parent(name) if origin is None else origin)
        return None if origin is None else Found(exists=False, zone=origin)


def first(finds: Iterable[Find]) -> Find:
    """Asks one zone after the other: the first that owns a name has the say."""
    asked = tuple(finds)

    def find(name: str, kind: str) -> Found | None:
        for each in asked:
            found = each(name, kind)
            if found is not None:
                return found
        return None

    return find


def turned(found: Found, turn: int) -> Found:
    """The same with its values in another order: who takes the first one spreads over all of them."""
    start = turn % len(found.values)
    values = found.values[start:] + found.values[:start]
    return Found(kind=found.kind, values=values, ttl=found.ttl, exists=found.exists, zone=found.zone)


def parent(name: str) -> str:
    return name.partition(".")[2]


def _of_kind(entry: Entry, kind: str, zone: str) -> Found:
    kinds = ("A", "AAAA", "PTR") if kind == "ANY" else (kind,)  # any of them is enough (RFC 8482)
    for each in kinds:
        values = _values(entry, each)
        if values:
            return Found(kind=each, values=values, ttl=entry.ttl)
    return Found(zone=zone)


def _values(entry: Entry, kind: str) -> tuple[str, ...]:
    match kind:
        case "A":
            return tuple(address for address in entry.addresses if ":" not in address)
        case "AAAA":
            return tuple(address for address in entry.addresses if ":" in address)
        case "PTR" if entry.pointer:
            return (f"{entry.pointer}.",)
        case _:
            return ()


def _up(name: str) -> Iterator[str]:
    """The name, its parent, and so on to the root."""
    while name:
        yield name
        name = parent(name)
    yield ""


def _up_to(name: str, origins: frozenset[str]) -> list[str]:
    """What lies above the name and below its origin; nothing when it has none."""
    between: list[str] = []
    for each in _up(parent(name)):
        if each in origins:
            return between
        between.append(each)
    return []
