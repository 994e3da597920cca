"""A disk that fills up while the platform runs: nothing that was answered is lost, and room makes all well again."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tools.instance import Instance, eventually
from tools.traces import Traces

pytestmark = pytest.mark.real

SIZE = 96 << 20
ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=10)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Instance]:
    """On a disk of its own, of 96 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "hatoba-test", disk], check=True)
    try:
        with Instance(data=disk / "data") as hatoba:
            traces = Traces(hatoba.folder)
            yield hatoba
            (disk / "filler").unlink(missing_ok=True)
        eventually(lambda: traces.left() == {})
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(b"x" * 4096):
            pass


def create(ecs: Any, name: str) -> int:
    """The answer's status; 599 when there was none."""
    try:
        ecs.create_cluster(clusterName=name, tags=[{"key": "filling", "value": "x" * 250}])
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    except BotoCoreError:
        return 599
    return 200


def clusters(ecs: Any) -> set[str]:
    found = (arn for page in ecs.get_paginator("list_clusters").paginate() for arn in page["clusterArns"])
    return {arn.rpartition("/")[2] for arn in found}


def test_nothing_answered_is_lost_and_room_makes_all_well(small: Instance) -> None:
    ecs = boto3.client(
        "ecs",
        endpoint_url=f"http://127.0.0.1:{small.port}",
        region_name="us-east-1",
        aws_access_key_id=small.environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=small.environment["AWS_SECRET_ACCESS_KEY"],
        config=ONCE,
    )
    answered: set[str] = set()
    refused: list[int] = []
    fill(small.folder.parent)
    for number in range(2000):
        status = create(ecs, f"c{number}")
        if status == 200:
            answered.add(f"c{number}")
        else:
            refused.append(status)
        if len(refused) == 20:
            break
    assert all(status >= 500 for status in refused)
    assert refused, "the disk was never full"
    (small.folder.parent / "filler").unlink()
    eventually(small.health_or_none)
    assert answered <= clusters(ecs)
    arn = ran(small)
    assert small.wait_task(arn, "STOPPED")["containers"][0]["exitCode"] == 0
    small.kill("control")
    eventually(small.health_or_none)
    assert answered <= clusters(ecs)


def ran(hatoba: Instance) -> str:
    ecs = hatoba.client("ecs")
    ecs.register_task_definition(
        family="after",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "main", "image": hatoba.push("busybox"), "command": ["true"]}],
    )
    answer = ecs.run_task(taskDefinition="after", launchType="FARGATE", networkConfiguration=hatoba.network())
    arn: str = answer["tasks"][0]["taskArn"]
    return arn
