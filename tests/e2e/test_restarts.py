"""A container with a restart policy: its process is started again in the same container, the task never stops."""

from __future__ import annotations

import json

import pytest

from tools.instance import Instance, eventually

pytestmark = [pytest.mark.real, pytest.mark.slow]  # a process has to have run for a minute

WORK = r"""
get() { printf "GET $1 HTTP/1.0\r\n\r\n" | nc 169.254.170.2 80 | tail -n 1; echo; }
echo run >> /tmp/runs
[ $(wc -l < /tmp/runs) = 1 ] && { sleep 65; exit 7; }
echo "RUNS $(wc -l < /tmp/runs)"
path=${ECS_CONTAINER_METADATA_URI_V4#http://169.254.170.2}
until get $path | tee /tmp/said | grep -q '"RestartCount":1'; do sleep 0.1; done
echo "METADATA $(cat /tmp/said)"
exit 5
"""


def test_a_process_is_started_again_once_it_ran_for_a_minute(hatoba: Instance) -> None:
    ecs, logs, role = hatoba.client("ecs"), hatoba.client("logs"), hatoba.task_role("again")
    logs.create_log_group(logGroupName="/ecs/again")
    log = {"awslogs-group": "/ecs/again", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t"}
    ecs.register_task_definition(
        family="again",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        executionRoleArn=role,
        containerDefinitions=[
            {
                "name": "main",
                "image": hatoba.push("busybox"),
                "command": ["sh", "-c", WORK],
                "restartPolicy": {"enabled": True, "ignoredExitCodes": [0], "restartAttemptPeriod": 60},
                "logConfiguration": {"logDriver": "awslogs", "options": log},
            }
        ],
    )
    arn = ecs.run_task(taskDefinition="again", launchType="FARGATE", networkConfiguration=hatoba.network())["tasks"][0][
        "taskArn"
    ]
    hatoba.wait_task(arn, "RUNNING")
    task = hatoba.wait_task(arn, "STOPPED", 90)
    # The second run ended too soon to be followed by a third one.
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("EssentialContainerExited", 5)
    assert (task["stoppedAt"] - task["startedAt"]).total_seconds() > 60
    stream = f"t/main/{arn.rpartition('/')[2]}"

    def said() -> dict[str, str] | None:
        found = logs.get_log_events(logGroupName="/ecs/again", logStreamName=stream, startFromHead=True)["events"]
        words = dict(event["message"].partition(" ")[::2] for event in found)
        return words if "METADATA" in words else None

    words = eventually(said)
    assert words is not None
    assert words["RUNS"] == "2"  # what the first run wrote is still there
    assert json.loads(words["METADATA"])["KnownStatus"] == "RUNNING"
