"""What of a batch is taken, and the tokens of GetLogEvents."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hatoba.services.logs.plan import places
from hatoba.services.logs.plan.intake import BATCH_BYTES, DAY, HOUR, Event, intake, refusal
from hatoba.services.logs.plan.places import Place
from hatoba.streams import port

NOW = 1_700_000_000_000


def at(*ages: int) -> list[Event]:
    return [Event(NOW - age, "x") for age in ages]


def test_events_too_old_expired_or_too_new_are_left_out_by_index() -> None:
    events = at(15 * DAY, 14 * DAY + 1, 14 * DAY, 3 * DAY, 0, -2 * HOUR, -2 * HOUR - 1)
    taken = intake(events, NOW, None)
    assert (taken.first, taken.last) == (2, 6)
    assert (taken.too_old_end, taken.expired_end, taken.too_new_start) == (2, None, 6)
    taken = intake(events, NOW, 3)
    assert (taken.first, taken.last, taken.expired_end) == (3, 6, 3)
    assert intake(at(0), NOW, 1) == (0, 1, None, None, None)


def test_a_batch_is_refused_as_a_whole_for_order_size_and_span() -> None:
    assert refusal(at(5, 5, 0)) is None
    assert "chronological" in (refusal(at(0, 5)) or "")
    assert "24 hours" in (refusal(at(DAY + 1, 0)) or "")
    assert refusal(at(DAY, 0)) is None
    assert refusal([Event(NOW, "x" * (BATCH_BYTES - 26))]) is None
    assert "Log event too large" in (refusal([Event(NOW, "x" * (BATCH_BYTES - 25))]) or "")
    assert "Log event too large" in (refusal([Event(NOW, "ä" * 524_300)]) or "")
    assert "Upload too large: 1048578 bytes" in (refusal([Event(NOW, "x" * 524_263)] * 2) or "")


@given(st.integers(0, 10**19), st.integers(0, 10**30))
def test_a_token_leads_back_to_its_place(time: int, sequence: int) -> None:
    place = Place(time, sequence)
    assert places.parse(place.forward_token) == (False, place)
    assert places.parse(place.backward_token) == (True, place)


def test_tokens_that_are_not_ours_are_known() -> None:
    for token in ("", "f/1/s", "x/" + "0" * 56 + "/s", Place(1, 2).forward_token + "x"):
        assert places.parse(token) is None


def test_places_lie_around_a_page_or_where_it_was_looked_for() -> None:
    events = [port.Event(10, 3, 0, ""), port.Event(12, 5, 0, "")]
    first, last = places.around(events, places.BEGINNING)
    assert first.before("s") == (10, "s", 3)
    assert last.after("s") == (12, "s", 5)
    assert places.around([], last) == (last, last)
    assert last.before("s") > (12, "s", 5)  # to read backward from the end finds the last event
