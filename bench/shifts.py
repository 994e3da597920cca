"""Deployments under load: twenty tasks behind a load balancer, 500 requests a second; rolling, blue/green, linear and
canary, each forward and rolled back. What counts is how many requests failed; how long each took is told beside it.

    python -m bench.shifts [--tasks N] [--rate N] [STRATEGY...]

Root needed. Each deployment that is rolled back is stopped where both versions have traffic: a rolling update once some
of its tasks serve, the others at a stage that waits for somebody to decide.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from bench.rows import report
from tools.instance import Instance, eventually
from tools.load import Load
from tools.shifts import CANARY, LINEAR, Shifted, strategy

TASKS, RATE = 20, 500.0
PATIENCE = 120.0
UNTIL_TURNED_BACK = 2  # steps of a linear shift


class Way(NamedTuple):
    """`stage`: where a deployment that is rolled back waits for it; "": it waits for nobody."""

    name: str
    stage: str
    members: dict[str, Any]


WAYS = (
    Way("ROLLING", "", {}),
    Way("BLUE_GREEN", "POST_PRODUCTION_TRAFFIC_SHIFT", {}),
    Way("LINEAR", "PRE_PRODUCTION_TRAFFIC_SHIFT", LINEAR),
    Way("CANARY", "PRE_PRODUCTION_TRAFFIC_SHIFT", CANARY),
)


def forward(web: Shifted, way: Way, version: str, load: Load) -> None:
    web.deploy(web.define(version), configuration(way))
    _over(web, "SUCCESSFUL")


def back(web: Shifted, way: Way, version: str, load: Load) -> None:
    """Turned back once some requests have been answered by the new version."""
    page = f"{version}\n".encode()
    web.deploy(web.define(version), configuration(way, *([way.stage] if way.stage else ())))
    if way.name in ("LINEAR", "CANARY"):
        for _ in range(UNTIL_TURNED_BACK if way.name == "LINEAR" else 1):
            web.resume(web.paused(PATIENCE))
    eventually(lambda: load.answers.get(page, 0) > 50, PATIENCE)
    if way.stage:
        web.resume(web.paused(PATIENCE), "ROLLBACK")
    else:
        arn = web.deployment()["serviceDeploymentArn"]
        web.hatoba.client("ecs").stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    _over(web, "ROLLBACK_SUCCESSFUL")


def configuration(way: Way, *pauses: str) -> dict[str, Any]:
    return {"strategy": "ROLLING"} if way.name == "ROLLING" else strategy(way.name, *pauses, **way.members)


def _over(web: Shifted, wanted: str) -> None:
    status = web.over(PATIENCE)
    assert status == wanted, web.deployment()


def measure(web: Shifted, way: Way, turn: Callable[[Shifted, Way, str, Load], None], version: str, rate: float) -> None:
    with Load(web.address, rate=rate) as load:
        eventually(lambda: load.count > rate, 20)
        began = time.monotonic()
        turn(web, way, version, load)
        took = time.monotonic() - began
        seen = load.count
        eventually(lambda: load.count > seen + rate, 20)
    which = "forward" if turn is forward else "rolled back"
    report(f"{way.name} {which}: failed of {load.count} requests", len(load.failures), "", at_most=0.0)
    p50, worst = statistics.median(load.latencies) * 1e3, max(load.latencies) * 1e3
    print(f"  {took:.1f} s; a request took {p50:.1f} ms (p50), {worst:.0f} ms at most")
    for failure in load.failures[:5]:
        print(f"  {failure}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("ways", nargs="*", metavar="STRATEGY", help=", ".join(way.name for way in WAYS))
    arguments.add_argument("--tasks", type=int, default=TASKS)
    arguments.add_argument("--rate", type=float, default=RATE)
    given = arguments.parse_args()
    with Instance() as hatoba:
        web = Shifted(hatoba, "bench", count=given.tasks)
        web.create("v1")
        _over(web, "SUCCESSFUL")
        number = 1
        for way in WAYS:
            if given.ways and way.name not in given.ways:
                continue
            for turn in (forward, back):
                number += 1
                measure(web, way, turn, f"v{number}", given.rate)


if __name__ == "__main__":
    main()
