"""The arithmetic of rolling updates, as the model documents it: the lower limit is rounded up, the upper one down."""

from __future__ import annotations

LONGEST_BACKOFF = 900.0  # seconds
STAYED_UP = 60.0  # a task that ran for so long did not crash on starting


def lower(desired: int, minimum_healthy_percent: int) -> int:
    return -(-desired * minimum_healthy_percent // 100)


def upper(desired: int, maximum_percent: int) -> int:
    return desired * maximum_percent // 100


def backoff(crashes: int) -> float:
    """Seconds to wait after so many waves of tasks that did not stay up. The first are replaced at once."""
    return 0.0 if crashes <= 1 else min(2.0 ** (crashes - 2), LONGEST_BACKOFF)


def breaker_threshold(desired: int, kind: str = "BOUNDED_PERCENT", value: int = 50) -> int:
    """Failed tasks at which the deployment circuit breaker opens. The model: a count as it is, or so many percent of
    what is desired now, rounded up; a bounded one is from 3 to 200."""
    if kind == "COUNT":
        return value
    part = -(-desired * value // 100)
    return max(part, 1) if kind == "UNBOUNDED_PERCENT" else min(max(part, 3), 200)
