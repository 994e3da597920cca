"""What a container prints is in its log stream: all of it, once, in order, also when the agent is killed meanwhile."""

from __future__ import annotations

import subprocess
import time
from typing import Any

import pytest

from tools.instance import HATOBA, Instance, eventually

pytestmark = pytest.mark.real


def start(hatoba: Instance, family: str, command: str, **options: str) -> str:
    ecs = hatoba.client("ecs")
    ecs.register_task_definition(
        family=family,
        networkMode="awsvpc",
        requiresCompatibilities=["EC2"],
        containerDefinitions=[
            {
                "name": "main",
                "image": hatoba.push("busybox"),
                "memory": 128,
                "command": ["sh", "-c", command],
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": f"/ecs/{family}",
                        "awslogs-region": "us-east-1",
                        "awslogs-stream-prefix": "app",
                        "awslogs-create-group": "true",
                        **options,
                    },
                },
            }
        ],
    )
    answer = ecs.run_task(taskDefinition=family, launchType="EC2", networkConfiguration=hatoba.network())
    assert answer["failures"] == []
    arn: str = answer["tasks"][0]["taskArn"]
    return arn


def lines(hatoba: Instance, family: str, arn: str) -> list[str]:
    logs = hatoba.client("logs")
    name = f"app/main/{arn.rpartition('/')[2]}"
    found: list[str] = []
    request: dict[str, Any] = {"logGroupName": f"/ecs/{family}", "logStreamName": name, "startFromHead": True}
    while True:
        page = logs.get_log_events(**request)
        found += [event["message"] for event in page["events"]]
        if page["nextForwardToken"] == request.get("nextToken"):
            return found
        request["nextToken"] = page["nextForwardToken"]


def test_every_line_once_and_in_order(hatoba: Instance) -> None:
    arn = start(hatoba, "counting", "seq 1 20000; echo done >&2")
    task = hatoba.wait_task(arn, "STOPPED")
    assert task["containers"][0]["exitCode"] == 0
    found = lines(hatoba, "counting", arn)
    assert [line for line in found if line != "done"] == [str(n) for n in range(1, 20001)]
    assert found.count("done") == 1


def test_an_agent_that_is_killed_loses_and_repeats_nothing(hatoba: Instance) -> None:
    arn = start(hatoba, "killed", "for i in $(seq 1 40); do seq $i 40 10000; sleep 0.1; done")
    hatoba.wait_task(arn, "RUNNING")
    for _ in range(3):
        time.sleep(0.7)
        hatoba.kill("node")
    task = hatoba.wait_task(arn, "STOPPED")
    assert task["containers"][0]["exitCode"] == 0
    expected = [str(n) for i in range(1, 41) for n in range(i, 10001, 40)]
    assert lines(hatoba, "killed", arn) == expected


def test_a_missing_group_is_a_reason(hatoba: Instance) -> None:
    arn = start(hatoba, "groupless", "echo hello", **{"awslogs-create-group": "false"})
    task = hatoba.wait_task(arn, "STOPPED")
    assert "log group does not exist" in task["stoppedReason"] + str(task["containers"][0].get("reason"))


def test_the_stock_cli_follows(hatoba: Instance) -> None:
    arn = start(hatoba, "tailed", "for i in $(seq 1 100); do echo line-$i; sleep 0.2; done")
    hatoba.wait_task(arn, "RUNNING")
    tail = subprocess.Popen(
        f"/usr/bin/aws --endpoint-url http://127.0.0.1:{hatoba.port} logs tail /ecs/tailed --follow".split(),
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONUNBUFFERED": "1", **hatoba.environment},
    )
    try:
        assert tail.stdout is not None
        assert eventually(lambda: "line-" in tail.stdout.readline())
    finally:
        tail.kill()
        tail.wait()
    hatoba.client("ecs").stop_task(task=arn)


def test_hatoba_logs_follows_a_service(hatoba: Instance) -> None:
    """Of its own: what was printed before, then each new line, once."""
    ecs = hatoba.client("ecs")
    start(hatoba, "talker", "exit 0")
    command = "n=0; while true; do n=$((n+1)); echo line-$n; sleep 0.2; done"
    definition = ecs.describe_task_definition(taskDefinition="talker")["taskDefinition"]
    container = {**definition["containerDefinitions"][0], "command": ["sh", "-c", command]}
    ecs.register_task_definition(
        family="talker", networkMode="awsvpc", requiresCompatibilities=["EC2"], containerDefinitions=[container]
    )
    ecs.create_service(
        serviceName="talker",
        taskDefinition="talker",
        desiredCount=1,
        launchType="EC2",
        networkConfiguration=hatoba.network(),
    )
    eventually(lambda: ecs.describe_services(services=["talker"])["services"][0]["runningCount"] == 1)
    follower = subprocess.Popen(
        [HATOBA, "logs", "talker", "--follow", "--data", str(hatoba.folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert follower.stdout is not None
        seen = [follower.stdout.readline().split()[1] for _ in range(15)]
    finally:
        follower.kill()
        follower.wait()
    assert seen == [f"line-{n}" for n in range(1, 16)]
    ecs.delete_service(service="talker", force=True)
