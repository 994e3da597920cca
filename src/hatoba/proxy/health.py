"""What a target's answers say about it: a pure state machine. `checker` asks; this decides.

The rules are those of the public documentation "Health checks for Application Load Balancer target groups": one success
makes a new target healthy, then `healthy_threshold` successes or `unhealthy_threshold` failures in a row change its
mind. A new target that does not answer yet is asked again soon (its process may be starting), but such impatience does
not count against it: at most one failure in an interval does.
"""

from __future__ import annotations

import msgspec

from hatoba.proxy.base import Health, HealthCheck, HealthReason

_FIRST_PAUSE = 0.1  # seconds until a new target is asked again
_PATIENCE = 0.1  # then after a tenth of the time that it has been given already


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The target answered; 0 where a connection was all that was wanted."""

    code: int


class TimedOut(msgspec.Struct, frozen=True, kw_only=True):
    connected: bool = True  # and then it did not answer


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """No connection, or no sensible answer on it. `why` is for the log; `ours`: it was not the target's doing."""

    why: str
    ours: bool = False


Result = Answered | TimedOut | Failed

REGISTERING = Health(state="initial", reason="registering", text="Target registration is in progress")
CHECKING = Health(state="initial", reason="checking", text="Initial health checks in progress")
HEALTHY = Health(state="healthy")
DRAINING = Health(state="draining", reason="deregistering", text="Target deregistration is in progress")
UNCHECKED = Health(state="unavailable", reason="disabled", text="Health checks are disabled for this target group")


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a target, and how it came about. Times are monotonic seconds."""

    health: Health = REGISTERING
    since: float  # when its checks began
    successes: int = 0  # in a row
    failures: int = 0  # in a row
    counted_at: float | None = None  # when a failure counted last


def advance(progress: Progress, result: Result, settings: HealthCheck, now: float) -> tuple[Progress, float]:
    """What is known after one more answer, and the seconds until the next question."""
    return _succeeded(progress, settings) if good(result, settings) else _failed(progress, result, settings, now)


def good(result: Result, settings: HealthCheck) -> bool:
    return isinstance(result, Answered) and (settings.protocol == "TCP" or _wanted(result.code, settings))


def _wanted(code: int, settings: HealthCheck) -> bool:
    return any(low <= code <= high for low, high in settings.codes)


def _succeeded(progress: Progress, settings: HealthCheck) -> tuple[Progress, float]:
    successes = min(progress.successes + 1, settings.healthy_threshold)
    enough = progress.health.state == "initial" or successes >= settings.healthy_threshold
    health = HEALTHY if progress.health.state == "healthy" or enough else progress.health
    return Progress(health=health, since=progress.since, successes=successes), settings.interval


def _failed(progress: Progress, result: Result, settings: HealthCheck, now: float) -> tuple[Progress, float]:
    new = progress.health.state == "initial"
    impatient = new and progress.counted_at is not None and now - progress.counted_at < settings.interval
    failures = progress.failures if impatient else min(progress.failures + 1, settings.unhealthy_threshold)
    health = CHECKING if new else progress.health
    if failures >= settings.unhealthy_threshold or progress.health.state == "unhealthy":
        health = unhealthy(result)
    after = Progress(
        health=health, since=progress.since, failures=failures, counted_at=progress.counted_at if impatient else now
    )
    if health.state != "initial":
        return after, settings.interval
    return after, min(settings.interval, max(_FIRST_PAUSE, _PATIENCE * (now - progress.since)))


def unhealthy(result: Result) -> Health:
    match result:
        case Answered(code=code):
            text = f"Health checks failed with these codes: [{code}]"
            return Health(state="unhealthy", reason="code_mismatch", text=text)
        case TimedOut():
            return _unhealthy("timeout", "Request timed out")
        case Failed():
            return _unhealthy("failed", "Health checks failed")


def _unhealthy(reason: HealthReason, text: str) -> Health:
    return Health(state="unhealthy", reason=reason, text=text)
