"""How far a deployment that shifts traffic has come: part of its record, so that a crash at any stage goes on there.

`blue` serves, `green` is to take its place; each runs its tasks in a target group of its own, and the weights of the
listener rules say how much each is given. The groups change roles with every deployment.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from hatoba.services.ecs.model.task import Part

Strategy = Literal["BLUE_GREEN", "LINEAR", "CANARY"]
SHIFTING: tuple[Strategy, ...] = ("BLUE_GREEN", "LINEAR", "CANARY")
Stage = Literal[
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "BAKE_TIME",
    "CLEAN_UP",
]


class Traffic(NamedTuple):
    """Percent that the green revision is given; the blue one has the rest."""

    production: float
    test: float


class Shift(Part, frozen=True, kw_only=True):
    """Writer: the service controller. The API begins it."""

    strategy: Strategy
    stage: Stage
    since: float  # when it entered the stage
    blue: str = ""  # number of the revision; "": there is none, the service is new
    step: int = 0  # of production traffic
    applied: tuple[float, float] | None = None  # the traffic as the rules were last set; None: not set yet
    shifted_at: float = 0.0  # when that was
    back: bool = False  # it is being rolled back

    @property
    def traffic(self) -> Traffic | None:
        return Traffic(*self.applied) if self.applied is not None else None
