"""`kill -9` of the control plane, the node agent, or both, at random moments while a service rolls forth and back.

Under 200 requests a second, and while a client keeps creating and running things. Afterwards everything that was
answered is there, every task has started once (each says so in its log, once), and nothing has grown. `CHAOS_KILLS` is
how often (`make soak`: 50), `CHAOS_SEED` makes the same moments again.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tools.instance import Instance, eventually
from tools.load import Load
from tools.traces import Traces
from tools.web import Web

pytestmark = pytest.mark.real

KILLS = int(os.environ.get("CHAOS_KILLS", "12"))
SEED = int(os.environ.get("CHAOS_SEED", str(time.time_ns() % 1_000_000)))
VICTIMS = (("control",), ("node",), ("control", "node"))
SERVE = ["sh", "-c", "echo started; exec httpd -f -p 80 -h /www"]
EVENTUALLY_GONE = ("processes", "interfaces", "namespaces", "cgroups", "bundles", "task folders", "spools", "routes")
TASK_EVERY = 4  # rounds of the client
STILL = 6  # looks at the counts, half a second apart
FEW = 20  # descriptors of connections that come and go


def to_logs(group: str) -> dict[str, Any]:
    options = {"awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "c"}
    return {"logConfiguration": {"logDriver": "awslogs", "options": options}}


class Client:
    """Creates, registers and runs one thing after another, and keeps what was answered."""

    def __init__(self, hatoba: Instance) -> None:
        self._hatoba, self._image = hatoba, hatoba.push("busybox")
        self.role = hatoba.task_role("chaos")
        self.clusters: list[str] = []
        self.definitions: list[str] = []
        self.tasks: list[str] = []
        self.unanswered = 0
        self.refusals: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Client:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(0.3):
            number += 1
            try:
                self.once(number)
            except (BotoCoreError, ClientError) as error:
                self.unanswered += 1  # nobody knows whether it was done
                if isinstance(error, ClientError) and error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                    self.refusals.append(str(error))

    def once(self, number: int) -> None:
        ecs = self._hatoba.client("ecs")
        cluster = ecs.create_cluster(clusterName=f"made-{number}")["cluster"]
        self.clusters.append(cluster["clusterArn"])
        self.definitions.append(self.define("once", "echo started; sleep 0.2"))
        if number % TASK_EVERY == 0:
            answer = ecs.run_task(
                taskDefinition="once", launchType="FARGATE", networkConfiguration=self._hatoba.network()
            )
            self.tasks += [task["taskArn"] for task in answer["tasks"]]

    def define(self, family: str, script: str) -> str:
        registered = self._hatoba.client("ecs").register_task_definition(
            family=family,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            executionRoleArn=self.role,
            containerDefinitions=[
                {"name": "web", "image": self._image, "command": ["sh", "-c", script], **to_logs("/chaos")}
            ],
        )
        arn: str = registered["taskDefinition"]["taskDefinitionArn"]
        return arn


def patiently(act: Callable[..., Any], *arguments: Any) -> Any:
    """Repeats what the platform could not answer because it was killed."""

    def answered() -> Any:
        with contextlib.suppress(BotoCoreError):
            return (act(*arguments),)
        return None

    return eventually(answered, 90)[0]


@pytest.mark.timeout(180 + 20 * KILLS)
def test_killed_again_and_again_while_it_rolls() -> None:
    sys.stderr.write(f"CHAOS_SEED={SEED} CHAOS_KILLS={KILLS}\n")
    with Instance() as hatoba:
        web, client = Web(hatoba, "shop"), Client(hatoba)
        definitions = rolled_once(web, client)
        traces = Traces(hatoba.folder)
        before = settled(traces)
        roll_and_kill(web, client, definitions, random.Random(SEED))
        nothing_is_lost(hatoba, client)
        nothing_has_grown(hatoba, traces, before)


def rolled_once(web: Web, client: Client) -> list[str]:
    """Everything has happened once before it is counted; the two definitions to roll between."""
    hatoba = web.hatoba
    hatoba.client("logs").create_log_group(logGroupName="/chaos")
    serving: dict[str, Any] = {"role": client.role, "command": SERVE, **to_logs("/chaos")}
    web.create("v1", **serving)
    web.steady()
    definitions = [web.define(version, **serving) for version in ("v1", "v2")]
    client.once(TASK_EVERY)
    hatoba.wait_task(client.tasks[0], "STOPPED")
    for definition in reversed(definitions):
        web.update(definition)
        web.steady()
    return definitions


def roll_and_kill(web: Web, client: Client, definitions: list[str], chance: random.Random) -> None:
    killed: Counter[str] = Counter()
    rolled = 1
    with Load(web.address, rate=200, seconds=3600) as load, client:
        for _ in range(KILLS):
            if len(patiently(web.describe)["deployments"]) == 1:
                patiently(web.update, definitions[rolled % 2])
                rolled += 1
            time.sleep(chance.uniform(0.0, 2.0))
            victims = chance.choice(VICTIMS)
            for victim in victims:
                web.hatoba.kill(victim)
            killed[" and ".join(victims)] += 1
            eventually(web.hatoba.health_or_none)
        patiently(web.steady, 90)
        seen = load.count
        eventually(lambda: load.count > seen + 200)
    sys.stderr.write(
        f"killed {dict(killed)} in {rolled - 1} deployments: {load.count} requests, {len(load.failures)} failed; "
        f"{len(client.clusters)} clusters made, {len(client.tasks)} tasks run, {client.unanswered} times no answer\n"
    )
    assert load.failures == []
    assert client.refusals == []


def nothing_is_lost(hatoba: Instance, client: Client) -> None:
    """What was answered is there, no task has ended by itself, and each has started once."""
    ecs = hatoba.client("ecs")
    assert set(client.clusters) <= set(pages(ecs, "list_clusters", "clusterArns"))
    assert set(client.definitions) <= set(pages(ecs, "list_task_definitions", "taskDefinitionArns"))
    for arn in client.tasks:
        task = hatoba.wait_task(arn, "STOPPED")
        assert (task["stopCode"], task["containers"][0].get("exitCode")) == ("EssentialContainerExited", 0), str(task)
    stopped = pages(ecs, "list_tasks", "taskArns", serviceName="shop", desiredStatus="STOPPED")
    running = pages(ecs, "list_tasks", "taskArns", serviceName="shop")
    assert len(running) == 2
    for arn in stopped:
        task = hatoba.wait_task(arn, "STOPPED")
        assert task["stopCode"] == "ServiceSchedulerInitiated", str(task)
    for arn in (*stopped, *running, *client.tasks):
        eventually(lambda arn=arn: said_started(hatoba, arn) == 1 or never_ran(hatoba, arn))
        assert said_started(hatoba, arn) <= 1


def nothing_has_grown(hatoba: Instance, traces: Traces, before: dict[str, int]) -> None:
    interfaces = pages(hatoba.client("ec2"), "describe_network_interfaces", "NetworkInterfaces")
    assert len(interfaces) == len(hatoba.subnets()) + 2, "the load balancer's, and one for each task"
    after = settled(traces, before)
    grown = {name: (before[name], after[name]) for name in EVENTUALLY_GONE if after[name] != before[name]}
    assert grown == {}
    for process in ("control", "node"):
        assert after[f"open files of {process}"] <= before[f"open files of {process}"] + FEW
    records = traces.records()
    for table in ("control fleet.workloads", "control fleet.workload_statuses", "node node.held"):
        assert records[table] == 2, table
    assert records["control fleet.interfaces"] == len(interfaces)
    assert records["control elbv2.targets"] == 2


def settled(traces: Traces, wanted: dict[str, int] | None = None) -> dict[str, int]:
    """The counts, once they are what is wanted, or have not changed for a while."""
    seen: list[dict[str, int]] = []

    def still() -> bool:
        seen.append(traces.counts())
        if wanted is not None:
            return all(seen[-1][name] == wanted[name] for name in EVENTUALLY_GONE)
        return len(seen) >= STILL and all(
            seen[-1][name] == old[name] for old in seen[-STILL:] for name in EVENTUALLY_GONE
        )

    with contextlib.suppress(AssertionError):
        eventually(still, pause=0.5)
    return seen[-1]


def pages(client: Any, operation: str, member: str, **params: Any) -> list[Any]:
    return [thing for page in client.get_paginator(operation).paginate(**params) for thing in page[member]]


def said_started(hatoba: Instance, arn: str) -> int:
    logs = hatoba.client("logs")
    stream = f"c/web/{arn.rpartition('/')[2]}"
    try:
        found = logs.get_log_events(logGroupName="/chaos", logStreamName=stream, startFromHead=True)["events"]
    except logs.exceptions.ResourceNotFoundException:
        return 0
    return sum(event["message"] == "started" for event in found)


def never_ran(hatoba: Instance, arn: str) -> bool:
    """A deployment that was over before the task's container had started."""
    task = hatoba.task(arn)
    return task["lastStatus"] == "STOPPED" and "startedAt" not in task
