"""Where a task's data goes: volumes of every kind, shared by its containers or by tasks, and how much there may be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.images import busybox_files
from tools.instance import Instance, eventually

pytestmark = pytest.mark.real

METADATA = (
    'printf "GET ${ECS_CONTAINER_METADATA_URI_V4#http://169.254.170.2}/task HTTP/1.0\\r\\n\\r\\n" '
    "| nc 169.254.170.2 80 | tail -n 1"
)


def define(hatoba: Instance, family: str, containers: list[dict[str, Any]], **task: Any) -> None:
    hatoba.client("ecs").register_task_definition(
        **{
            "family": family,
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "cpu": "256",
            "memory": "512",
            "executionRoleArn": hatoba.task_role("storage"),
            "containerDefinitions": containers,
            **task,
        }
    )


def start(hatoba: Instance, family: str, launch_type: str = "FARGATE") -> str:
    answer = hatoba.client("ecs").run_task(
        taskDefinition=family, launchType=launch_type, networkConfiguration=hatoba.network()
    )
    assert answer["failures"] == []
    arn: str = answer["tasks"][0]["taskArn"]
    return arn


def shell(hatoba: Instance, name: str, script: str, image: str, **more: Any) -> dict[str, Any]:
    """A container that runs a script and logs what it says."""
    options = {"awslogs-group": "/storage", "awslogs-region": "us-east-1", "awslogs-create-group": "true"}
    log = {"logDriver": "awslogs", "options": {**options, "awslogs-stream-prefix": "s"}}
    return {"name": name, "image": image, "command": ["sh", "-c", script], "logConfiguration": log, **more}


def said(hatoba: Instance, arn: str, container: str) -> list[str]:
    """All that it said, once its task has stopped."""
    logs, stream = hatoba.client("logs"), f"s/{container}/{arn.rpartition('/')[2]}"
    hatoba.wait_task(arn, "STOPPED")

    def lines() -> list[str] | None:
        events = logs.get_log_events(logGroupName="/storage", logStreamName=stream, startFromHead=True)["events"]
        found = [event["message"] for event in events]
        return found if found and found[-1] == "END" else None

    return eventually(lines) or []


def test_fargate_storage_is_shared_filled_and_limited(hatoba: Instance) -> None:
    """One task: an init container fills a volume; the others see it, one of them read-only; the whole is limited."""
    image = hatoba.push("site", busybox_files({"srv/site/index.html": "from the image\n"}))
    mount = {"sourceVolume": "site", "containerPath": "/srv/site"}
    after = [{"containerName": "init", "condition": "SUCCESS"}]
    init = shell(hatoba, "init", "cat /srv/site/index.html; echo more > /srv/site/more; echo END", image)
    init |= {"essential": False, "mountPoints": [mount]}
    reader = shell(hatoba, "reader", "cat /srv/site/more; touch /srv/site/x 2>&1; echo END", image)
    reader |= {"essential": False, "volumesFrom": [{"sourceContainer": "init", "readOnly": True}], "dependsOn": after}
    wait = [{"containerName": "reader", "condition": "COMPLETE"}]
    fill = f"ls /data; echo $(df -m /data | tail -1); {METADATA}; echo; echo END"
    main = shell(hatoba, "main", fill, image, dependsOn=wait)
    main["mountPoints"] = [{"sourceVolume": "site", "containerPath": "/data"}]
    define(hatoba, "storage", [init, reader, main], volumes=[{"name": "site"}], ephemeralStorage={"sizeInGiB": 21})
    arn = start(hatoba, "storage")
    assert said(hatoba, arn, "init") == ["from the image", "END"]
    read = said(hatoba, arn, "reader")
    assert read[0] == "more"
    assert "Read-only file system" in read[1]
    lines = said(hatoba, arn, "main")
    assert lines[:2] == ["index.html", "more"]
    assert 20_000 < int(lines[2].split()[1]) <= 21 * 1024  # MiB, as `df` has it
    metrics = json.loads(lines[3])["EphemeralStorageMetrics"]
    assert metrics["Reserved"] == 21 * 1024
    assert 0 <= metrics["Utilized"] < 200
    task = hatoba.task(arn)
    assert task["ephemeralStorage"] == {"sizeInGiB": 21}
    assert [c["exitCode"] for c in sorted(task["containers"], key=lambda c: c["name"])] == [0, 0, 0]


def test_what_exceeds_the_storage_is_refused_by_the_disk(hatoba: Instance) -> None:
    """Sparse files count as what they hold: 20 GiB are allocated without writing them."""
    fill = (
        "fallocate -l 15G /data/a && echo fits; fallocate -l 10G /b 2>&1; rm /data/a; fallocate -l 10G /b && echo fits"
    )
    image = hatoba.push("filler", {**busybox_files(), "bin/fallocate": "-> busybox"})
    main = shell(hatoba, "main", f"{fill}; echo END", image)
    main["mountPoints"] = [{"sourceVolume": "data", "containerPath": "/data"}]
    define(hatoba, "full", [main], volumes=[{"name": "data"}])
    lines = said(hatoba, start(hatoba, "full"), "main")
    assert lines[0] == "fits"
    assert "No space left on device" in lines[1]
    assert lines[2:] == ["fits", "END"]


def test_volumes_of_an_instance(hatoba: Instance, tmp_path: Path) -> None:
    """A path of the host (made when it is not there), a shared volume that the next task finds, a tmpfs of docker's."""
    image = hatoba.push("busybox")
    ec2 = {"requiresCompatibilities": ["EC2"]}
    volumes = [
        {"name": "host", "host": {"sourcePath": str(tmp_path / "made" / "here")}},
        {"name": "kept", "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": True, "driver": "local"}},
        {
            "name": "fast",
            "dockerVolumeConfiguration": {
                "scope": "task",
                "driverOpts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"},
            },
        },
    ]
    mounts = [{"sourceVolume": v["name"], "containerPath": f"/{v['name']}"} for v in volumes]
    script = "cat /kept/x 2>/dev/null; echo kept > /kept/x; echo out > /host/file; df -k /fast | grep -c 1024; echo END"
    define(hatoba, "instance", [shell(hatoba, "main", script, image, mountPoints=mounts)], volumes=volumes, **ec2)
    first = said(hatoba, start(hatoba, "instance", "EC2"), "main")
    second = said(hatoba, start(hatoba, "instance", "EC2"), "main")
    assert [line.strip() for line in first] == ["1", "END"]
    assert [line.strip() for line in second] == ["kept", "1", "END"]
    assert (tmp_path / "made" / "here" / "file").read_text() == "out\n"

    volumes = [{"name": "nobodys", "dockerVolumeConfiguration": {"scope": "shared"}}]
    mounts = [{"sourceVolume": "nobodys", "containerPath": "/x"}]
    define(hatoba, "instance", [shell(hatoba, "main", "true", image, mountPoints=mounts)], volumes=volumes, **ec2)
    task = hatoba.wait_task(start(hatoba, "instance", "EC2"), "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    why = "volume detection failed, volume 'nobodys' does not exist and autoprovision is set to false"
    assert task["containers"][0]["reason"] == f"CannotCreateVolumeError: {why}"


def test_a_driver_that_no_instance_has_is_not_placed(hatoba: Instance) -> None:
    volumes = [{"name": "x", "dockerVolumeConfiguration": {"driver": "rexray"}}]
    define(hatoba, "rexray", [{"name": "m", "image": "x"}], volumes=volumes, requiresCompatibilities=["EC2"])
    answer = hatoba.client("ecs").run_task(
        taskDefinition="rexray", launchType="EC2", networkConfiguration=hatoba.network()
    )
    assert answer["tasks"] == []
    assert answer["failures"][0]["reason"] == "ATTRIBUTE"
    assert "ecs.capability.docker-plugin.rexray" in answer["failures"][0]["detail"]
