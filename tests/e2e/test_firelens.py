"""FireLens: the router starts first, is configured, and gets every line of the others, the last ones too."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tools import router
from tools.instance import Instance, eventually

pytestmark = pytest.mark.real

LINES = 500
SPEAK = f"""
i=0; while [ $i -lt {LINES} ]; do echo "line $i"; i=$((i+1)); done
echo "bad things" >&2; printf "the last words"
"""


@pytest.fixture(scope="module")
def image(hatoba: Instance) -> str:
    return hatoba.push("log-router", router.files(), command=router.COMMAND)


@pytest.fixture(scope="module")
def group(hatoba: Instance) -> str:
    hatoba.client("logs").create_log_group(logGroupName="/firelens")
    return "/firelens"


def to_logs(group: str) -> dict[str, Any]:
    options = {"awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "f"}
    return {"logDriver": "awslogs", "options": options}


def definition(hatoba: Instance, image: str, group: str, kind: str, log: dict[str, Any], **app: Any) -> dict[str, Any]:
    role = hatoba.task_role("firelens", "ssm:GetParameters")
    return {
        "family": f"firelens-{kind}",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": role,
        "containerDefinitions": [
            {
                "name": "app",
                "image": hatoba.push("busybox"),
                "command": ["sh", "-c", SPEAK],
                "logConfiguration": {"logDriver": "awsfirelens", **log},
                "stopTimeout": 2,
                **app,
            },
            {
                "name": "router",
                "image": image,
                "essential": True,
                "firelensConfiguration": {"type": kind},
                "logConfiguration": to_logs(group),
                "stopTimeout": 5,
            },
        ],
    }


def run(hatoba: Instance, wanted: dict[str, Any]) -> str:
    ecs = hatoba.client("ecs")
    ecs.register_task_definition(**wanted)
    answer = ecs.run_task(taskDefinition=wanted["family"], launchType="FARGATE", networkConfiguration=hatoba.network())
    arn: str = answer["tasks"][0]["taskArn"]
    return arn


def printed(hatoba: Instance, group: str, arn: str) -> list[str]:
    """What the router has printed, once the task is over."""
    logs, stream = hatoba.client("logs"), f"f/router/{arn.rpartition('/')[2]}"
    found: list[str] = []
    request: dict[str, Any] = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
    while True:
        page = logs.get_log_events(**request)
        found += [event["message"] for event in page["events"]]
        if page["nextForwardToken"] == request.get("nextToken"):
            return found
        request["nextToken"] = page["nextForwardToken"]


def records(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.mark.parametrize("kind", ["fluentbit", "fluentd"])
def test_every_line_reaches_the_router_before_it_is_stopped(
    hatoba: Instance, image: str, group: str, kind: str
) -> None:
    """The app is over as soon as it has spoken: that ends the task, and with it the router."""
    plugin = {"fluentbit": {"Name": "stdout"}, "fluentd": {"@type": "stdout"}}[kind]
    arn = run(hatoba, definition(hatoba, image, group, kind, {"options": {**plugin, "include-pattern": "line"}}))
    task = hatoba.wait_task(arn, "STOPPED")
    assert task["stoppedReason"] == "Essential container in task exited"
    assert {c["name"]: c.get("exitCode") for c in task["containers"]} == {"app": 0, "router": 0}
    lines = printed(hatoba, group, arn)
    found = records(lines)
    out = [record["log"] for record in found if record["source"] == "stdout"]
    assert out == [*(f"line {n}" for n in range(LINES)), "the last words"]
    assert [record["log"] for record in found if record["source"] == "stderr"] == ["bad things"]
    assert {record["tag"] for record in found} == {f"app-firelens-{arn.rpartition('/')[2]}"}
    assert found[0]["container_name"].startswith(f"/ecs-firelens-{kind}-")
    (config,) = [json.loads(line.partition(" ")[2]) for line in lines if line.startswith("CONFIG ")]
    assert f"ecs_task_arn {arn}" in config
    assert "app-firelens*" in config


def test_secret_options_are_in_the_routers_environment(hatoba: Instance, image: str, group: str) -> None:
    hatoba.client("ssm").put_parameter(Name="datadog", Value="hunter2-datadog", Type="SecureString", Overwrite=True)
    log = {"options": {"Name": "datadog"}, "secretOptions": [{"name": "apikey", "valueFrom": "datadog"}]}
    wanted = definition(hatoba, image, group, "fluentbit", log, command=["sleep", "60"])
    arn = run(hatoba, {**wanted, "family": "firelens-secret"})
    hatoba.wait_task(arn, "RUNNING")
    said = eventually(lambda: [line for line in printed(hatoba, group, arn) if line.startswith("SECRETS ")])
    assert json.loads(said[0].partition(" ")[2]) == {"apikey_0": "hunter2-datadog"}
    task = hatoba.folder / "node" / "tasks" / arn.rpartition("/")[2]
    (config,) = (task / ".router" / "files").iterdir()
    assert "apikey ${apikey_0}" in config.read_text()
    hatoba.client("ecs").stop_task(task=arn)
    hatoba.wait_task(arn, "STOPPED")
    eventually(lambda: not task.exists())


def test_the_routers_own_configuration_comes_from_s3(hatoba: Instance, image: str, group: str) -> None:
    """On instances, as AWS has it."""
    ecs, s3, own = hatoba.client("ecs"), hatoba.client("s3"), "[FILTER]\n    Name grep\n"
    s3.create_bucket(Bucket="router-configuration")
    s3.put_object(Bucket="router-configuration", Key="fluent/own.conf", Body=own.encode())
    wanted = definition(hatoba, image, group, "fluentbit", {"options": {"Name": "stdout"}}, command=["sleep", "60"])
    options = {"config-file-type": "s3", "config-file-value": "arn:aws:s3:::router-configuration/fluent/own.conf"}
    wanted["containerDefinitions"][1]["firelensConfiguration"] = {"type": "fluentbit", "options": options}
    wanted |= {"family": "firelens-s3", "networkMode": "bridge", "requiresCompatibilities": ["EC2"]}

    def started() -> str:
        ecs.register_task_definition(**wanted)
        arn: str = ecs.run_task(taskDefinition="firelens-s3", launchType="EC2")["tasks"][0]["taskArn"]
        return arn

    stopped = hatoba.wait_task(started(), "STOPPED")
    assert "unable to download firelens s3 config file" in stopped["stoppedReason"]
    assert "AccessDenied" in stopped["stoppedReason"]
    wanted["executionRoleArn"] = hatoba.task_role("reads-configuration", "s3:GetObject", "s3:GetBucketLocation")
    arn = started()
    hatoba.wait_task(arn, "RUNNING")
    said = eventually(lambda: [line for line in printed(hatoba, group, arn) if line.startswith("CONFIG ")])
    assert "@INCLUDE /fluent-bit/etc/external.conf" in json.loads(said[0].partition(" ")[2])
    files = (hatoba.folder / "node" / "tasks" / arn.rpartition("/")[2] / ".router" / "files").iterdir()
    assert own in [file.read_text() for file in files]
    ecs.stop_task(task=arn)
    hatoba.wait_task(arn, "STOPPED")
    s3.delete_object(Bucket="router-configuration", Key="fluent/own.conf")
    s3.delete_bucket(Bucket="router-configuration")


@pytest.mark.parametrize("mode", ["awsvpc", "bridge"])
def test_a_task_can_speak_to_the_router_itself(hatoba: Instance, image: str, group: str, mode: str) -> None:
    """The port, on the task's own loopback or on the bridge, as FLUENT_HOST and FLUENT_PORT tell."""
    message = r"\223\243own\221\222\001\201\243log\245hello\200"
    script = f"while ! printf '{message}' | nc $FLUENT_HOST $FLUENT_PORT; do sleep 0.1; done; sleep 60"
    log = {"options": {"Name": "stdout"}}
    wanted = definition(hatoba, image, group, "fluentbit", log, command=["sh", "-c", script])
    wanted |= {"family": f"firelens-{mode}", "networkMode": mode}
    if mode == "bridge":
        wanted["requiresCompatibilities"] = ["EC2"]
        hatoba.client("ecs").register_task_definition(**wanted)
        arn = hatoba.client("ecs").run_task(taskDefinition=wanted["family"], launchType="EC2")["tasks"][0]["taskArn"]
    else:
        arn = run(hatoba, wanted)
    hatoba.wait_task(arn, "RUNNING")

    def heard() -> list[Any]:
        return [record for record in records(printed(hatoba, group, arn)) if record["tag"] == "own"]

    assert eventually(heard)[0]["log"] == "hello"
    hatoba.client("ecs").stop_task(task=arn)
    hatoba.wait_task(arn, "STOPPED")


def test_an_agent_that_is_killed_loses_nothing(hatoba: Instance, image: str, group: str) -> None:
    """Lines may come twice: the agent that noted that they had arrived is gone."""
    speak = "i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); sleep 0.01; done"
    wanted = definition(hatoba, image, group, "fluentbit", {"options": {"Name": "stdout"}}, command=["sh", "-c", speak])
    arn = run(hatoba, {**wanted, "family": "firelens-killed"})
    hatoba.wait_task(arn, "RUNNING")
    for _ in range(2):
        eventually(lambda: records(printed(hatoba, group, arn)))
        hatoba.kill("node")
    task = hatoba.wait_task(arn, "STOPPED")
    assert {c["name"]: c.get("exitCode") for c in task["containers"]} == {"app": 0, "router": 0}
    said = [int(record["log"]) for record in records(printed(hatoba, group, arn))]
    assert list(dict.fromkeys(said)) == list(range(300))
