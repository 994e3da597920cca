"""The platform as a whole, on the real thing: starting, requests, tasks, a rolling update, scaling, standing still.

    python -m bench.platform [--tasks N]

Root needed. Instances of one's own are started and removed (`tools/instance.py`); every figure stands beside what was
promised. CPU is that of the named processes, all threads; memory is their proportional share (PSS), so that pages that
they have in common count once. Envoy, containerd, shims and the workloads are left out of both.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.process import cpu_seconds
from bench.rows import report
from bench.wire import Keys, cost, signed
from tools.instance import Instance, eventually
from tools.load import Load
from tools.web import Web

ECS, ECR = "AmazonEC2ContainerServiceV20141113", "AmazonEC2ContainerRegistry_V20150921"
STARTS, UPDATES, ONE_BY_ONE = 5, 3, 20
AT_ONCE = 10  # tasks in one RunTask: the API's own limit
QUIET_SECONDS = 20.0
SCALED = 300


# --- processes


def ours(hatoba: Instance) -> dict[int, str]:
    """pid → name of the processes that are Hatoba: control plane, node agent, supervisor, log spooler."""
    found = {}
    for process in ("up", "control", "node"):
        with contextlib.suppress(FileNotFoundError):
            found[hatoba.pid(process)] = process
    spool = str(hatoba.folder).encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes()
            if b"hatoba.node.logs.spooler" in words and spool in words:
                found[int(path.parent.name)] = "spooler"
    return found


def pss(pid: int) -> float:
    """Megabytes."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise LookupError(pid)


def cpu(hatoba: Instance) -> dict[str, float]:
    return {name: cpu_seconds(pid) for pid, name in ours(hatoba).items()}


def quiet(hatoba: Instance, seconds: float = 60.0) -> None:
    """Until the control plane and the node have less than 5 % of a core to do, for two seconds."""

    def settled() -> bool:
        before = sum(cpu(hatoba).values())
        time.sleep(2)
        return sum(cpu(hatoba).values()) - before < 0.1

    with contextlib.suppress(AssertionError):
        eventually(settled, seconds)


# --- starting


