"""A task is a real container: its image, its network, its limits, its end."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest

from tools.images import busybox_files
from tools.instance import Instance, eventually

pytestmark = pytest.mark.real


def run(hatoba: Instance, family: str, *, network: dict[str, Any] | None = None, **container: Any) -> str:
    """Registers a one-container definition and runs it once; the task's ARN."""
    ecs = hatoba.client("ecs")
    container.setdefault("image", hatoba.push("busybox"))
    ecs.register_task_definition(
        family=family,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "main", "linuxParameters": {"initProcessEnabled": True}, **container}],
    )
    answer = ecs.run_task(taskDefinition=family, launchType="FARGATE", networkConfiguration=network or hatoba.network())
    assert answer["failures"] == []
    arn: str = answer["tasks"][0]["taskArn"]
    return arn


def test_serves_under_its_public_address(hatoba: Instance) -> None:
    image = hatoba.push("hello", busybox_files({"www/index.html": "hello\n"}))
    group = hatoba.allow(8080)
    arn = run(
        hatoba,
        "hello",
        image=image,
        command=["httpd", "-f", "-p", "8080", "-h", "/www"],
        network=hatoba.network(public=True, groups=[group]),
    )
    task = hatoba.wait_task(arn, "RUNNING")
    details = {d["name"]: d["value"] for d in task["attachments"][0]["details"]}
    interface = hatoba.client("ec2").describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])[
        "NetworkInterfaces"
    ][0]
    assert interface["PrivateIpAddress"] == details["privateIPv4Address"]
    assert interface["Status"] == "in-use"

    def page() -> bytes | None:
        try:
            with urllib.request.urlopen(f"http://{interface['Association']['PublicIp']}:8080/", timeout=10) as answer:
                return bytes(answer.read())
        except OSError:
            return None

    assert eventually(page) == b"hello\n"
    hatoba.client("ecs").stop_task(task=arn, reason="enough")
    stopped = hatoba.wait_task(arn, "STOPPED")
    assert stopped["stoppedReason"] == "enough"
    assert stopped["stopCode"] == "UserInitiated"


def test_exit_codes_are_true(hatoba: Instance) -> None:
    arn = run(hatoba, "exits", command=["sh", "-c", "exit 42"])
    task = hatoba.wait_task(arn, "STOPPED")
    assert task["containers"][0]["exitCode"] == 42
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"


def test_out_of_memory_is_told_apart(hatoba: Instance) -> None:
    arn = run(hatoba, "hungry", command=["sh", "-c", "x=a; while true; do x=$x$x; done"], memory=64)
    task = hatoba.wait_task(arn, "STOPPED")
    assert task["containers"][0]["exitCode"] == 137
    assert task["containers"][0]["reason"] == "OutOfMemoryError: Container killed due to memory usage"


def test_an_image_that_is_not_there(hatoba: Instance) -> None:
    arn = run(hatoba, "missing", image=f"localhost:{hatoba.port}/busybox:no-such-tag")
    task = hatoba.wait_task(arn, "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotPullContainerError")
    assert "exitCode" not in task["containers"][0]


def test_stop_is_a_signal_then_a_kill(hatoba: Instance) -> None:
    stubborn = run(
        hatoba,
        "stubborn",
        command=["sh", "-c", "trap '' TERM; while true; do sleep 0.1; done"],
        stopTimeout=2,
        linuxParameters={"initProcessEnabled": False},
    )
    hatoba.wait_task(stubborn, "RUNNING")
    hatoba.client("ecs").stop_task(task=stubborn)
    task = hatoba.wait_task(stubborn, "STOPPED")
    assert task["containers"][0]["exitCode"] == 137
    took = (task["executionStoppedAt"] - task["stoppingAt"]).total_seconds()
    assert 1.9 < took < 28, "after its own patience, not after everybody's, which is 30 s"
