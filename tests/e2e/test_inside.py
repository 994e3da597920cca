"""What a task finds inside: its metadata, its role's credentials (and nobody else's), its environment."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tools.instance import Instance, eventually

pytestmark = pytest.mark.real

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
SAY = r"""
get() { printf "GET $1 HTTP/1.0\r\n\r\n" | nc 169.254.170.2 80 | tail -n 1; echo; }
path=${ECS_CONTAINER_METADATA_URI_V4#http://169.254.170.2}
until get $path | grep -q '"KnownStatus":"RUNNING"'; do sleep 0.05; done
echo "CREDENTIALS $(get $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI)"
echo "CONTAINER $(get $path)"
echo "TASK $(get $path/task)"
echo "STATS $(get $path/stats)"
echo "STRANGER $(get /v2/credentials/00000000-0000-0000-0000-000000000000)"
echo "REGION $AWS_REGION"
sleep 600
"""


@pytest.fixture(scope="module")
def said(hatoba: Instance) -> dict[str, Any]:
    ecs, logs, role = hatoba.client("ecs"), hatoba.client("logs"), hatoba.task_role("inside")
    logs.create_log_group(logGroupName="/ecs/inside")
    ecs.register_task_definition(
        family="inside",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="512",
        memory="1024",
        taskRoleArn=role,
        executionRoleArn=role,
        containerDefinitions=[
            {
                "name": "main",
                "image": hatoba.push("busybox"),
                "command": ["sh", "-c", SAY],
                "stopTimeout": 2,
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": "/ecs/inside",
                        "awslogs-region": "us-east-1",
                        "awslogs-stream-prefix": "t",
                    },
                },
            }
        ],
    )
    arn = ecs.run_task(taskDefinition="inside", launchType="FARGATE", networkConfiguration=hatoba.network())["tasks"][
        0
    ]["taskArn"]
    hatoba.wait_task(arn, "RUNNING")
    stream = f"t/main/{arn.rpartition('/')[2]}"

    def all_said() -> dict[str, str] | None:
        events = logs.get_log_events(logGroupName="/ecs/inside", logStreamName=stream, startFromHead=True)["events"]
        found = dict(event["message"].partition(" ")[::2] for event in events if " " in event["message"])
        return found if "REGION" in found else None

    found = eventually(all_said)
    assert found is not None
    return {"arn": arn, "role": role, **found}


def acting(hatoba: Instance, said: dict[str, Any]) -> Any:
    """STS, with the credentials that the task was given."""
    given = json.loads(said["CREDENTIALS"])
    return boto3.client(
        "sts",
        endpoint_url=f"http://127.0.0.1:{hatoba.port}",
        region_name="us-east-1",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["Token"],
    )


def test_the_roles_credentials_are_accepted(hatoba: Instance, said: dict[str, Any]) -> None:
    assert json.loads(said["CREDENTIALS"])["RoleArn"] == said["role"]
    who = acting(hatoba, said).get_caller_identity()["Arn"]
    assert who == f"arn:aws:sts::123456789012:assumed-role/inside/{said['arn'].rpartition('/')[2]}"


def test_metadata(said: dict[str, Any]) -> None:
    container, task = json.loads(said["CONTAINER"]), json.loads(said["TASK"])
    assert container["Name"] == "main"
    assert container["KnownStatus"] == "RUNNING"
    assert container["Networks"][0]["NetworkMode"] == "awsvpc"
    assert container["Labels"]["com.amazonaws.ecs.task-arn"] == said["arn"]
    assert task["TaskARN"] == said["arn"]
    assert task["Limits"] == {"CPU": 0.5, "Memory": 1024}
    assert task["Containers"][0]["DockerId"] == container["DockerId"]
    assert said["REGION"] == "us-east-1"


def test_stats_are_true(said: dict[str, Any]) -> None:
    stats = json.loads(said["STATS"])
    assert stats["memory_stats"]["usage"] > 0
    assert stats["cpu_stats"]["cpu_usage"]["total_usage"] > 0


def test_another_credential_id_is_refused(said: dict[str, Any]) -> None:
    assert json.loads(said["STRANGER"])["code"] == "InvalidIdInRequest"


def test_credentials_end_with_their_task(hatoba: Instance, said: dict[str, Any]) -> None:
    """The last one here: it stops the task."""
    hatoba.client("ecs").stop_task(task=said["arn"])
    hatoba.wait_task(said["arn"], "STOPPED")
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        acting(hatoba, said).get_caller_identity()
