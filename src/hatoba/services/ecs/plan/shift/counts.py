"""How many tasks each revision has at a stage. Both run in full from the scaling up to the cleaning up.

What is left of still other revisions (a newer deployment took the place of one that was under way) stays untouched
until the traffic is back where it belongs, and goes then.
"""

from __future__ import annotations

from typing import NamedTuple

from hatoba.services.ecs.model.shift import Shift, Stage

SETTLES = 3.0  # seconds: weights take effect at the proxies in milliseconds; until then nothing behind them goes
_BEFORE_SCALING: tuple[Stage, ...] = ("RECONCILE_SERVICE", "PRE_SCALE_UP")


class Counts(NamedTuple):
    """Tasks wanted of the two; of others none, or (None) what there is."""

    blue: int
    green: int
    others: int | None


def counts(shift: Shift, desired: int, now: float) -> Counts:
    cleaning = shift.stage == "CLEAN_UP"
    if shift.back:
        return Counts(desired, 0, 0) if cleaning else Counts(desired, desired, None)
    others = 0 if settled(shift, now) or shift.stage not in _BEFORE_SCALING else None
    green = 0 if shift.stage in _BEFORE_SCALING else desired
    return Counts(0 if cleaning else desired, green, others)


def settled(shift: Shift, now: float) -> bool:
    return shift.applied is not None and now >= shift.shifted_at + SETTLES
