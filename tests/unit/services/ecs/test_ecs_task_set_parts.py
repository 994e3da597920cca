"""Task sets as parts of a service: properties of the arithmetic and of changing hands."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.services.ecs.plan.task_sets import computed


@pytest.mark.parametrize(
    ("desired", "scale", "count"),
    [
        (10, 12.0, 2),
        (10, 10.0, 1),
        (1000, 0.1, 1),
        (3, 50.0, 2),
        (3, 33.4, 2),
        (3, 33.3, 1),
        (0, 100.0, 0),
        (7, 0.0, 0),
    ],
)
def test_a_part_is_rounded_up(desired: int, scale: float, count: int) -> None:
    assert computed(desired, scale) == count


@given(st.integers(0, 5000), st.decimals(0, 100, places=2))
def test_it_is_what_was_written_and_not_what_a_float_makes_of_it(desired: int, scale: Decimal) -> None:
    exact = (scale * desired / 100).to_integral_value(ROUND_CEILING)
    assert computed(desired, float(scale)) == exact


@given(st.integers(0, 5000), st.floats(0, 100, allow_nan=False))
def test_never_more_than_all_and_never_none_of_some(desired: int, scale: float) -> None:
    count = computed(desired, scale)
    assert 0 <= count <= desired
    assert (count == 0) == (desired == 0 or scale == 0)
