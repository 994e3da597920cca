"""A stopped task's whole story, by the command and by the page that it reads."""

from __future__ import annotations

import json
import re

import pytest

from tools.instance import Instance

pytestmark = pytest.mark.real


def test_a_task_that_would_not_stop(hatoba: Instance) -> None:
    ecs = hatoba.client("ecs")
    ecs.register_task_definition(
        family="stubborn",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[
            {
                "name": "main",
                "image": hatoba.push("busybox"),
                "command": ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"],
                "stopTimeout": 2,
            }
        ],
    )
    started = ecs.run_task(taskDefinition="stubborn", launchType="FARGATE", networkConfiguration=hatoba.network())
    arn = started["tasks"][0]["taskArn"]
    hatoba.wait_task(arn, "RUNNING")
    ecs.stop_task(task=arn, reason="it is late")
    task = hatoba.wait_task(arn, "STOPPED")
    assert task["containers"][0]["exitCode"] == 137

    told = json.loads(hatoba.hatoba("story", "--json", arn.rpartition("/")[2]))
    assert (told["stopCode"], told["stoppedReason"]) == ("UserInitiated", "it is late")
    assert told["stoppedBy"] == "arn:aws:iam::123456789012:root"
    kinds = [moment["what"] for moment in told["moments"] if moment["what"] != "status"]
    assert kinds == ["pulling", "pulled", "started", "stop", "signalled", "exited"]
    states = [moment["text"] for moment in told["moments"] if moment["what"] == "status"]
    assert states == ["PROVISIONING", "PENDING", "RUNNING", "STOPPING", "DEPROVISIONING", "STOPPED"]
    exited = next(moment for moment in told["moments"] if moment["what"] == "exited")
    killed = re.match(r"exit code 137, killed (\d+\.\d+) s", exited["text"])
    assert killed is not None, exited["text"]
    assert 2 <= float(killed[1]) < 28, "after its own patience, not after everybody's, which is 30 s"
    times = [moment["at"] for moment in told["moments"]]
    assert times == sorted(times)
    assert "UserInitiated: it is late" in hatoba.hatoba("story", arn)
