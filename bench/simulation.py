"""The whole control plane over a simulated fleet, as `hatoba simulate` runs it: what a task costs, what 100,000 weigh.

    python -m bench.simulation [--nodes N] [--tasks N]

All but the machines, the disk and time is the real thing: API, store, scheduler, controllers, the fleet's tables.
"""

from __future__ import annotations

import argparse
import os
import time

from bench.process import memory
from bench.rows import report
from hatoba.app.simulate.play import play
from hatoba.app.simulate.report import HEAD, Outcome, line
from hatoba.app.simulate.scenario import plain
from hatoba.core import virtual


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--nodes", type=int, default=5_000)
    arguments.add_argument("--tasks", type=int, default=100_000)
    given = arguments.parse_args()

    weights: list[float] = []

    def tell(outcome: Outcome) -> None:
        print(line(outcome), flush=True)
        weights.append(memory(os.getpid()) / 1e9)

    print(HEAD)
    steps = virtual.run(play(plain(given.nodes, given.tasks, 1), time.process_time, tell)).steps
    created = max(steps, key=lambda step: step.started)
    what = f"{created.started} tasks on {given.nodes} nodes brought to RUNNING by the whole control plane"
    report(what, created.started / created.cpu, "a second", at_least=1_000)
    report(f"the control plane with {created.running} running tasks", weights[-1], "GB", at_most=1.5)


if __name__ == "__main__":
    main()
