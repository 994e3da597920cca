"""Three machines and fifty tasks, while containers and agents are killed, cables pulled, and power is cut.

A service rolls forth and back all the while, the control plane is killed too. From the tasks' own records it is then
told, moment by moment, that there were never more of them than `maximumPercent` (what was lost is not counted), and
that the platform itself never stopped one that `minimumHealthyPercent` needed. At the end there is what is wanted and
nothing else, on every machine. `CHAOS_SECONDS` is how long (`make soak`: 600), `CHAOS_SEED` makes the same choices.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tools.instance import Instance, eventually
from tools.machine import FIRST, Cables, Machine
from tools.traces import Traces

pytestmark = [pytest.mark.real, pytest.mark.slow]

SECONDS = float(os.environ.get("CHAOS_SECONDS", "45"))
SEED = int(os.environ.get("CHAOS_SEED", str(time.time_ns() % 1_000_000)))
TASKS = int(os.environ.get("CHAOS_TASKS", "50" if SECONDS > 300 else "20"))
MINIMUM, MAXIMUM = 80, 150  # percent
LEASE = 4.0  # seconds
HEARSAY = 5.0  # seconds in which the control plane may not yet know that a task has ended by itself


class Chaos:
    def __init__(self, hatoba: Instance, machines: list[Machine], chance: random.Random) -> None:
        self.hatoba, self.machines, self.chance = hatoba, machines, chance
        self.done: Counter[str] = Counter()
        self.rolled = 0
        self.definitions = [self.define(version) for version in ("v1", "v2")]

    def define(self, version: str) -> str:
        registered = self.hatoba.client("ecs").register_task_definition(
            family="storm",
            networkMode="awsvpc",
            requiresCompatibilities=["EC2"],
            memory="64",
            containerDefinitions=[
                {
                    "name": "main",
                    "image": self.hatoba.push("storm", tag=version),
                    "command": ["sleep", "3600"],
                    "stopTimeout": 2,
                    "linuxParameters": {"initProcessEnabled": True},
                }
            ],
        )
        arn: str = registered["taskDefinition"]["taskDefinitionArn"]
        return arn

    def create(self) -> None:
        self.hatoba.client("ecs").create_service(
            serviceName="storm",
            taskDefinition=self.definitions[0],
            desiredCount=TASKS,
            launchType="EC2",
            networkConfiguration=self.hatoba.network(),
            deploymentConfiguration={"minimumHealthyPercent": MINIMUM, "maximumPercent": MAXIMUM},
        )

    def service(self) -> dict[str, Any]:
        found: dict[str, Any] = self.hatoba.client("ecs").describe_services(services=["storm"])["services"][0]
        return found

    def steady(self) -> bool:
        service = patiently(self.service)
        (first, *others) = service["deployments"]
        return not others and first["rolloutState"] == "COMPLETED" and service["runningCount"] == TASKS

    # --- what breaks

    def rage(self) -> None:
        deeds = [
            self.a_container_is_killed,
            self.a_container_is_killed,
            self.the_control_plane_is_killed,
            self.the_first_agent_is_killed,
            self.an_agent_is_killed,
            self.a_cable_is_pulled_briefly,
            self.a_machine_is_cut_off,
            self.a_machine_loses_power,
        ]
        order: list[Callable[[], None]] = []
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if len(patiently(self.service)["deployments"]) == 1:
                self.rolled += 1
                patiently(self.roll)
            if not order:  # each once before any comes again
                order = self.chance.sample(deeds, len(deeds))
            deed = order.pop()
            deed()
            self.done[deed.__name__.replace("_", " ")] += 1
            time.sleep(self.chance.uniform(0.0, 2.0))

    def roll(self) -> None:
        definition = self.definitions[self.rolled % 2]
        self.hatoba.client("ecs").update_service(service="storm", taskDefinition=definition)

    def a_container_is_killed(self) -> None:
        folder = self.chance.choice([self.hatoba.folder, *(machine.folder for machine in self.machines)])
        sleeping = [pid for pid, line in Traces(folder).processes().items() if line.startswith("sleep 3600")]
        with contextlib.suppress(ProcessLookupError):
            if sleeping:
                os.kill(self.chance.choice(sorted(sleeping)), 9)

    def the_control_plane_is_killed(self) -> None:
        self.hatoba.kill("control")

    def the_first_agent_is_killed(self) -> None:
        self.hatoba.kill("node")

    def an_agent_is_killed(self) -> None:
        machine = self.chance.choice(self.machines)
        machine.kill()
        time.sleep(self.chance.choice([0.0, 0.5, LEASE + 2]))
        machine.start()

    def a_cable_is_pulled_briefly(self) -> None:
        self._unplugged(self.chance.uniform(0.2, LEASE / 2))

    def a_machine_is_cut_off(self) -> None:
        """For longer than its lease: what it runs is replaced, and when it is back it gives it up."""
        self._unplugged(LEASE + self.chance.uniform(2.0, 4.0))

    def _unplugged(self, seconds: float) -> None:
        machine = self.chance.choice(self.machines)
        machine.cut()
        time.sleep(seconds)
        machine.join()

    def a_machine_loses_power(self) -> None:
        machine = self.chance.choice(self.machines)
        machine.lose_power()
        time.sleep(self.chance.choice([0.5, LEASE + 2]))
        machine.start()


def patiently(act: Callable[..., Any]) -> Any:
    """Repeats what the platform could not answer because it was killed."""

    def answered() -> Any:
        with contextlib.suppress(BotoCoreError, ClientError):
            return (act(),)
        return None

    return eventually(answered, 90)[0]


@pytest.fixture
def fleet() -> Iterator[tuple[Instance, list[Machine]]]:
    os.environ["HATOBA_NODE_LEASE"] = str(LEASE)
    try:
        with Cables() as cables, Instance(options=["--node-host", FIRST]) as hatoba:
            with Machine(hatoba, cables, 2) as second, Machine(hatoba, cables, 3) as third:
                yield hatoba, [second, third]
    finally:
        del os.environ["HATOBA_NODE_LEASE"]


@pytest.mark.timeout(300 + 2 * SECONDS)
def test_a_service_lives_through_a_storm(fleet: tuple[Instance, list[Machine]]) -> None:
    hatoba, machines = fleet
    sys.stderr.write(f"CHAOS_SEED={SEED} CHAOS_SECONDS={SECONDS:.0f} CHAOS_TASKS={TASKS}\n")
    chaos = Chaos(hatoba, machines, random.Random(SEED))
    chaos.create()
    eventually(chaos.steady, 120)
    chaos.rage()
    eventually(chaos.steady, 120)
    tasks = all_tasks(hatoba)
    sys.stderr.write(f"{dict(chaos.done)}, {chaos.rolled} deployments, {len(tasks)} tasks\n")
    never_too_many(tasks)
    never_too_few(tasks)
    runs_what_is_wanted(hatoba, machines)


def all_tasks(hatoba: Instance) -> list[dict[str, Any]]:
    ecs = hatoba.client("ecs")
    arns: list[str] = []
    for status in ("RUNNING", "STOPPED"):
        for page in ecs.get_paginator("list_tasks").paginate(serviceName="storm", desiredStatus=status):
            arns += page["taskArns"]
    found: list[dict[str, Any]] = []
    for start in range(0, len(arns), 100):
        found += ecs.describe_tasks(tasks=arns[start : start + 100])["tasks"]
    return found


def at(task: dict[str, Any], *names: str) -> float:
    """The first of these moments that the task has; else never."""
    moments: list[datetime] = [task[name] for name in names if name in task]
    return moments[0].timestamp() if moments else float("inf")


def never_too_many(tasks: list[dict[str, Any]]) -> None:
    most = TASKS * MAXIMUM // 100
    for moment in (at(task, "createdAt") for task in tasks):
        there = [task for task in tasks if at(task, "createdAt") <= moment < nothing_runs_from(task)]
        told = Counter((task["group"], task.get("stopCode"), task.get("stoppedReason")) for task in there)
        assert len(there) <= most, f"{len(there)} tasks at {moment}: {told}"


def nothing_runs_from(task: dict[str, Any]) -> float:
    """One that never was on its node has no end of its execution: it was over when it was given up."""
    return at(task, "executionStoppedAt", "stoppingAt", "stoppedAt")


def never_too_few(tasks: list[dict[str, Any]]) -> None:
    """Whenever the service's scheduler stopped a task, enough others ran, as far as it could know."""
    least = -(-TASKS * MINIMUM // 100)
    for task in tasks:
        moment = at(task, "stoppingAt")
        if task.get("stopCode") != "ServiceSchedulerInitiated" or at(task, "startedAt") > moment:
            continue  # somebody else's doing; or it was not known to run when it was stopped, and is not missed
        others = [other for other in tasks if other is not task]
        ran = sum(
            at(other, "startedAt") <= moment < at(other, "stoppingAt", "executionStoppedAt", "stoppedAt") + ended(other)
            for other in others
        )
        assert ran >= least, (
            f"{ran} others ran when {task['taskArn']}, running for {moment - at(task, 'startedAt'):.1f} s, was stopped "
            f"at {moment}: {task['stoppedReason']}"
        )


def ended(task: dict[str, Any]) -> float:
    """One that the scheduler stopped is not counted from then on; one that ended otherwise may not be known of yet."""
    return 0.0 if task.get("stopCode") == "ServiceSchedulerInitiated" else HEARSAY


def runs_what_is_wanted(hatoba: Instance, machines: list[Machine]) -> None:
    """On all machines together: a container for each task, and nothing of the others."""
    everywhere = [Traces(folder) for folder in (hatoba.folder, *(machine.folder for machine in machines))]

    def there(what: str) -> int:
        return sum(traces.of_tasks()[what] for traces in everywhere)

    for what in ("bundles", "task folders"):
        eventually(lambda what=what: there(what) == TASKS)
