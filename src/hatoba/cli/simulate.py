"""`hatoba simulate`: what if, on a fleet that does not exist."""

from __future__ import annotations

import argparse
import sys
import time

import msgspec

from hatoba.app.simulate import report, scenario
from hatoba.app.simulate.play import play
from hatoba.core import virtual


def simulate(given: argparse.Namespace) -> int:
    wanted = scenario.read(given.scenario) if given.scenario else scenario.plain(given.nodes, given.tasks, given.seed)
    quiet = given.json

    def tell(outcome: report.Outcome) -> None:
        if not quiet:
            print(report.line(outcome), flush=True)

    if not quiet:
        machines = sum(machines.count for machines in wanted.nodes)
        print(f"{machines:,} machines, seed {wanted.seed}; times are the fleet's, CPU is this machine's")
        print(report.HEAD, flush=True)
    result = virtual.run(play(wanted, time.process_time, tell))
    if quiet:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    else:
        print(report.picture(result.machines))
    return 1 if any(step.given_up for step in result.steps) else 0
