"""ECS Exec: how it feels at a keyboard, what bulk output costs, and what sessions cost that do nothing.

    python -m bench.sessions [--sessions N] [--megabytes M]

An instance of its own, one task, the tests' client (`tools/plugin.py`) over real terminals.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import threading
import time

from bench.process import cpu_seconds, memory
from bench.rows import report
from tools.images import busybox_files
from tools.instance import Instance
from tools.plugin import Plugin

KEYS = 100
QUIET = 10.0  # seconds in which the sessions' idle cost is measured


def task(hatoba: Instance) -> str:
    ecs = hatoba.client("ecs")
    image = hatoba.push("sessions", busybox_files({"bin/stty": "-> busybox"}))
    ecs.register_task_definition(
        family="sessions",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="1024",
        memory="2048",
        executionRoleArn=hatoba.task_role("sessions"),
        containerDefinitions=[{"name": "app", "image": image, "command": ["sleep", "3600"], "stopTimeout": 2}],
    )
    run = {"taskDefinition": "sessions", "launchType": "FARGATE", "networkConfiguration": hatoba.network()}
    arn: str = ecs.run_task(**run, enableExecuteCommand=True)["tasks"][0]["taskArn"]
    hatoba.wait_task(arn, "RUNNING")
    return arn


def shell(hatoba: Instance, arn: str) -> Plugin:
    answer = hatoba.client("ecs").execute_command(task=arn, command="sh", interactive=True)
    plugin = Plugin(answer["session"])
    plugin.until(b"# ")
    return plugin


def at_the_keyboard(hatoba: Instance, arn: str) -> None:
    with shell(hatoba, arn) as plugin:
        took = []
        for _ in range(KEYS):
            plugin.output = b""
            began = time.perf_counter()
            plugin.type(b"x")
            plugin.until(b"x")
            took.append((time.perf_counter() - began) * 1e3)
    report("a key to its echo, median", statistics.median(took), "ms", at_most=10.0)


def pour(plugin: Plugin, size: int) -> None:
    plugin.type(f"stty raw; head -c {size} /dev/zero; exit\r".encode())
    plugin.end(120.0)


def bulk(hatoba: Instance, arn: str, megabytes: int) -> None:
    control = hatoba.pid("control")
    with shell(hatoba, arn) as plugin:
        before, began = cpu_seconds(control), time.perf_counter()
        pour(plugin, megabytes * 1_000_000)
        seconds, spent = time.perf_counter() - began, cpu_seconds(control) - before
    report("output through one terminal", megabytes / seconds, "MB/s", at_least=3.0)
    report("  control plane's CPU for it", spent * 1e3 / megabytes, "ms/MB", at_most=40.0)


def many(hatoba: Instance, arn: str, count: int) -> None:
    control = hatoba.pid("control")
    with contextlib.ExitStack() as stack:
        held, began = memory(control), time.perf_counter()
        plugins = [stack.enter_context(shell(hatoba, arn)) for _ in range(count)]
        report(f"{count} shells, one after the other", count / (time.perf_counter() - began), "a second", at_least=5.0)
        report("  memory of each while it waits", (memory(control) - held) / count / 1e6, "MB", at_most=0.5)
        before = cpu_seconds(control)
        time.sleep(QUIET)
        report("  all of them, quiet", (cpu_seconds(control) - before) / QUIET * 100, "% of a core", at_most=1.0)
        began = time.perf_counter()
        pouring = [threading.Thread(target=pour, args=(plugin, 500_000)) for plugin in plugins]
        for thread in pouring:
            thread.start()
        for thread in pouring:
            thread.join()
        report("  half a megabyte from each at once", time.perf_counter() - began, "s", at_most=20.0)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sessions", type=int, default=40)
    arguments.add_argument("--megabytes", type=int, default=10)
    given = arguments.parse_args()
    with Instance() as hatoba:
        arn = task(hatoba)
        at_the_keyboard(hatoba, arn)
        bulk(hatoba, arn, given.megabytes)
        many(hatoba, arn, given.sessions)


if __name__ == "__main__":
    main()