def starting() -> None:
    """Empty data each time; the last one is looked at when it has nothing to do."""
    took = []
    for number in range(STARTS):
        hatoba = Instance()
        try:
            took.append(hatoba.up())
            if number == STARTS - 1:
                time.sleep(5)
                memory = {name: pss(pid) for pid, name in ours(hatoba).items()}
        finally:
            hatoba.purge()
    report("`hatoba up`, empty data, to ready", statistics.median(took), "s", at_most=2.0)
    print("  " + ", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in memory.items()))
    report("memory of an idle instance", sum(memory.values()), "MB", at_most=250.0)


# --- requests


@contextlib.contextmanager
def silent_registry() -> Iterator[str]:
    """Takes connections and says nothing: tasks of its images stay PENDING, at no cost, for a minute."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def define(hatoba: Instance, family: str, image: str) -> str:
    registered = hatoba.client("ecs").register_task_definition(**definition(family, image))
    arn: str = registered["taskDefinition"]["taskDefinitionArn"]
    return arn


def definition(family: str, image: str) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": image,
        "command": ["/bin/sleep", "3600"],
        "stopTimeout": 2,
        "linuxParameters": {"initProcessEnabled": True},
    }
    return {
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [container],
    }


def run(hatoba: Instance, family: str, count: int = 1, launch: str = "FARGATE") -> list[str]:
    answer = hatoba.client("ecs").run_task(
        taskDefinition=family, count=count, launchType=launch, networkConfiguration=hatoba.network()
    )
    assert not answer["failures"], answer["failures"]
    return [task["taskArn"] for task in answer["tasks"]]


def requests() -> None:
    with Instance() as hatoba, silent_registry() as registry:
        keys = Keys(hatoba.environment["AWS_ACCESS_KEY_ID"], hatoba.environment["AWS_SECRET_ACCESS_KEY"])
        pid = hatoba.pid("control")
        for number in range(20):
            hatoba.client("ecr").create_repository(repositoryName=f"bench-{number}")
        with socket.create_connection(("127.0.0.1", hatoba.port)) as wire:

            def row(what: str, service: str, target: str, body: dict[str, Any], count: int, at_most: float) -> None:
                request = signed(hatoba.port, keys, service, target, json.dumps(body).encode())
                found = cost(pid, wire, request, count)
                report(f"CPU of {what}", found.cpu * 1e3, "ms", at_most=at_most)

            hatoba.client("ecs").create_cluster(clusterName="default")
            row("DescribeClusters", "ecs", f"{ECS}.DescribeClusters", {"clusters": ["default"]}, 300, 0.25)
            registering = definition("bench", f"localhost:{hatoba.port}/bench-0:v1")
            row("RegisterTaskDefinition", "ecs", f"{ECS}.RegisterTaskDefinition", registering, 100, 0.5)
            row("DescribeRepositories (20)", "ecr", f"{ECR}.DescribeRepositories", {}, 300, 0.3)

            # EC2's launch type, since a task may reserve no CPU there: 1,000 of the smallest Fargate tasks
            # would need four cores, waiting or not.
            waiting = definition("never", f"{registry}/never:v1") | {"requiresCompatibilities": ["EC2"]}
            waiting["containerDefinitions"][0]["memoryReservation"] = 6
            del waiting["cpu"], waiting["memory"]
            hatoba.client("ecs").register_task_definition(**waiting)
            tasks = [arn for _ in range(1000 // AT_ONCE) for arn in run(hatoba, "never", AT_ONCE, "EC2")]
            quiet(hatoba, 20)
            row("DescribeTasks, 100 of 1,000", "ecs", f"{ECS}.DescribeTasks", {"tasks": tasks[450:550]}, 50, 1.5)
            row("ListTasks, of 1,000", "ecs", f"{ECS}.ListTasks", {}, 50, 1.5)


# --- tasks


def described(hatoba: Instance, arns: list[str]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(arns), 100):
        yield from hatoba.client("ecs").describe_tasks(tasks=arns[start : start + 100])["tasks"]


def started(hatoba: Instance, arns: list[str], seconds: float) -> list[float]:
    """When each came to RUNNING, in wall time; raises when one stopped."""

    def all_run() -> list[float] | None:
        tasks = list(described(hatoba, arns))
        for task in tasks:
            assert task["lastStatus"] not in ("DEPROVISIONING", "STOPPED"), task.get("stoppedReason")
        moments: list[datetime] = [task["startedAt"] for task in tasks if task["lastStatus"] == "RUNNING"]
        return [moment.timestamp() for moment in moments] if len(moments) == len(arns) else None

    found = eventually(all_run, seconds, pause=0.1)
    assert found is not None
    return found


def tasks(hatoba: Instance, count: int) -> None:
    """One at a time, then as many as come; they are left running."""
    define(hatoba, "sleep", hatoba.push("busybox"))
    started(hatoba, run(hatoba, "sleep"), 30)  # the image is there from now on
    latencies = []
    for _ in range(ONE_BY_ONE):
        arns = run(hatoba, "sleep")
        answered = time.time()
        latencies.append((started(hatoba, arns, 30)[0] - answered) * 1e3)
    report("RunTask answered → running, p50, one at a time", statistics.median(latencies), "ms", at_most=150.0)

    many = count - ONE_BY_ONE - 1
    before, began = cpu(hatoba), time.time()
    arns = [arn for _ in range(0, many, AT_ONCE) for arn in run(hatoba, "sleep", AT_ONCE)]
    seconds = max(started(hatoba, arns, 120)) - began
    used = {name: (after - before[name]) / len(arns) * 1e3 for name, after in cpu(hatoba).items()}
    print("  CPU per task: " + ", ".join(f"{name} {ms:.1f} ms" for name, ms in used.items()))
    report(f"tasks brought to RUNNING, {len(arns)} of them", len(arns) / seconds, "a second", at_least=25.0)


def standing_still(hatoba: Instance, web: Web) -> None:
    """Every task is checked by the load balancer each five seconds, and samples of each are taken."""
    healthy = [target for target in web.targets() if target == "healthy"]
    quiet(hatoba)
    before = cpu(hatoba)
    time.sleep(QUIET_SECONDS)
    used = {name: (after - before[name]) / QUIET_SECONDS * 100 for name, after in cpu(hatoba).items()}
    print("  " + ", ".join(f"{name} {percent:.1f} %" for name, percent in used.items()))
    what = f"CPU with {len(healthy)} tasks, all checked by a load balancer, when nothing changes"
    report(what, sum(used.values()), "% of core", at_most=15.0)


def rolling(hatoba: Instance, web: Web) -> None:
    """From the answer of UpdateService until only new tasks run and serve, under 200 requests a second."""
    took, failures, latencies = [], 0, list[float]()
    for number in range(UPDATES):
        version = f"v{number + 2}"
        new = web.define(version)
        with Load(web.address, rate=200) as load:
            eventually(lambda load=load: load.count > 200, 20)
            began = time.monotonic()
            web.update(new)
            web.steady()
            took.append(time.monotonic() - began)
            seen = load.count
            eventually(lambda load=load, seen=seen: load.count > seen + 200, 20)
        failures += len(load.failures)
        latencies += load.latencies
        assert f"{version}\n".encode() in load.answers
    report("rolling update of 2 tasks behind the load balancer", statistics.median(took), "s", at_most=5.0)
    report(f"failed requests of {len(latencies)} meanwhile", failures, "", at_most=0.0)
    print(f"  a request took {statistics.median(latencies) * 1e3:.1f} ms (p50), {max(latencies) * 1e3:.0f} ms at most")


def living(count: int) -> None:
    with Instance() as hatoba:
        web = Web(hatoba, "bench")
        web.create("v1")
        web.steady()
        rolling(hatoba, web)
        tasks(hatoba, count)


def checked(count: int) -> None:
    with Instance() as hatoba:
        web = Web(hatoba, "bench", count=count)
        web.create("v1")
        web.steady(180)
        standing_still(hatoba, web)


def scaling(count: int) -> None:
    """A service from one task to `SCALED`: from the answer of UpdateService until all are RUNNING."""
    with Instance() as hatoba:
        ecs = hatoba.client("ecs")
        definition = define(hatoba, "scaled", hatoba.push("busybox"))
        ecs.create_service(
            serviceName="scaled",
            taskDefinition=definition,
            desiredCount=1,
            launchType="FARGATE",
            networkConfiguration=hatoba.network(),
        )

        def running(wanted: int) -> bool:
            (service,) = ecs.describe_services(services=["scaled"])["services"]
            return bool(service["runningCount"] == wanted)

        eventually(lambda: running(1), 30)
        before, began = cpu(hatoba), time.monotonic()
        ecs.update_service(service="scaled", desiredCount=SCALED)
        eventually(lambda: running(SCALED), 120, pause=0.1)
        seconds = time.monotonic() - began
        used = {name: (after - before[name]) / SCALED * 1e3 for name, after in cpu(hatoba).items()}
        print("  CPU per task: " + ", ".join(f"{name} {ms:.1f} ms" for name, ms in used.items()))
        report(f"a service scaled from 1 to {SCALED} tasks, all RUNNING", seconds, "s", at_most=20.0)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts: dict[str, Callable[[int], None]] = {
        "starting": lambda count: starting(),
        "requests": lambda count: requests(),
        "living": living,
        "checked": checked,
        "scaling": scaling,
    }
    arguments.add_argument("parts", nargs="*", metavar="PART", help=", ".join(parts))
    arguments.add_argument("--tasks", type=int, default=200)
    given = arguments.parse_args()
    for part in given.parts or parts:
        parts[part](given.tasks)


if __name__ == "__main__":
    main()
