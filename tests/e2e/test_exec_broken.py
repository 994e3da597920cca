"""What becomes of sessions when parts of the platform end under them; and sessions on another machine's node."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import botocore.exceptions
import pytest

from tools.images import busybox_files
from tools.instance import HATOBA, Instance, eventually
from tools.machine import FIRST, Cables, Machine
from tools.plugin import Closed, Plugin

pytestmark = pytest.mark.real


def service(hatoba: Instance, count: int = 1, launch: str = "FARGATE") -> list[str]:
    """A service whose tasks may be entered; their ARNs once they run."""
    ecs = hatoba.client("ecs")
    container = {"name": "app", "image": hatoba.push("exec", busybox_files()), "command": ["sleep", "3600"]}
    ecs.register_task_definition(
        family="entered",
        networkMode="awsvpc",
        requiresCompatibilities=[launch],
        cpu="256",
        memory="512",
        executionRoleArn=hatoba.task_role("housekeeping"),
        containerDefinitions=[container | {"linuxParameters": {"initProcessEnabled": True}}],
    )
    ecs.create_service(
        serviceName="entered",
        taskDefinition="entered",
        desiredCount=count,
        launchType=launch,
        networkConfiguration=hatoba.network(),
        enableExecuteCommand=True,
    )

    def running() -> list[str]:
        arns = ecs.list_tasks(serviceName="entered")["taskArns"]
        found = ecs.describe_tasks(tasks=arns)["tasks"] if arns else []
        return [task["taskArn"] for task in found if task["lastStatus"] == "RUNNING"]

    return eventually(lambda: found if len(found := running()) == count else None) or []


@pytest.fixture(scope="module")
def own() -> Iterator[Instance]:
    with Instance() as hatoba:
        service(hatoba)
        yield hatoba


def task(hatoba: Instance) -> str:
    arns: list[str] = eventually(lambda: hatoba.client("ecs").list_tasks(serviceName="entered")["taskArns"])
    return arns[0]


def session(hatoba: Instance, command: str) -> dict[str, str]:
    ecs = hatoba.client("ecs")
    found: dict[str, str] = ecs.execute_command(task=task(hatoba), command=command, interactive=True)["session"]
    return found


def started(hatoba: Instance, command: str) -> Plugin:
    plugin = Plugin(session(hatoba, command))
    plugin.until(lambda: any(message.kind == "start_publication" for message in plugin.seen))
    return plugin


def works(hatoba: Instance) -> str | None:
    """What `ps` says inside, once a session can be held (again)."""
    try:
        with Plugin(session(hatoba, "ps")) as plugin:
            return plugin.output.decode() if plugin.end() == "" else None
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, OSError, Closed):
        return None


def gone(hatoba: Instance, command: str) -> None:
    eventually(lambda: (seen := works(hatoba)) is not None and command not in seen)


def test_a_killed_control_plane_ends_its_sessions(own: Instance) -> None:
    with started(own, "sleep 4321") as plugin:
        ours = subprocess.Popen(
            [HATOBA, "exec", "--data", str(own.folder), task(own), "--", "sh", "-c", "echo here; sleep 4322"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert ours.stdout is not None
        assert ours.stdout.readline() == b"here\n"
        own.kill("control")
        with pytest.raises((Closed, ConnectionError)):
            plugin.end()
        _, said = ours.communicate(timeout=20)
        assert (ours.returncode, b"connection was lost" in said) == (1, True)
    gone(own, "sleep 432")
    assert "TokenValue" not in own.client("ssm").resume_session(SessionId=plugin.session["sessionId"])


def test_a_killed_agent_ends_its_sessions_and_its_successor_what_they_ran(own: Instance) -> None:
    eventually(lambda: works(own))
    with started(own, "sleep 4323") as plugin:
        own.kill("node")
        assert "connection to the container's node was lost" in plugin.end()
    gone(own, "sleep 4323")


def test_a_control_plane_that_is_stopped_says_goodbye(own: Instance) -> None:
    eventually(lambda: works(own))
    with started(own, "sleep 4324") as plugin:
        os.kill(own.pid("control"), signal.SIGTERM)
        assert plugin.end() == "The platform is shutting down."
    gone(own, "sleep 4324")


def test_a_container_that_ends_ends_its_sessions(own: Instance) -> None:
    """And the service's next task can be entered: by its service's name, too."""
    eventually(lambda: works(own))
    old = task(own)
    with started(own, "sleep 4325") as plugin:
        own.client("ecs").stop_task(task=old)
        plugin.end()
    own.wait_task(old, "STOPPED")
    ecs = own.client("ecs")
    with pytest.raises(ecs.exceptions.InvalidParameterException, match="task is STOPPED"):
        ecs.execute_command(task=old, command="sh", interactive=True)
    eventually(lambda: works(own))
    assert own.hatoba("exec", "--service", "entered", "--", "echo", "next").strip() == "next"


def test_a_session_on_another_machines_node() -> None:
    with Cables() as cables, Instance(options=["--node-host", FIRST]) as hatoba, Machine(hatoba, cables, 2):
        tasks = service(hatoba, 4, "EC2")
        ecs = hatoba.client("ecs")
        instances = {each["taskArn"]: each["containerInstanceArn"] for each in ecs.describe_tasks(tasks=tasks)["tasks"]}
        assert len(set(instances.values())) == 2
        for arn in tasks:
            answer: dict[str, Any] = ecs.execute_command(task=arn, command="hostname", interactive=True)
            with Plugin(answer["session"]) as plugin:
                assert plugin.end() == ""
                assert plugin.output.decode().strip().startswith("ip-172-31-")
