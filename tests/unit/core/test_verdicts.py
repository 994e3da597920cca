"""Encoded authorisation messages."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.core.secret import Sealer
from hatoba.core.verdicts import LONGEST, NotOurs, Verdicts

VERDICTS = Verdicts(Sealer(b"k" * 32))
ONE = {"allowed": False, "explicitDeny": True, "context": {"action": "ec2:RunInstances"}}


def test_what_was_said_can_be_read_in_the_same_account() -> None:
    text = VERDICTS.encode("123456789012", ONE)
    assert json.loads(VERDICTS.decode("123456789012", text)) == ONE
    assert text.isascii()
    assert "RunInstances" not in text


def test_and_nowhere_else() -> None:
    text = VERDICTS.encode("123456789012", ONE)
    with pytest.raises(NotOurs):
        VERDICTS.decode("210987654321", text)
    with pytest.raises(NotOurs):
        Verdicts(Sealer(b"x" * 32)).decode("123456789012", text)


@given(st.integers(0, 200), st.integers(1, 255))
def test_no_byte_of_it_can_be_changed(place: int, by: int) -> None:
    text = VERDICTS.encode("123456789012", ONE)
    place %= len(text)
    changed = text[:place] + chr((ord(text[place]) + by) % 128) + text[place + 1 :]
    try:
        assert json.loads(VERDICTS.decode("123456789012", changed)) == ONE  # the last letter's spare bits
    except NotOurs:
        return


@given(st.text(max_size=100))
def test_whatever_comes_is_refused(text: str) -> None:
    with pytest.raises(NotOurs):
        VERDICTS.decode("123456789012", text)


def test_one_that_is_too_long_says_less() -> None:
    noise = [str(number * 7919**9) for number in range(2000)]
    said = VERDICTS.encode("1" * 12, {**ONE, "context": noise, "matchedStatements": {"items": []}})
    assert len(said) <= LONGEST
    assert json.loads(VERDICTS.decode("1" * 12, said)) == {
        "allowed": False,
        "explicitDeny": True,
        "matchedStatements": {"items": []},
    }
