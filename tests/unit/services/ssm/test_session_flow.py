"""Acknowledgements, repetition, order: whatever the line does to messages, each is taken once and in order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatoba.services.ssm.session import flow
from hatoba.services.ssm.session import frames as f
from hatoba.services.ssm.session.flow import GivenUp, Incoming, Outgoing
from hatoba.services.ssm.session.frames import Frame


def frame(number: int, size: int = 1) -> Frame:
    return Frame(kind=f.INPUT, id=f"{number:032x}", created=0, sequence=number, payload=bytes(size))


def sent(out: Outgoing, now: float, data: bytes = b"data") -> str:
    number = out.number()
    out.sent(number, f"m{number}", data, now)
    return f"m{number}"


def test_the_oldest_is_sent_again_until_it_is_acknowledged() -> None:
    out = Outgoing(1000)
    first, second = sent(out, 0.0, b"first"), sent(out, 0.0, b"second")
    assert out.again(0.19) is None
    assert out.again(0.2) == b"first"
    assert out.again(0.3) is None
    assert out.again(0.61) == b"first", "after twice the time"
    out.acknowledged(first, 0.7)
    assert out.again(0.8) == b"second"
    out.acknowledged(second, 0.9)
    out.acknowledged(second, 0.9)
    out.acknowledged("nobody", 0.9)
    assert (out.due, len(out), out.has_room) == (None, 0, True)


def test_patience_follows_the_round_trips_and_ends() -> None:
    out = Outgoing(1000)
    now = 0.0
    for _ in range(50):
        id_ = sent(out, now)
        now += 0.45
        out.acknowledged(id_, now)
    sent(out, now)
    assert out.due is not None
    assert 0.45 < out.due - now <= 1.0
    first = now
    while now < first + flow.PATIENCE - 1.0:
        now += 1.0
        assert out.again(now) is not None
    with pytest.raises(GivenUp):
        out.again(now + 2.0)


def test_the_window_closes_and_opens() -> None:
    out = Outgoing(10)
    ids = []
    while out.has_room:
        ids.append(sent(out, 0.0))
    assert len(ids) == 3
    out.acknowledged(ids[1], 0.1)
    assert out.has_room


def taken(incoming: Incoming) -> list[int]:
    found = []
    while (next_ := incoming.take()) is not None:
        found.append(next_.sequence)
    return found


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=300))
def test_each_is_taken_once_and_in_order(came: list[tuple[int, bool]]) -> None:
    incoming, got = Incoming(1 << 20), []
    for number, takes in came:
        was_taken = number < len(got)
        assert incoming.came(frame(number)) is was_taken
        if takes:
            got += taken(incoming)
    got += taken(incoming)
    assert got == list(range(len(got)))
    arrived = {number for number, _ in came}
    assert len(got) == next(number for number in range(32) if number not in arrived)


def test_what_waits_is_bounded_but_the_next_in_order_always_comes_in() -> None:
    incoming = Incoming(most_bytes=1000, most=50)
    for number in range(1, 1000):
        incoming.came(frame(number, 100))
    assert len(incoming._waiting) == 10
    incoming.came(frame(0, 100_000))
    assert taken(incoming) == list(range(11))
    incoming.came(frame(10**9))
    incoming.came(frame(-1))
    assert taken(incoming) == []
    assert incoming._size == 0


def test_numbers() -> None:
    out = Outgoing(1)
    assert [out.number() for _ in range(3)] == [0, 1, 2]
    assert flow.FIRST_TIMEOUT <= flow.LONGEST_TIMEOUT
