"""Codes of second factors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.services.iam.plan import totp

SEED = b"12345678901234567890"


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_rfc(time: int, shown: str) -> None:
    """RFC 6238, appendix B (the last six digits)."""
    assert totp.code(SEED, time // 30) == shown


@given(st.integers(100, 10**9), st.integers(-20, 20))
def test_a_device_is_synchronised_by_two_codes_in_a_row(step: int, off: int) -> None:
    now, there = step * totp.STEP + 3, step + off
    first, second = totp.code(SEED, there - 1), totp.code(SEED, there)
    found = totp.synchronised(SEED, first, second, now)
    assert found is not None
    assert totp.code(SEED, found) == second
    assert totp.synchronised(SEED, second, first, now) is None or first == second


def test_too_far_off_is_not_found() -> None:
    step = 1000
    far = step + 25
    assert totp.synchronised(SEED, totp.code(SEED, far - 1), totp.code(SEED, far), step * totp.STEP) is None


def test_a_code_counts_once_and_for_a_while() -> None:
    step, now = 1000, 1000 * totp.STEP
    assert totp.accepted(SEED, totp.code(SEED, step), now, 0, 0) == step
    assert totp.accepted(SEED, totp.code(SEED, step), now, 0, step) is None  # shown already
    assert totp.accepted(SEED, totp.code(SEED, step - 1), now, 0, 0) == step - 1
    assert totp.accepted(SEED, totp.code(SEED, step - 1), now, 0, step - 1) is None
    assert totp.accepted(SEED, totp.code(SEED, step + 2), now, 0, 0) is None
    assert totp.accepted(SEED, totp.code(SEED, step + 7), now, 7, 0) == step + 7
    for wrong in ("", "12345", "1234567", "abcdef", "٣٤٥٦٧٨"):
        assert totp.accepted(SEED, wrong, now, 0, 0) is None
