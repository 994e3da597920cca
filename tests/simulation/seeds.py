"""Which seeds are tried all the time, and which with the whole suite."""

from __future__ import annotations

from typing import Any

import pytest


def first(some: int, *, of: int) -> list[Any]:
    """Parameters: the seeds from 0 on, `some` of them for every run, the others for `make test`."""
    return [*range(some), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(some, of))]
