"""What a zone says, beside a model that is too simple to be wrong."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hatoba.dns.base import Entry, Found
from hatoba.dns.zone import Zone, first, turned

LABEL = st.sampled_from(["a", "b", "web", "db", "x-1"])
NAMES = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
ADDRESSES = st.lists(st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1", "fd00::2"]), unique=True)
ENTRIES = st.dictionaries(NAMES, ADDRESSES.map(lambda a: Entry(addresses=tuple(a))), max_size=6)


@given(entries=ENTRIES, origins=st.sets(NAMES, max_size=2), name=NAMES, kind=st.sampled_from(["A", "AAAA", "TXT"]))
def test_zone_equals_its_model(entries: dict[str, Entry], origins: set[str], name: str, kind: str) -> None:
    found = Zone.of(entries, origins).find(name, kind)
    owned = any(name == origin or name.endswith(f".{origin}") for origin in origins)
    held = entries[name].addresses if name in entries else ()
    values = {"A": [a for a in held if "." in a], "AAAA": [a for a in held if ":" in a]}.get(kind, [])
    below = any(other.endswith(f".{name}") for other in entries)
    if name not in entries and not owned:
        assert found is None
        return
    assert found is not None
    assert list(found.values) == values
    assert found.exists == (name in entries or name in origins or below)
    if not values:
        assert name == found.zone or name.endswith(f".{found.zone}") or not found.zone


def test_start_of_authority_of_an_origin() -> None:
    zone = Zone.of({}, ["svc.local"])
    assert zone.find("svc.local", "SOA") == Found(
        kind="SOA", values=("localhost. nobody.invalid. 1 3600 600 86400 5",), ttl=5
    )
    assert zone.find("local", "SOA") is None


def test_nested_origins_answer_with_the_nearer_one() -> None:
    found = Zone.of({}, ["local", "svc.local"]).find("x.svc.local", "A")
    assert found == Found(exists=False, zone="svc.local")


def test_any_is_answered_with_one_kind() -> None:
    zone = Zone.of({"both": Entry(addresses=("10.0.0.1", "fd00::1")), "six": Entry(addresses=("fd00::1",))})
    both, six = zone.find("both", "ANY"), zone.find("six", "ANY")
    assert both is not None
    assert (both.kind, both.values) == ("A", ("10.0.0.1",))
    assert six is not None
    assert (six.kind, six.values) == ("AAAA", ("fd00::1",))


def test_the_first_zone_that_owns_a_name_has_the_say() -> None:
    private = Zone.of({"web.corp": Entry(addresses=("10.0.0.1",))}, ["corp"])
    public = Zone.of({"web.corp": Entry(addresses=("1.1.1.1",)), "db.corp": Entry(addresses=("1.1.1.2",))})
    find = first([private.find, public.find])
    web, db = find("web.corp", "A"), find("db.corp", "A")
    assert web is not None
    assert web.values == ("10.0.0.1",)
    assert db is not None
    assert not db.exists
    assert find("elsewhere", "A") is None


@given(st.lists(st.integers(), min_size=1, max_size=9, unique=True), st.integers(min_value=0, max_value=99))
def test_turning_keeps_every_value(numbers: list[int], turn: int) -> None:
    found = Found(kind="A", values=tuple(map(str, numbers)))
    after = turned(found, turn)
    assert sorted(after.values) == sorted(found.values)
    assert after.values[0] == found.values[turn % len(numbers)]
